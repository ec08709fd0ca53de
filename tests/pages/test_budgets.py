"""How many queries each page may ask, and that rows don't add to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode
from tests.cast import BY, Clinic

# page -> (who opens it, queries at most). A page that needs more says why where it is raised.
BUDGETS: dict[str, tuple[str, int]] = {
    # What is due (plan, measures, courses, respondents, what was taken), decisions on their day,
    # answers that can't wait; which sessions, then who.
    "/today/": ("alice", 23),
    "/backlog/": ("alice", 13),
    "/schedule/": ("fred", 16),  # which sessions, then who; sites to choose from; tablets
    "/clients/": ("fred", 11),  # the newest are found before what is known of them
    "/clients/new/": ("fred", 14),
    "/waiting/": ("fred", 16),
    "/waiting/new/": ("fred", 13),
    # who stands in for whom; the alliance lately, decisions to look at again, what was measured
    "/caseload/": ("alice", 26),
    "/clients/{ana}/": ("alice", 29),  # how care may end, alerts
    "/clients/{ana}/sessions/new/": ("alice", 17),  # the plan, and how far the course is
    "/sessions/{session}/": ("alice", 19),  # whether it may be seen, then what belongs to it
    "/meetings/{meeting}/": ("alice", 20),
    # Decisions back on their day (3), what lapsed untaken, what waits below the line, alerts.
    "/review/": ("sofia", 23),
    "/review/{ana}/": ("sofia", 33),  # as the client page; colleagues; what followed others
    "/sessions/{session}/picture/": ("alice", 21),  # how care may end, alerts
    "/conferences/": ("sofia", 12),
    "/conferences/new/": ("sofia", 21),
    "/conferences/{conference}/": ("sofia", 33),  # the agenda's rows, and the queue to add from
    "/review/results/": ("sofia", 13),
    "/my-sign-ins/": ("alice", 12),
    "/messages/": ("alice", 18),  # each number that the weekly mail would say
    # Courses still looking for what helps; own numbers beside the clinic's, log, shares.
    "/team/": ("sofia", 21),
    "/practice/": ("alice", 25),
    "/agency/groups/": ("dora", 18),
    "/agency/flow/": ("dora", 18),
    "/agency/funnel/": ("dora", 22),  # the clinic's spread, and names in their order
    "/agency/": ("dora", 28),
    "/reports/{month}/": ("dora", 33),
    "/exports/": ("dora", 15),
    "/measures/": ("alice", 13),
    "/rules/": ("alice", 19),  # with one's own checkpoint, and proposals with their answers
    "/people/": ("adam", 19),  # what a new clinic still needs; places of a new role
    "/keys/": ("adam", 12),
    "/settings/webhooks/": ("adam", 12),
    "/absences/": ("sofia", 14),
    "/settings/": ("adam", 12),
    "/settings/statement/": ("adam", 10),
    "/settings/retention/": ("adam", 16),  # the preview, as the system
    "/emergency/": ("sofia", 11),
    "/clients/{ana}/rights/": ("alice", 21),  # whether it may be seen is asked apart
    "/settings/alerts/": ("adam", 13),
    "/audit/": ("adam", 11),
    "/import/": ("adam", 10),
}
# Each page of who treats or supervises looks for an alert that nobody has seen.
ON_EACH_PAGE = {"alice": 1, "sofia": 1}
MANY = 6
LISTS = (
    "/today/", "/backlog/", "/schedule/", "/clients/", "/waiting/", "/caseload/", "/review/",
)  # fmt: skip
# An episode's own course: worse at each session, so that the night has something to say.
COURSE = ((60, 24.0), (40, 18.0), (20, 11.0))


def _score(clinic: Clinic, episode: Any, session: Any, total: float) -> None:
    for code, value in (("outcome-adult", total), ("alliance-adult", 30.0)):
        measure_actions.record_administration(
            episode=episode,
            session=session,
            measure=measures.get_measure(code),
            total=value,
            provenance="paper",
            by=BY,
        )


def _add_clients(clinic: Clinic, how_many: int) -> list[str]:
    """Clients of Alice's: with a course, a session to be said of, and one booked today."""
    today, alice = clinic_time.today(), clinic.clinicians["alice"]
    codes = []
    for n in range(how_many):
        client = actions.register_client(
            by=BY, site=clinic.north, name=f"Person Number{n}", birth_year=1980
        )
        episode = actions.open_episode(
            client=client,
            programme=clinic.therapy,
            opened_on=today - timedelta(days=70),
            lead=alice,
            by=BY,
        )
        actions.receive_referral(
            client=client, programme=clinic.therapy, received_on=today - timedelta(days=n), by=BY
        )
        for days, total in COURSE:
            held = actions.record_session(
                episode=episode, held_on=today - timedelta(days=days), by=BY
            )
            _score(clinic, episode, held, total)
        for days in (5, 0):
            moment = clinic_time.at(today - timedelta(days=days), 9)
            actions.book_session(episode=episode, starts_at=moment, by=BY)
        user = actions.add_user(email=f"p{n}{client.code}@clinic.example", name=f"P{n}", by=BY)
        actions.grant_role(user=user, role="clinician", by=BY)
        other = actions.add_clinician(name=f"P{n}", user=user, by=BY)
        actions.supervise(supervisor=clinic.sofia, clinician=other, by=BY)
        actions.record_case_review(
            episode=clinic.episodes["ana"], decision="continue", by=clinic.alice
        )
        codes.append(client.code)
    return codes


def _counted(
    clinic: Clinic,
    browser_of: Callable[[str], Browser],
    conference: int,
    warm_up: bool = False,
) -> dict[str, int]:
    places = {
        "ana": clinic.ana.code,
        "session": clinic.sessions["ana"][0].pk,
        "meeting": clinic.sessions["ana"][0].meeting_id,
        "month": f"{clinic_time.today():%Y-%m}",
        "conference": conference,
    }
    found = {}
    for page, (who, _budget) in BUDGETS.items():
        browser = browser_of(who)
        if warm_up:  # what is read once a process isn't a page's own
            browser.get(page.format(**places))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert browser.get(page.format(**places)).status_code == 200, page
        found[page] = len(queries)
    return found


def test_a_page_asks_no_more_for_many_rows_than_for_one_and_keeps_its_budget(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(BY):
        measures.sync_library()
        for session, (_days, total) in zip(clinic.sessions["ana"][:3], COURSE, strict=True):
            _score(clinic, clinic.episodes["ana"], session, total)
        _add_clients(clinic, 1)
        run_night(clinic_time.today())
        conference = actions.call_conference(
            held_on=clinic_time.today(), episodes=[clinic.episodes["ana"]], by=clinic.sofia
        )
    few = _counted(clinic, browser_of, conference.pk, warm_up=True)
    with acting_as(BY):
        codes = _add_clients(clinic, MANY)
        for session in clinic.sessions["ana"][3:]:
            _score(clinic, clinic.episodes["ana"], session, 12.0)
        for episode in Episode.objects.filter(client__code__in=codes[: MANY // 2]):
            actions.add_to_conference(conference=conference, episode=episode, by=clinic.sofia)
        run_night(clinic_time.today())
    many = _counted(clinic, browser_of, conference.pk)
    for page in LISTS:
        rows = browser_of(BUDGETS[page][0]).get(page).content.decode()
        assert all(code in rows for code in codes), page
    assert many == few
    allowed = {p: n + ON_EACH_PAGE.get(who, 0) for p, (who, n) in BUDGETS.items()}
    assert {p: n for p, n in many.items() if n > allowed[p]} == {}
