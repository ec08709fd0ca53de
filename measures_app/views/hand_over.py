"""The clinic's own device in the client's hands: this one form, and a PIN to come back.

Handing over ends the clinician's session on the server; the one that takes its place belongs to
nobody and knows one link. The PIN is kept in it as a hash and may be tried five times; after
that the way back is the sign-in.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.sessions.models import Session as StoredSession
from django.core.validators import RegexValidator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from measures_app.feedback import feedback_on
from measures_app.models import Administration
from measures_app.views.answering import Answering, answer, asked_by, crisis_text_for
from measures_app.views.links import chosen, links_page, registered_session_or_404
from sessions_app import actions, audit, links, presence, rights
from sessions_app.context import ANONYMOUS, speaking_as
from sessions_app.models import Respondent, User
from sessions_app.second_factor import BACKEND
from sessions_app.views.sign_in import STAYS_AT

HELD = "hand_over"
TRIES = 5


class PinForm(forms.Form):
    """A number that the clinician chooses at each handing over."""

    pin = forms.CharField(
        label=gettext_lazy("A PIN for coming back"),
        validators=[RegexValidator(r"^[0-9]{4,8}\Z", gettext_lazy("Four to eight digits."))],
        widget=forms.PasswordInput(
            attrs={"inputmode": "numeric", "autocomplete": "off"}, render_value=False
        ),
    )


@rights.needs("enter_scores")
@require_POST
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Give this device to the client: from here on it opens one form and nothing else."""
    session = registered_session_or_404(pk, request.user)
    who = chosen(request, session)
    form = PinForm(request.POST)
    if not form.is_valid():
        return links_page(request, session, status=422, pin=form, handing_to=who)
    link, _token = actions.make_link(
        session=session, respondent=who, by=request.user, hand_over=True
    )
    held = {
        "link": link.pk,
        "session": session.pk,
        "user": request.user.pk,
        "pin": make_password(form.cleaned_data["pin"]),
        "tries": 0,
        "done": False,
        "began": presence.began_at(request),
    }
    request.session.flush()  # whoever holds the old cookie holds nothing
    request.session[HELD] = held
    request.session[STAYS_AT] = reverse("hand_over", args=[link.pk])
    response = redirect("hand_over", link.pk)
    # Nothing of the clinician's pages is left to go back to.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _held(request: HttpRequest, pk: int) -> dict[str, Any]:
    held = request.session.get(HELD)
    if held is None or held["link"] != pk:
        raise Http404
    return dict(held)


def _held_alone(request: HttpRequest, pk: int) -> dict[str, Any]:
    """The same, with the session's row held: many tries at once are counted one by one."""
    _held(request, pk)
    row = StoredSession.objects.select_for_update().filter(pk=request.session.session_key).first()
    held = row.get_decoded().get(HELD) if row is not None else None
    if held is None:
        raise Http404
    return dict(held)


def _remember(request: HttpRequest, held: dict[str, Any], **changes: Any) -> None:
    """Kept with the request's own writes; a session that was ended meanwhile stays ended."""
    request.session[HELD] = held | changes
    request.session.overwrite()  # type: ignore[attr-defined]  # sessions_app/at_each_request.py


def page(request: HttpRequest, pk: int) -> HttpResponse:
    """The client's form, large and alone; then their picture, until the PIN brings it back."""
    held = _held(request, pk)
    found = asked_by(pk, handed_over=True)
    if found is None:
        return _end(request, pk, None, late=False)
    link, session, person, asked = found

    def done(late: bool, status: int) -> HttpResponse:
        if not held["done"]:
            _remember(request, held, done=True)
        crisis = crisis_text_for(session, person, asked)
        return _end(
            request, pk, person, late=late, status=status, session=session, crisis=crisis,
            attended=asked.attended,
        )  # fmt: skip

    def left() -> HttpResponse:
        return render(request, "entry/declined.html", {"pin": PinForm(), "link": pk})

    if held["done"] and request.method != "POST":
        return done(False, 200)
    provenance = Administration.Provenance.CLINIC_TABLET
    way_back = reverse("hand_over_back", args=[pk])
    way = Answering(link, session, person, asked, provenance, True, done, way_back, left)
    with speaking_as(links.holder_of(pk)):
        return answer(request, way)


def _end(
    request: HttpRequest,
    pk: int,
    person: Respondent | None,
    *,
    late: bool,
    status: int = 200,
    session: Any = None,
    crisis: str = "",
    pin: PinForm | None = None,
    attended: list[tuple[int, date]] | None = None,
) -> HttpResponse:
    """Thanks, the client's own picture (a carer sees none), and the way back."""
    feedback = None
    with translation.override(person.language if person else translation.get_language()):
        if person is not None and person.relation == Respondent.Relation.SELF:
            with speaking_as(links.holder_of(pk)):  # sees this respondent's answers alone
                feedback = feedback_on(session, expected=person.sees_expected, attended=attended)
        context = {
            "late": late,
            "feedback": feedback,
            "crisis": crisis,
            "pin": pin or PinForm(),
            "link": pk,
        }
        return render(request, "entry/handed_over.html", context, status=status)


def _tries_left(tries: int) -> str:
    left = ngettext(
        "That isn't the PIN. %(left)s try is left.",
        "That isn't the PIN. %(left)s tries are left.",
        tries,
    )
    return left % {"left": tries}


def _ask_pin(request: HttpRequest, held: dict[str, Any], pin: PinForm, status: int) -> HttpResponse:
    """Ask for the PIN: below what the client sees at the end, or alone while they still answer.

    In their language, and with the crisis text where it stood: the device is in their hands.
    """
    pk = held["link"]
    found = asked_by(pk, handed_over=True)
    if found is None:
        return _end(request, pk, None, late=False, status=status, pin=pin)
    _link, session, person, asked = found
    if held["done"]:
        crisis = crisis_text_for(session, person, asked)
        return _end(
            request, pk, person, late=False, status=status, session=session, crisis=crisis, pin=pin,
            attended=asked.attended,
        )  # fmt: skip
    with translation.override(person.language):
        return render(request, "entry/give_back.html", {"link": pk, "pin": pin}, status=status)


@require_http_methods(["GET", "POST"])
def come_back(request: HttpRequest, pk: int) -> HttpResponse:
    """The PIN gives the clinician their own session again; five wrong ones end this one."""
    if request.method == "GET":  # the client gives the device back without having sent
        return _ask_pin(request, _held(request, pk), PinForm(), 200)
    held = _held_alone(request, pk)
    user = User.objects.filter(pk=held["user"], is_active=True).first()
    form = PinForm(request.POST)
    right = form.is_valid() and check_password(form.cleaned_data["pin"], held["pin"])
    if right and user is not None:
        request.session.flush()
        login(request, user, backend=BACKEND)
        presence.begin(request, user, began=held["began"])
        return redirect("session_picture", held["session"])
    tries = held["tries"] + 1
    audit.record("PIN refused", by=ANONYMOUS, tries=tries)
    if tries >= TRIES or user is None:
        request.session.flush()
        return redirect("sign_in")
    _remember(request, held, tries=tries)  # before the row is let go
    form.errors["pin"] = form.error_class([lazy(_tries_left, str)(TRIES - tries)])
    return _ask_pin(request, held, form, 422)
