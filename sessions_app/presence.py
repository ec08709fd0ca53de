"""Being there: a sign-in rests after a pause, is taken up again at the same page, and ends.

How long a pause may be and how long a sign-in lasts is the clinic's policy by role (the strictest
of a person's roles counts). A sign-in that rests keeps its session; nothing opens until whoever
sits there shows that they are still the same person: by their PIN (on a device of their own), a
passkey or the password. A form sent meanwhile is answered by a page that holds what was typed and
sends it on. The same page asks again before settings and exports, where only password and second
factor count, and only for some minutes.

What is known stands in the session under one name: when it began, when it was last used, whether
it rests, how often it was tried.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.login import (
    get_authentication_records,
    record_authentication,
)
from allauth.mfa.internal.flows.trust import is_trusted_browser
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm
from allauth.mfa.webauthn.internal.auth import begin_authentication
from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.models import Session as StoredSession
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from sessions_app import (
    audit,
    kept_forms,
    live_sign_ins,
    policies,
    rights,
    second_factor,
    single_sign_on,
)
from sessions_app.keys import DOORS

HERE = live_sign_ins.HERE
TRIES = 5
NOTED_EVERY = 30  # seconds: a session isn't written at each request
# Fields of the page that asks; the last is the button that leads to the clinic's own sign-in.
SHOWN, CREDENTIAL, ELSEWHERE = "unlock_with", "unlock_credential", "unlock_elsewhere"
PIN = re.compile(r"[0-9]{4,8}\Z")
# Doors that open while a sign-in rests, and those that a page asks by itself: nobody is there.
OPEN = {"unlock", "presence", "account_logout", "sign_out", "account_login", "sign_in",
        "account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn",
        "single_sign_on", "single_sign_on_back", "healthz", "readyz", "metrics"}  # fmt: skip
# Where factors are added. allauth asks there for what a person has here; of whoever has nothing
# but the clinic's own sign-in service it would ask nothing.
OF_FACTORS = {"mfa_activate_totp", "mfa_add_webauthn"}
BY_ITSELF = {
    "presence",
    "import_state",
    "look_back_state",
    "tablet_state",
    "case_file_state",
    "client_copy_state",
}

CLOCKS_DIFFER = 60  # seconds, at most, between two moments of one machine

now = time.time  # the tests' hand on the clock


def limits_of(user: Any) -> tuple[int, int]:
    """(seconds of a pause, seconds of a whole sign-in) by the strictest of the person's roles."""
    in_force = policies.all_on()
    roles = rights.roles(user) or {rights.ADMINISTRATOR}
    return (
        min(in_force[f"idle_minutes_{role}"] for role in roles) * 60,
        min(in_force[f"sign_in_hours_{role}"] for role in roles) * 3600,
    )


def begin(request: HttpRequest, user: Any, *, began: float | None = None) -> None:
    """Somebody signed in; `began` where they come back to a sign-in of before."""
    idle, whole = limits_of(user)
    request.session[HERE] = {
        "began": began or now(),
        "seen": now(),
        "idle": idle,
        "whole": whole,
        "agent": live_sign_ins.agent_of(request),
    }


def began_at(request: HttpRequest) -> float:
    return float(request.session.get(HERE, {}).get("began", now()))


def rest(request: HttpRequest) -> None:
    """Lock: from here on the sign-in rests."""
    request.session[HERE] = request.session.get(HERE, {}) | {"rests": now()}


def seconds_left(request: HttpRequest) -> dict[str, int]:
    """Until the pause is too long, and until the sign-in is over."""
    here = request.session.get(HERE, {})
    return {
        "rests_in": int(here.get("seen", now()) + here.get("idle", 0) - now()),
        "ends_in": int(here.get("began", now()) + here.get("whole", 0) - now()),
    }


class PresenceMiddleware:
    """Keeps to the time-outs, and takes up a sign-in that rests."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return kept_forms.rescue(request, self.get_response(request))

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        # After the form token was looked at, so that no other site tries PINs.
        if not request.user.is_authenticated or hasattr(request, "api_key"):
            return None
        name = request.resolver_match.url_name if request.resolver_match else ""
        if HERE not in request.session:
            begin(request, request.user)
        here = request.session[HERE]
        if now() - here["began"] > here["whole"]:
            return _over(request)
        pause = now() - here["seen"]
        # Seen in what is to come: the machine's clock went back, and how long isn't known.
        if not here.get("rests") and (pause > here["idle"] or pause < -CLOCKS_DIFFER):
            rest(request)
        if name in OPEN:
            return None
        if name in OF_FACTORS and _known_there_alone(request) and not recent(request):
            return single_sign_on.begin(request, to=reverse(name), again=True)
        # The doors for machines read their own bodies; nobody unlocks there.
        sent = {} if request.path.startswith(DOORS) else request.POST
        if ELSEWHERE in sent and elsewhere(request):
            return ask_elsewhere(request)
        if SHOWN in sent or CREDENTIAL in sent:
            answer = take_up(request)
            if answer is not None:
                return answer
        elif resting(request):
            return ask(request)
        elif kept_forms.SENT_ON in sent:
            kept_forms.forget(request)
            request.POST = _without(request.POST, kept_forms.SENT_ON)  # type: ignore[assignment]
        if name not in BY_ITSELF and now() - here["seen"] > NOTED_EVERY:
            begin(request, request.user, began=here["began"])  # a changed policy holds from here
        return None


def resting(request: HttpRequest) -> bool:
    """Whether nothing opens; a passkey or password shown on allauth's own page ends it too."""
    since = request.session[HERE].get("rests")
    if not since:
        return False
    if last_shown(request) > since:
        _awake(request)
        return False
    return True


def _over(request: HttpRequest) -> HttpResponse:
    """The hours are over. A form that comes now, or in the next minutes, is kept for its sender."""
    user = request.user
    audit.record("sign-in over", subject_kind="user", subject=user.public_id)  # type: ignore[union-attr]  # signed in
    kept_forms.note_over(request, user)
    if wants_json(request):
        why = _("Your sign-in is over: sign in again.")
        answer = {"detail": why, "over": True, "sign_in": reverse("sign_in")}
        return JsonResponse(answer, status=403)
    if kept_forms.worth_keeping(request):
        kept_forms.keep(request, str(user.public_id))  # type: ignore[union-attr]  # as above
        return kept_forms.to_sign_in_again()
    return redirect_to_login(request.get_full_path() if request.method == "GET" else "/")


def wants_json(request: HttpRequest) -> bool:
    return request.path.startswith(DOORS) or (
        "application/json" in request.headers.get("Accept", "")
    )


# --- asking, and what is shown -------------------------------------------------------------------


def own_device(request: HttpRequest) -> bool:
    """Where a PIN is enough: a device the person said is theirs, or no second factor is asked."""
    user = request.user
    if is_trusted_browser(request, user):
        return True
    return not second_factor.has_one(user) and not second_factor.shown_elsewhere(request)


def takes_pin(request: HttpRequest) -> bool:
    return bool(request.user.unlock_pin) and own_device(request)  # type: ignore[union-attr]  # signed in


def passkey_options(request: HttpRequest) -> dict[str, Any] | None:
    keys = Authenticator.objects.filter(
        user_id=request.user.pk, type=Authenticator.Type.WEBAUTHN
    ).exists()
    return begin_authentication(request.user) if keys else None


def elsewhere(request: HttpRequest) -> str:
    """The name of the clinic's own sign-in service, for whoever came by it; else empty."""
    came_by_it = settings.SSO and second_factor.ELSEWHERE in request.session
    return str(settings.SSO["name"]) if came_by_it else ""


def _known_there_alone(request: HttpRequest) -> bool:
    user = request.user
    return bool(elsewhere(request)) and not (
        user.has_usable_password() or second_factor.has_one(user)
    )


def ask_elsewhere(request: HttpRequest) -> HttpResponse:
    """Off to be asked there; a form that came along waits sealed until they are back."""
    to = request.POST.get("next", "/") if request.path == reverse("unlock") else "/kept/"
    if to == "/kept/":
        kept_forms.keep(request, str(request.user.public_id))  # type: ignore[union-attr]  # signed in
    return single_sign_on.begin(request, to=to, again=True)


def took_up_elsewhere(request: HttpRequest) -> None:
    """The clinic's own sign-in service asked anew, and it is the same person."""
    user = request.user
    record_authentication(request, user, method="socialaccount", fresh=True, reauthenticated=True)
    _awake(request)
    audit.record("unlocked", subject_kind="user", subject=user.public_id, how="single sign-on")  # type: ignore[union-attr]  # signed in


def ask(request: HttpRequest, *, again: bool = False, problem: str = "") -> HttpResponse:
    """The page that asks who sits there; what was typed comes along and is sent on."""
    if wants_json(request):
        why = _("Your sign-in rests after a pause: open a page and take it up again.")
        return JsonResponse({"detail": problem or why}, status=403)
    kept = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name not in (SHOWN, CREDENTIAL, "csrfmiddlewaretoken")
    ]
    context = {
        "again": again,
        "problem": problem,
        "kept": kept,
        "files": bool(request.FILES),
        "sends_on": request.method == "POST",
        "to": request.get_full_path(),
        "takes_pin": not again and takes_pin(request),
        "options": passkey_options(request),
        "elsewhere": elsewhere(request),
        "resting": True,  # base.html shows no places and starts no clock
    }
    return render(request, "people/unlock.html", context, status=422 if problem else 403)


def show(request: HttpRequest) -> str:
    """Look at what was shown, and take the sign-in up; why not, else an empty text."""
    with_pin = not request.POST.get("again") and takes_pin(request)
    given, credential = request.POST.get(SHOWN, ""), request.POST.get(CREDENTIAL, "")
    user = request.user
    how = ""
    if credential:
        form = AuthenticateWebAuthnForm({"credential": credential}, user=user)
        how = "passkey" if form.is_valid() else ""
    elif with_pin and PIN.match(given) and check_password(given, user.unlock_pin):  # type: ignore[union-attr]  # signed in
        how = "PIN"
    elif given and check_password(given, user.password):
        how = "password"
    if not how:
        return _counted(request, with_pin)
    if how != "PIN":
        method = "password" if how == "password" else "mfa"
        record_authentication(request, user, method=method, reauthenticated=True)
    _awake(request)
    audit.record("unlocked", subject_kind="user", subject=user.public_id, how=how)  # type: ignore[union-attr]  # signed in
    return ""


def _awake(request: HttpRequest) -> None:
    begin(request, request.user, began=request.session[HERE]["began"])


def _counted(request: HttpRequest, with_pin: bool) -> str:
    """One wrong try more, counted one by one however many come at once; the fifth signs out."""
    key = request.session.session_key
    row = StoredSession.objects.select_for_update().filter(pk=key).first()
    tries = (row.get_decoded().get(HERE, {}).get("tries", 0) if row else TRIES) + 1
    audit.record("unlock refused", tries=tries)
    if tries >= TRIES:
        request.session.flush()
        return "over"
    request.session[HERE] = request.session[HERE] | {"tries": tries}
    request.session.save()  # before the row is let go
    what = _("That isn't your PIN or password.") if with_pin else _("That isn't your password.")
    return what + " " + _("%(left)s tries are left.") % {"left": TRIES - tries}


def take_up(request: HttpRequest) -> HttpResponse | None:
    """What a form brought along to unlock; None when it may go on to where it was sent."""
    again = bool(request.POST.get("again"))
    problem = show(request)
    if problem == "over":
        return redirect_to_login("/")
    if problem:
        return ask(request, again=again, problem=problem)
    request.POST = _without(request.POST, SHOWN, CREDENTIAL, "again")  # type: ignore[assignment]
    return None


def _without(sent: QueryDict, *names: str) -> QueryDict:
    """The form's own fields."""
    own = sent.copy()
    for name in names:
        own.pop(name, None)
    return own


# --- once more before settings and exports -------------------------------------------------------


def recent(request: HttpRequest) -> bool:
    """Whether password or second factor was shown within the clinic's minutes."""
    if not settings.ASK_AGAIN:
        return True
    return abs(now() - last_shown(request)) < policies.get("ask_again_minutes") * 60


def last_shown(request: HttpRequest) -> float:
    """When password or second factor were shown last; 0 for never.

    The clinic's sign-in service counts where it asked anew: else it let pass whoever sat there.
    """
    records = get_authentication_records(request, request.user)
    return max(
        (r["at"] for r in records if r["method"] != "socialaccount" or r.get("fresh")), default=0.0
    )


def recently(*methods: str) -> Any:
    """View decorator, within `rights.needs`: who sits there showed it within the last minutes."""

    def decorate(view: Any) -> Any:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.method in methods and not recent(request):
                return ask(request, again=True)
            return view(request, *args, **kwargs)

        guarded.asks_again = methods
        return guarded

    return decorate


def back_to(request: HttpRequest, path: str) -> HttpResponse:
    """To a page of this site, or home."""
    return redirect(path if url_has_allowed_host_and_scheme(path, None) else "/")
