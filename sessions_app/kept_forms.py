"""A form that was sent when the sign-in was over: kept sealed for minutes, for the same person.

What was typed of a client must not be lost to a clock, and must not be shown to whoever sits down
next. So it lies in the browser's session on the server, sealed under the master key and bound to
the person, until they have signed in again and say that it is sent on. Somebody else's sign-in in
the same browser throws it away. Files aren't kept: they have to be chosen again.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from sessions_app import audit, sealing
from sessions_app.context import ANONYMOUS

OVER, KEPT = "sign_in_over", "kept_form"  # in the session
SENT_ON = "kept_form"  # the field by which the page sends it on
SECONDS = 15 * 60
NOT_OF_THE_FORM = ("csrfmiddlewaretoken", "unlock_with", "unlock_credential", "unlock_elsewhere",
                   "again", SENT_ON)  # fmt: skip
# Doors of the sign-in itself: nothing is typed there that is worth keeping.
OF_THE_SIGN_IN = {"lock", "unlock", "presence", "kept", "sign_out", "account_logout", "sign_in"}

now = time.time  # the tests' hand on the clock


@dataclass(frozen=True)
class KeptForm:
    """Where it was sent (a path of this site), its fields, whether files were among them."""

    path: str
    fields: list[tuple[str, str]]
    files: bool


def _place(public_id: str) -> str:
    return f"kept form of {public_id}"


def note_over(request: HttpRequest, user: Any) -> None:
    """The sign-in is over: for some minutes a form from this browser is still that person's."""
    kept = request.session.get(KEPT)
    request.session.flush()
    if kept:
        request.session[KEPT] = kept
    request.session[OVER] = {"who": str(user.public_id), "until": now() + SECONDS}


def worth_keeping(request: HttpRequest) -> bool:
    match = request.resolver_match
    return request.method == "POST" and match is not None and match.url_name not in OF_THE_SIGN_IN


def fields_of(request: HttpRequest) -> list[tuple[str, str]]:
    """What was typed, in its order, without what only carried it."""
    return [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name not in NOT_OF_THE_FORM
    ]


def keep(request: HttpRequest, who: str) -> None:
    """Seal the request's form for the person with this public id."""
    text = json.dumps([request.get_full_path(), fields_of(request), bool(request.FILES)]).encode()
    sealed, key_id = sealing.wrap(text, _place(who))
    request.session[KEPT] = {
        "who": who,
        "until": now() + SECONDS,
        "key": key_id,
        "sealed": base64.b64encode(sealed).decode(),
    }
    audit.record("form kept", subject_kind="user", subject=who, by=ANONYMOUS)


def of(request: HttpRequest) -> KeptForm | None:
    """What is kept for the person signed in here; anything else is thrown away."""
    found = request.session.get(KEPT)
    if found is None:
        return None
    who = str(request.user.public_id)  # type: ignore[union-attr]  # signed in
    try:
        if found["who"] != who or found["until"] < now():
            raise sealing.CannotOpen("another person's, or too old")
        text = sealing.unwrap(base64.b64decode(found["sealed"]), found["key"], _place(who))
    except sealing.CannotOpen:
        forget(request)
        return None
    path, fields, files = json.loads(text)
    return KeptForm(path, [(name, value) for name, value in fields], files)


def forget(request: HttpRequest) -> None:
    request.session.pop(KEPT, None)
    request.session.pop(OVER, None)


def rescue(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Keep a form that was answered by the sign-in page, if its sender's sign-in just ended."""
    over = request.session.get(OVER)
    if over is None or request.user.is_authenticated or not worth_keeping(request):
        return response
    to_sign_in = response.status_code == 302 and response["Location"].startswith(settings.LOGIN_URL)
    if to_sign_in and over["until"] >= now():
        keep(request, over["who"])
        return to_sign_in_again()
    return response


def to_sign_in_again() -> HttpResponse:
    return redirect(f"{settings.LOGIN_URL}?next=/kept/")
