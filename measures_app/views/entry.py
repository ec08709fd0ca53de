from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from measures_app.actions.sessions import record_session_with_measures
from measures_app.due import due_at
from measures_app.forms import SessionForm
from measures_app.models import Administration
from sessions_app import access, audit, clinic_time
from sessions_app.forms import add_problems
from sessions_app.models import Client, Episode, Session
from sessions_app.submissions import KeyReused, once

OK, UNPROCESSABLE, CONFLICT = 200, 422, 409


def _episode_of(client: Client, user: Any) -> Episode:
    episode = (
        Episode.objects.visible_to(user)
        .filter(client=client, closed_on=None)
        .select_related("client__identity", "client__key", "site")
        .order_by("-opened_on", "-pk")
        .first()
    )
    if episode is None:
        raise Http404
    return episode


def _page(
    request: HttpRequest, form: SessionForm, episode: Episode, status: int = OK
) -> HttpResponse:
    context = {"form": form, "episode": episode, "client": episode.client}
    return render(request, "entry/session.html", context, status=status)


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
            readings=[(due, form.answers_to(due)) for due in form.due],
            by=request.user,
        )
        return session.pk

    try:
        body = {**form.body(), "episode": episode.pk}
        once(key=given["key"], body=body, by=request.user, perform=perform)
    except KeyReused:
        form.add_error(
            None, _("This form was sent before with other answers; those stand. Look again.")
        )
        return _page(request, form, episode, CONFLICT)
    except ValidationError as problem:
        add_problems(form, problem)
        return _page(request, form, episode, UNPROCESSABLE)
    messages.success(request, _("Kept."))
    return redirect(episode.client)


def _enter(request: HttpRequest, episode: Episode, session: Session | None) -> HttpResponse:
    day = session.held_on if session else clinic_time.today()
    due = due_at(episode, day, session)
    if session is not None:
        taken = {
            (row.measure_id, row.respondent_id)
            for row in Administration.objects.scored().filter(session=session)
        }
        due = [d for d in due if (d.measure.pk, d.respondent.pk) not in taken]
    if request.method != "POST":
        audit.client_read(episode.client, "session entry")
        return _page(request, SessionForm(due=due, session=session), episode)
    form = SessionForm(request.POST, due=due, session=session)
    if not form.is_valid():
        return _page(request, form, episode, UNPROCESSABLE)
    return _keep(request, form, episode)


@access.needs("enter_scores")
def new(request: HttpRequest, code: str) -> HttpResponse:
    """How was the session? Attendance and both measures of a session that wasn't booked."""
    client = Client.objects.visible_to(request.user).filter(code=code).first()
    if client is None:
        raise Http404
    return _enter(request, _episode_of(client, request.user), None)


@access.needs("enter_scores")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The same for a booked session; scores that are there already aren't asked again."""
    session = (
        Session.objects.visible_to(request.user)
        .select_related(
            "meeting", "episode__client__identity", "episode__client__key", "episode__site"
        )
        .filter(pk=pk)
        .first()
    )
    if session is None:
        raise Http404
    return _enter(request, session.episode, session)
