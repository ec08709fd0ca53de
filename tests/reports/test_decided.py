"""What came of decisions and transfers: for a client like others, and for the clinic."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import decided, measures
from measures_app.models import FollowUp, Trajectory
from measures_app.psychometrics.decisions import FEWEST
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as, system
from tests.cast import BY, Clinic
from tests.stage import scene

AFTER = 3.0  # every decision of these tests was followed by so much above its forecast


def _scored(clinic: Clinic, name: str, totals: tuple[float, ...]) -> None:
    measure = measures.get_measure("outcome-adult")
    for session, total in zip(clinic.sessions[name], totals, strict=False):
        measure_actions.record_administration(
            episode=clinic.episodes[name],
            session=session,
            measure=measure,
            total=total,
            provenance="paper",
            by=BY,
        )


def _decided(clinic: Clinic, name: str, decision: str, times: int, **changes: Any) -> None:
    """Decisions of long ago about one course, each with the forecast that was stored then."""
    course = Trajectory.objects.get(episode=clinic.episodes[name], measure__code="outcome-adult")
    at = course.t[2]
    after = dict(zip(course.t, course.scores, strict=True))
    for _ in range(times):
        review = actions.record_case_review(
            episode=clinic.episodes[name],
            decision=decision,
            note="seen together",
            reviewed_on=clinic_time.today() - timedelta(days=30),
            by=clinic.alice,
        )
        ahead = [t for t in course.t if t > at]
        row = {
            "review": review,
            "episode": clinic.episodes[name],
            "measure": course.measure,
            "respondent_id": course.respondent_id,
            "t": at,
            "score": after[at],
            "forecast_t": ahead,
            "forecast_mean": [after[t] - AFTER for t in ahead],
            "forecast_low80": [after[t] - AFTER - 4 for t in ahead],
            "forecast_high80": [after[t] - AFTER + 4 for t in ahead],
            **changes,
        }
        FollowUp.objects.create(**row)


@scene
def courses(clinic: Clinic) -> Clinic:
    """Ana, about whom much was decided, and Boris, who stands as she stood."""
    measures.sync_library()
    _scored(clinic, "ana", (16.0, 17.0, 18.0, 19.0, 20.0))
    _scored(clinic, "boris", (16.0, 17.0, 18.0))
    run_night(clinic_time.today())
    return clinic


def _main(clinic: Clinic, name: str) -> Any:
    from measures_app.picture import pictures_of

    return pictures_of(clinic.episodes[name])[0].series


def _of(results: Any, decision: str) -> Any:
    return next(option for option in results.options if option.decision == decision).followed


def test_what_followed_is_the_score_against_the_forecast_of_the_day(courses: Clinic) -> None:
    with acting_as(BY):
        _decided(courses, "ana", "change_approach", FEWEST)
        _decided(courses, "ana", "consult", FEWEST - 1)
        found = decided.alike(_main(courses, "boris"))
    assert found is not None
    changed = _of(found, "change_approach")
    assert (changed.n, changed.compared, changed.difference.value) == (FEWEST, FEWEST, AFTER)
    assert not _of(found, "consult").says_something
    assert [o.decision for o in found.options] == [
        "continue", "change_approach", "consult", "transfer", "refer", "end", "scores_dont_fit",
    ]  # fmt: skip


def test_ones_own_decisions_and_those_of_clients_unlike_are_left_out(courses: Clinic) -> None:
    with acting_as(BY):
        _decided(courses, "boris", "consult", 3)
        _decided(courses, "ana", "consult", 2, score=36.0)
        found = decided.alike(_main(courses, "boris"))
    assert found is not None
    assert _of(found, "consult").n == 0


def test_the_page_says_too_few_and_then_what_followed(courses: Clinic) -> None:
    browser = Browser()
    browser.force_login(courses.alice)
    page = f"/review/{courses.boris.code}/"
    assert "Too few to say" in browser.get(page).content.decode()
    with acting_as(BY):
        _decided(courses, "ana", "change_approach", FEWEST)
    text = browser.get(page).content.decode()
    assert "+3.0" in text
    assert "people who were offered this differed" in text


def test_each_sees_the_results_of_their_own_scope(courses: Clinic) -> None:
    """Ana is Alice's; Carol has never seen her; a director reads the whole clinic."""
    with acting_as(BY):
        _decided(courses, "ana", "change_approach", FEWEST)
    for name, sees in (("alice", True), ("carol", False), ("dora", True)):
        browser = Browser()
        browser.force_login(getattr(courses, name))
        assert ("+3.0" in browser.get("/review/results/").content.decode()) is sees, name


def test_a_director_sees_no_count_below_the_clinics_limit(courses: Clinic) -> None:
    with acting_as(BY):
        _decided(courses, "ana", "change_approach", FEWEST)
        _decided(courses, "ana", "consult", 3)
    browser = Browser()
    browser.force_login(courses.dora)
    assert "fewer than 8" in browser.get("/review/results/").content.decode()


def test_a_transfer_is_matched_to_the_next_first_session(courses: Clinic) -> None:
    today, reader = clinic_time.today(), system("tests")
    with acting_as(BY):
        actions.transfer_episode(
            episode=courses.episodes["ana"],
            to=courses.clinicians["carol"],
            on=today - timedelta(days=10),
            reason="moved",
            by=courses.sofia,
        )
        found = decided.transfers(reader, today - timedelta(days=365))
        later = decided.transfers(reader, today - timedelta(days=365), today + timedelta(days=90))
    before = found.judged - found.lost
    assert (found.n, later.n) == (found.n, found.n)
    assert later.judged - later.lost == before
    assert found.days is None, "fewer than fifteen"


def test_a_session_with_the_former_clinician_is_not_the_first_of_a_transfer(
    courses: Clinic,
) -> None:
    today, reader = clinic_time.today(), system("tests")
    episode, carol = courses.episodes["ana"], courses.clinicians["carol"]
    long_ago, ahead = today - timedelta(days=365), today + timedelta(days=90)
    with acting_as(BY):
        lost = decided.transfers(reader, long_ago, ahead).lost
        actions.transfer_episode(
            episode=episode, to=carol, on=today - timedelta(days=10), reason="moved", by=BY
        )
        for days, whose, more in ((6, courses.clinicians["alice"], 1), (3, carol, 0)):
            actions.record_session(
                episode=episode, held_on=today - timedelta(days=days), clinicians=[whose], by=BY
            )
            assert decided.transfers(reader, long_ago, ahead).lost == lost + more


def test_counting_transfers_by_hand() -> None:
    today = clinic_time.today()
    long_ago = today - timedelta(days=100)
    rows = [(long_ago, long_ago + timedelta(days=n)) for n in range(15)]
    rows += [(long_ago, None)] * 5 + [(today - timedelta(days=3), None)] * 4
    found = decided._count(rows, today)
    assert (found.n, found.judged, found.lost, found.seen, found.days) == (24, 20, 5, 15, 7)
    assert found.lost_share.value == 0.25
