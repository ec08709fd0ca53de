from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from measures_app import alerts, followups
from measures_app.due import due_today
from measures_app.models import Administration, Measure
from sessions_app import clinic_time, rights, selectors
from sessions_app.models import Assignment, EntryLink, Meeting, Session
from sessions_app.views.schedule import day_of

BACKLOG_SHOWN = 5
ROWS_A_PAGE = 50
TOGETHER = (Meeting.Format.COUPLE, Meeting.Format.FAMILY, Meeting.Format.GROUP)


def _links_of(sessions: list[Session], user: Any) -> dict[int, list[EntryLink]]:
    """Each session's newest link of each respondent: sent, opened, not yet."""
    rows = EntryLink.objects.visible_to(user).filter(
        session__in=[session.pk for session in sessions], revoked_at=None
    )
    rows = rows.exclude(way=EntryLink.Way.TABLET).select_related("respondent").order_by("pk")
    newest = {(row.session_id, row.respondent_id): row for row in rows}
    found: dict[int, list[EntryLink]] = {}
    for (session_id, _respondent), link in newest.items():
        found.setdefault(session_id, []).append(link)
    return found


def _unsaid(user: Any) -> QuerySet[Session]:
    """Past sessions of one's own about which nobody has said anything, the newest first."""
    waiting = selectors.unconfirmed(user, clinic_time.today()).order_by("-held_on", "-pk")
    clinician = getattr(user, "clinician", None)
    return waiting if clinician is None else waiting.filter(meeting__clinicians=clinician)


@rights.needs("record_sessions")
def backlog(request: HttpRequest) -> HttpResponse:
    """Which past sessions wait to be entered? Each is entered here, or told in one tap."""
    keys = list(_unsaid(request.user).values_list("pk", flat=True))
    page = Paginator(keys, ROWS_A_PAGE).get_page(request.GET.get("page"))
    sessions = {session.pk: session for session in selectors.who_comes(page.object_list)}
    context = {"page": page, "sessions": [sessions[pk] for pk in page.object_list]}
    return render(request, "entry/backlog.html", context)


@rights.needs("record_sessions")
def today(request: HttpRequest) -> HttpResponse:
    """Who comes to me today, who has arrived, what is in already and what is due?"""
    day = day_of(request)
    clinician = getattr(request.user, "clinician", None)
    sessions = selectors.diary(day, request.user, clinician) if clinician else []
    scored = Administration.objects.scored().filter(session__in=[s.pk for s in sessions])
    kinds: dict[int, set[str]] = {}
    there: set[tuple[int, int, int]] = set()
    for session_id, measure_id, respondent_id, purpose in scored.values_list(
        "session_id", "measure_id", "respondent_id", "measure__purpose"
    ):
        is_alliance = purpose == Measure.Purpose.ALLIANCE
        kinds.setdefault(session_id, set()).add("alliance" if is_alliance else "outcome")
        there.add((session_id, measure_id, respondent_id))
    due = due_today(sessions)
    sent = _links_of(sessions, request.user)
    shared = Counter(session.meeting_id for session in sessions)
    rows = [
        {
            "session": session,
            "together": shared[session.meeting_id] > 1 or session.meeting.format in TOGETHER,
            "taken": kinds.get(session.pk, set()),
            "links": sent.get(session.pk, ()),
            "open": [
                form
                for form in due[session.pk]
                if (session.pk, form.measure.pk, form.respondent.pk) not in there
            ],
        }
        for session in sessions
    ]
    waiting = _unsaid(request.user).select_related("client__identity", "client__key", "meeting")
    newest = list(waiting[: BACKLOG_SHOWN + 1])
    due = []
    if clinician is not None:
        treated = Assignment.objects.filter(clinician=clinician, to_on=None).values("episode")
        reviews = followups.due_reviews(request.user).filter(episode__in=treated)
        due = followups.look(reviews)
    context = {
        "follow_ups": due,
        "alerts": alerts.waiting(request.user),
        "day": day,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        "ahead": day > clinic_time.today(),
        "is_today": day == clinic_time.today(),
        "rows": rows,
        "backlog": newest[:BACKLOG_SHOWN],
        "more_backlog": len(newest) > BACKLOG_SHOWN,
        "statuses": Session.Status,
    }
    return render(request, "entry/today.html", context)
