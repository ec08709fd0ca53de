"""Sessions after the second checkpoint without reliable improvement: the clinician's first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app import still_looking
from reports_app.nightly import run_night
from reports_app.views.agency import this_month
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Episode
from tests.cast import BY, Clinic
from tests.reports.conftest import browser_text, score
from tests.stage import scene

TODAY = clinic_time.today()
FLAT, UP = (15.0, 15.5, 14.5, 15.0), (15.0, 20.0, 26.0, 30.0)


def in_care(
    clinic: Clinic, sessions: int, totals: tuple[float, ...], lead: str = "alice", **more: Any
) -> Episode:
    client = actions.register_client(by=BY, site=clinic.north, name="Some Body", birth_year=1980)
    episode = actions.open_episode(
        client=client, programme=clinic.therapy, lead=clinic.clinicians[lead],
        opened_on=TODAY - timedelta(days=sessions + 1), by=BY, **more,
    )  # fmt: skip
    for n in range(sessions):
        held = actions.record_session(
            episode=episode, held_on=TODAY - timedelta(days=sessions - n), by=BY
        )
        if n < len(totals):
            score(episode, held, "outcome-adult", totals[n])
    return episode


def decide(episode: Episode, clinic: Clinic, decision: str = "continue") -> None:
    measure_actions.decide(episode=episode, decision=decision, note="x", by=clinic.sofia)


@scene
def looking(clinic: Clinic) -> Clinic:
    """The second checkpoint is session 3.

    Six sessions flat and nothing decided; five flat and decided twice after the fourth; six and
    much better; six with one score; six to stay well; six flat but with no room to improve;
    three flat; six flat with Bob; ended after six.
    """
    actions.set_policy(key="first_checkpoint", value=2, by=clinic.adam)
    actions.set_policy(key="second_checkpoint", value=3, by=clinic.adam)
    measures.sync_library()
    in_care(clinic, 6, FLAT)
    clinic.decided = in_care(clinic, 4, FLAT)
    decide(clinic.decided, clinic)
    decide(clinic.decided, clinic)
    held = actions.record_session(episode=clinic.decided, held_on=TODAY, by=BY)
    score(clinic.decided, held, "outcome-adult", 15.0)
    in_care(clinic, 6, UP)
    in_care(clinic, 6, (15.0,))
    in_care(clinic, 6, FLAT, purpose="stay_well")
    in_care(clinic, 6, (38.0, 38.0))
    in_care(clinic, 3, FLAT[:3])
    in_care(clinic, 6, FLAT, lead="bob")
    ended = in_care(clinic, 6, FLAT)
    actions.close_episode(episode=ended, on=TODAY, ending="agreed", by=BY)
    run_night(TODAY)
    return clinic


def test_sessions_are_counted_from_the_checkpoint_in_all_and_before_a_decision(
    looking: Clinic,
) -> None:
    with acting_as(looking.alice):
        found = still_looking.of_clinician(looking.clinicians["alice"])
    assert (found.measured, found.episodes, found.unmeasured) == (3, 2, 2)  # Ana, too, has no score
    # 6 - 3 and 5 - 3 sessions; of the second one the fourth came before the decision.
    assert (found.sessions, found.undecided, found.repeated) == (5, 4, 1)
    assert round(found.share, 3) == 0.667


def test_a_decision_before_the_checkpoint_leaves_nothing_undecided(looking: Clinic) -> None:
    with acting_as(BY):
        early = in_care(looking, 2, FLAT[:2])
        decide(early, looking, "change_approach")
        for _ in range(4):
            actions.record_session(episode=early, held_on=TODAY, by=BY)
        run_night(TODAY)
        found = still_looking.of_clinician(looking.clinicians["alice"])
    one = next(one for one in found.found if one.episode_id == early.pk)
    assert (one.since, one.undecided, one.continued) == (3, 0, 0)


def test_the_clinician_sees_their_own_first_and_nobody_elses(
    looking: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    text = browser_text(browser_of("alice"), "/practice/")
    assert "2 of 3 measured courses of care past session 3 show no reliable improvement yet" in text
    assert "Sessions given in them since: 5, of which 4 before any decision was recorded." in text
    assert "In 1 “continue as we are” was decided more than once." in text
    assert "1 of 1 measured" in browser_text(browser_of("bob"), "/practice/")
    assert "Nobody's care is past session 3 yet." in browser_text(browser_of("ruth"), "/practice/")


def test_the_clinics_number_is_withheld_while_it_is_of_few(
    looking: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    door = f"/agency/?month={this_month()}"
    assert "Too few courses of care past session 3" in browser_text(browser_of("dora"), door)
    with acting_as(BY):
        actions.set_policy(key="small_cell_limit", value=3, by=looking.adam)
    text = browser_text(browser_of("dora"), door)
    assert "3 of 4 measured courses of care past session 3" in text
    assert "Sessions given in them since: 8, of which 7 before" in text
    for name in ("Alice", "Bob"):
        assert name not in text
