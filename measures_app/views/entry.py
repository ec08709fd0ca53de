from __future__ import annotations

import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from measures_app import alerts
from measures_app.actions.sessions import record_session_with_measures
from measures_app.due import Desk, Due
from measures_app.feedback import feedback_on
from measures_app.forms import SessionForm
from measures_app.models import Administration
from measures_app.notes import starters
from sessions_app import access, actions, audit, clinic_time, presence, rights
from sessions_app.forms import add_problems
from sessions_app.models import Episode, Respondent, Session
from sessions_app.prepared import Prepared
from sessions_app.submissions import KeyReused, once, replayed

OK, UNPROCESSABLE, CONFLICT = 200, 422, 409
NOT_THE_BODY = ("csrfmiddlewaretoken", "key")


def _episode_of(code: str, user: Any) -> Episode:
    """A client's open episode; absent too where the client is out of scope."""
    # What the database lets through, then whether it is in scope: each by a plan made once.
    found: list[Episode] = _OPEN.objects([code])
    if found:
        seen = access.episodes_seen(user, found[0].client_id)
        for episode in found:
            if episode.pk in seen:
                return episode
    raise Http404


_OPEN = Prepared(
    lambda codes: (
        Episode.objects.filter(client__code__in=codes, closed_on=None)
        .select_related("client__identity", "client__key", "site")
        .order_by("-opened_on", "-pk")
    )
)
_SESSION = Prepared(
    lambda pks: Session.objects.filter(pk__in=pks).select_related(
        "meeting", "episode__client__identity", "episode__client__key", "episode__site"
    )
)


def session_or_404(pk: int, user: Any) -> Session:
    for session in _SESSION.objects([pk]):
        if session.episode_id in access.episodes_seen(user, session.client_id):
            found: Session = session
            return found
    raise Http404


def _there(session: Session | None) -> list[Administration]:
    """What was answered at the session already, in full or in part."""
    if session is None:
        return []
    return list(
        Administration.objects.current()
        .filter(session=session, not_taken="")
        .select_related("measure", "respondent")
    )


def _page(
    request: HttpRequest,
    form: SessionForm,
    episode: Episode,
    status: int = OK,
    kept: Any = None,
    more: bool = False,
) -> HttpResponse:
    context = {
        "form": form,
        "episode": episode,
        "client": episode.client,
        "there": _there(form.session),
        "same_day": _same_day(form, episode),
        "kept": kept,
        "more_if_last": more,
    }
    return render(request, "entry/session.html", context, status=status)


def _same_day(form: SessionForm, episode: Episode) -> Session | None:
    if "another" not in form.errors:
        return None
    return episode.sessions.filter(held_on=form.cleaned_data["held_on"]).first()


def _body(request: HttpRequest, episode: Episode) -> dict[str, Any]:
    """What identifies a submission: all that was sent, whatever is due by the time it is read."""
    sent = {name: request.POST.getlist(name) for name in request.POST if name not in NOT_THE_BODY}
    return {**sent, "episode": episode.pk}


def _keep(request: HttpRequest, form: SessionForm, episode: Episode) -> HttpResponse:
    given = form.cleaned_data

    def perform() -> int:
        session = record_session_with_measures(
            episode=episode,
            session=form.session,
            held_on=given["held_on"],
            starts_at=form.starts_at(),
            status=given["status"],
            obstacle=given["obstacle"],
            minutes=given["minutes"],
            kind=given["kind"],
            format=given["format"],
            telehealth=given["telehealth"],
            another=given.get("another", True),
            readings=[(due, form.answers_to(due)) for due in form.due],
            by=request.user,
        )
        said = (given["where"], given["call_back"])
        if any(said) or session.whereabouts_sealed:
            session.client = episode.client  # whose key seals it
            actions.note_whereabouts(
                session=session, where=said[0], call_back=said[1], by=request.user
            )
        return session.pk

    try:
        kept = once(
            key=given["key"], body=_body(request, episode), by=request.user, perform=perform
        )
    except KeyReused:
        return _reused(request, form, episode)
    except ValidationError as problem:
        add_problems(form, problem)
        status = CONFLICT if "another" in form.errors else UNPROCESSABLE
        return _page(request, form, episode, status)
    return _to_picture(request, kept.result)


def _to_picture(request: HttpRequest, session_id: int) -> HttpResponse:
    """A page that sends by itself, to lose nothing on the way, is told where to go on."""
    if presence.wants_json(request):
        return JsonResponse({"next": reverse("session_picture", args=[session_id])})
    return redirect("session_picture", session_id)


def _sent_before(request: HttpRequest, form: SessionForm, episode: Episode) -> HttpResponse | None:
    """The answer to a form that was sent before; None for one that comes for the first time."""
    try:
        key = uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        return None  # the form says so
    try:
        kept = replayed(key=key, body=_body(request, episode), by=request.user)
    except KeyReused:
        return _reused(request, form, episode)
    return None if kept is None else _to_picture(request, kept.result)


def _reused(request: HttpRequest, form: SessionForm, episode: Episode) -> HttpResponse:
    """What was typed stays on the page, under a new key: it can be sent as what it is."""
    form.data = form.data.copy()
    form.data["key"] = str(uuid.uuid4())
    form.full_clean()
    form.add_error(
        None,
        _(
            "This form was sent before with other answers, and those are kept. What is "
            "below now is not: correct the kept scores, or send it as a further session."
        ),
    )
    return _page(request, form, episode, CONFLICT)


def _refuse_taken(form: SessionForm, taken: list[Due], there: list[Administration]) -> None:
    """Someone else, or another tab, was first: what was typed stays to be compared."""
    totals = {(row.measure_id, row.respondent_id): row.total for row in there}
    for due in taken:
        if form.typed_for(due):
            first = next(name for name in form.fields if name.startswith(f"{due.key}_"))
            form.add_error(
                first,
                _(
                    "“%(title)s” was entered for this session meanwhile: %(total)s. What you "
                    "typed isn't kept: clear it, and correct the score if yours is right."
                )
                % {"title": due.title, "total": totals[(due.measure.pk, due.respondent.pk)]},
            )


def _enter(request: HttpRequest, episode: Episode, session: Session | None) -> HttpResponse:
    day = session.held_on if session else clinic_time.today()
    desk = Desk([episode])
    last = request.GET.get("last") == "1"
    due = desk.due_at(episode, day, session, last)
    there = _there(session)
    scored = {(row.measure_id, row.respondent_id) for row in there}
    taken = [d for d in due if (d.measure.pk, d.respondent.pk) in scored]
    if request.method != "POST":
        audit.client_read(episode.client, "session entry")
        open_ones = [d for d in due if d not in taken]
        # Asked only where the plan has something for the end of care.
        more = not last and len(desk.due_at(episode, day, session, last=True)) > len(due)
        return _page(request, SessionForm(due=open_ones, session=session), episode, more=more)
    form = SessionForm(request.POST, due=due, session=session)
    if there or not form.is_valid():
        # Where nothing stands in the way, keeping it finds out.
        before = _sent_before(request, form, episode)
        if before is not None:
            return before
    if form.is_valid():
        _refuse_taken(form, taken, there)
        if there and form.cleaned_data["status"] != Session.Status.ATTENDED:
            form.add_error("status", _("There are answers from this session: it was attended."))
        if form.is_valid():
            return _keep(request, form, episode)
        return _page(request, form, episode, CONFLICT)
    return _page(request, form, episode, UNPROCESSABLE)


@rights.needs("enter_scores")
def new(request: HttpRequest, code: str) -> HttpResponse:
    """How was the session? Attendance and both measures of a session that wasn't booked."""
    return _enter(request, _episode_of(code, request.user), None)


@rights.needs("enter_scores")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The same for a booked session; scores that are there already aren't asked again."""
    session = session_or_404(pk, request.user)
    session.client = session.episode.client
    return _enter(request, session.episode, session)


@rights.needs("see_clinical")
def picture(request: HttpRequest, pk: int) -> HttpResponse:
    """Where does it stand now? To be looked at together: the client's own series, no alarms."""
    session = session_or_404(pk, request.user)
    audit.client_read(session.episode.client, "picture")
    rows = list(
        Administration.objects.current()
        .filter(session=session)
        .select_related("measure", "respondent")
    )
    client = session.episode.client
    expected = client.respondents.get(relation=Respondent.Relation.SELF).sees_expected
    together = feedback_on(session, expected=expected)
    context = {
        "session": session,
        "client": session.episode.client,
        "feedback": together,
        "note": "\n".join(starters(session, together, rows)),
        "rows": rows,
        "alerts": alerts.waiting(request.user, session.episode),
        "self": Respondent.Relation.SELF,
        "may_enter": rights.may(request.user, "enter_scores"),
    }
    return render(request, "entry/picture.html", context)
