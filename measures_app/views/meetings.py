"""Couples, families and groups: one meeting, each respondent with their own form and series."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from measures_app.due import Due, due_today
from measures_app.models import Administration
from sessions_app import access, audit
from sessions_app.models import Session


def _people(due: list[Due], there: list[Administration]) -> list[dict[str, Any]]:
    """Each respondent with what is in and what is still open."""
    answered = {(row.measure_id, row.respondent_id) for row in there}
    found: dict[int, dict[str, Any]] = {}
    for person in [*(row.respondent for row in there), *(form.respondent for form in due)]:
        found.setdefault(person.pk, {"person": person, "answered": [], "open": []})
    for row in there:
        found[row.respondent_id]["answered"].append(row.measure.title)
    for form in due:
        if (form.measure.pk, form.respondent.pk) not in answered:
            found[form.respondent.pk]["open"].append(form.title)
    return list(found.values())


@access.needs("enter_scores")
def meeting(request: HttpRequest, pk: int) -> HttpResponse:
    """Who is in this meeting, and whose answers are in? Those whom the reader may see, alone."""
    sessions = list(
        Session.objects.visible_to(request.user)
        .filter(meeting=pk)
        .select_related("meeting", "episode", "client__identity", "client__key")
        .order_by("pk")
    )
    if not sessions:
        raise Http404
    due = due_today(sessions)
    there: dict[int, list[Administration]] = {}
    rows = Administration.objects.current().filter(
        session__in=[session.pk for session in sessions], not_taken=""
    )
    for row in rows.select_related("measure", "respondent").order_by("pk"):
        there.setdefault(row.session_id or 0, []).append(row)
    for session in sessions:
        audit.client_read(session.client, "meeting")
    context = {
        "meeting": sessions[0].meeting,
        "held_on": sessions[0].held_on,
        "places": [
            {"session": session, "people": _people(due[session.pk], there.get(session.pk, []))}
            for session in sessions
        ],
    }
    return render(request, "entry/meeting.html", context)
