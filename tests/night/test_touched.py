"""A night that reads what was touched leaves what one that reads everything would leave."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from measures_app import actions as measure_actions
from measures_app import fitting, measures, steps, touched_episodes
from measures_app.models import ExpectedChangeModel, Flag, TouchedEpisode, Trajectory
from reports_app import nightly
from reports_app.models import EpisodeSummary
from sessions_app import actions, clinic_time
from sessions_app.models import Client, Episode, Meeting, Session
from tests.cast import BY, Clinic

from .stories import Story, add_score, add_session, bring, days, tell

# A row that nothing touched keeps its day; moments and numbers of rows differ.
APART = {"id", "as_of", "rule_set_id"}
NOW = timezone.now


class World:
    """A few courses of care, a clock that goes on, and nights."""

    def __init__(self, clinic: Clinic, stories: list[Story]) -> None:
        self.clinic, self.stories, self.passed = clinic, stories, 0
        self.n = 10

    def now(self) -> Any:
        return NOW() + timedelta(days=self.passed)

    def night(self, *, late: int = 0) -> int:
        """Bring all blocks up to date; how many episodes were read."""
        day = clinic_time.today() - timedelta(days=late)
        blocks = {steps.block_of(pk).start for pk in Episode.objects.values_list("pk", flat=True)}
        done = [nightly.bring_up_to_date(steps.block_of(start), day) for start in sorted(blocks)]
        return sum(one["changed"] for one in done)

    def said(self) -> dict[str, list[tuple[Any, ...]]]:
        found = {}
        for model in (Trajectory, EpisodeSummary, Flag):
            timeless = [f for f in model._meta.fields if not f.attname.endswith(("_at", "_sealed"))]
            names = [field.attname for field in timeless if field.attname not in APART]
            found[model.__name__] = sorted(model.objects.values_list(*names), key=repr)
        return found


def come(world: World, story: Story, k: int) -> None:
    world.n += 1
    day = clinic_time.today() - timedelta(days=k)
    session = add_session(story, day, world.n)
    story.scores.append(add_score(story, session, 10 + 3 * k, known_on=clinic_time.today()))


def stay_away(world: World, story: Story, k: int) -> None:
    day = clinic_time.today() - timedelta(days=k)
    actions.record_session(episode=story.episode, held_on=day, status="no_show", by=BY)


def book(world: World, story: Story, k: int) -> None:
    at = clinic_time.at(clinic_time.today() + timedelta(days=k + 1), 11)
    story.sessions.append(actions.book_session(episode=story.episode, starts_at=at, by=BY))


def say_they_came(world: World, story: Story, k: int) -> None:
    booked = [s for s in story.sessions if Session.objects.get(pk=s.pk).status == "booked"]
    if booked:
        actions.attend(session=Session.objects.get(pk=booked[0].pk), by=BY)


def correct(world: World, story: Story, k: int) -> None:
    right = measure_actions.correct_administration(
        administration=story.scores[-1], total=12 + 2 * k, reason="misread", by=BY
    )
    story.scores[-1] = right


def void(world: World, story: Story, k: int) -> None:
    measure_actions.void_administration(
        administration=story.scores.pop(), reason="another's", by=world.clinic.alice
    )


def end(world: World, story: Story, k: int) -> None:
    day = clinic_time.today() - timedelta(days=k)
    actions.close_episode(episode=story.episode, on=day, ending="agreed", by=BY)


def hand_over(world: World, story: Story, k: int) -> None:
    to = world.clinic.clinicians[("bob", "ruth", "alice")[k % 3]]
    on = clinic_time.today() - timedelta(days=k // 2)
    actions.transfer_episode(episode=story.episode, to=to, on=on, reason="moved", by=BY)


def put_the_client_right(world: World, story: Story, k: int) -> None:
    Client.objects.filter(pk=story.client.pk).update(birth_year=1950 + 7 * k)


def move_a_session(world: World, story: Story, k: int) -> None:
    day = story.sessions[-1].held_on + timedelta(days=k - 2)
    Session.objects.filter(pk=story.sessions[-1].pk).update(held_on=day)


def call_it_a_crisis(world: World, story: Story, k: int) -> None:
    Meeting.objects.filter(sessions=story.sessions[1].pk).update(kind="crisis")


def date_a_score_ahead(world: World, story: Story, k: int) -> None:
    session, day = story.sessions[-1], clinic_time.today() + timedelta(days=k)
    story.scores.append(add_score(story, session, 13 + k, "phq-9", known_on=day))


def end_ahead(world: World, story: Story, k: int) -> None:
    day = clinic_time.today() + timedelta(days=k)
    Episode.objects.filter(pk=story.episode.pk).update(
        closed_on=day, ending="agreed", closed_recorded_at=clinic_time.now()
    )


def open_again(world: World, story: Story, k: int) -> None:
    Episode.objects.filter(pk=story.episode.pk).update(
        closed_on=None, ending="", closed_recorded_at=None
    )


def lose_rows(world: World, story: Story, k: int) -> None:
    model = (Trajectory, EpisodeSummary)[k % 2]
    model.objects.filter(episode=story.episode).delete()


def change_the_rules(world: World, story: Story, k: int) -> None:
    actions.set_policy(key="first_checkpoint", value=3 + k % 3, by=BY)


def change_ones_own(world: World, story: Story, k: int) -> None:
    measure_actions.set_own_checkpoint(
        clinician=world.clinic.clinicians["alice"], session=2, by=world.clinic.alice
    )


def import_some(world: World, story: Story, k: int) -> None:
    world.n += 1
    rows = [f"N{world.n},{day},outcome-adult,{15 + k}\n" for day in days(3, last=k)]
    bring("client,session_date,measure,total\n" + "".join(rows))


def pass_days(world: World, story: Story, k: int) -> None:
    world.passed += k + 1


def be_entered(world: World, story: Story, k: int) -> None:
    """What follows an entry by day: its episode alone, read whatever changed."""
    nightly.refresh_episode(story.episode.pk, clinic_time.today())


def be_killed(world: World, story: Story, k: int) -> None:
    with transaction.atomic():
        world.night()
        transaction.set_rollback(True)


def be_late(world: World, story: Story, k: int) -> None:
    world.night(late=1)


def be_night(world: World, story: Story, k: int) -> None:
    world.night()


DEEDS: list[Callable[[World, Story, int], None]] = [
    come, stay_away, book, say_they_came, correct, void, end, hand_over, put_the_client_right,
    move_a_session, call_it_a_crisis, date_a_score_ahead, end_ahead, open_again, lose_rows,
    change_the_rules, change_ones_own, import_some, pass_days, be_entered, be_killed, be_late,
    be_night, pass_days, come,
]  # fmt: skip
DEED = st.tuples(st.sampled_from(DEEDS), st.integers(0, 2), st.integers(0, 5))


def a_world(clinic: Clinic) -> World:
    return World(
        clinic,
        [
            tell(clinic, [18, 19, 19, 20], days(4, last=10), alliance=[30, 33, 36]),
            tell(clinic, [18, 14, 11], days(3, last=12)),
            tell(clinic, [20, None, 24, 27], days(4, last=15)),
        ],
    )


@pytest.fixture
def world(at_work: Clinic, monkeypatch: pytest.MonkeyPatch) -> World:
    """After a night; from here on models stay as they are, as a large clinic's do."""
    found = a_world(at_work)
    nightly.run_night(clinic_time.today())
    monkeypatch.setattr(fitting, "SMALL_CLIENTS", 0)
    monkeypatch.setattr(timezone, "now", found.now)
    return found


def read_whole(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """What stands after the same night with nothing there before; nothing is kept of it."""
    with transaction.atomic():
        for model in (Trajectory, EpisodeSummary):
            model.objects.all()._raw_delete("default")
        TouchedEpisode.objects.all().delete()
        world.night()
        found = world.said()
        transaction.set_rollback(True)
    return found


DEEDS_IN_A_ROW = st.lists(DEED, min_size=1, max_size=8)
AS_HERE = [HealthCheck.function_scoped_fixture]


def holds(world: World, deeds: list[tuple[Callable[[World, Story, int], None], int, int]]) -> None:
    with transaction.atomic():
        passed, stories = world.passed, world.stories
        world.stories = [Story(s.client, s.episode, [*s.sessions], [*s.scores]) for s in stories]
        try:
            for deed, which, k in deeds:
                try:
                    with transaction.atomic():
                        deed(world, world.stories[which], k)
                except (ValidationError, IndexError):
                    continue  # it can't be done now, and nothing was written
            expected = read_whole(world)
            world.night()
            assert world.said() == expected, [(deed.__name__, n, k) for deed, n, k in deeds]
        finally:
            world.passed, world.stories = passed, stories
            transaction.set_rollback(True)


@settings(max_examples=8, derandomize=True, deadline=None, suppress_health_check=AS_HERE)
@given(DEEDS_IN_A_ROW)
def test_reading_what_was_touched_leaves_what_reading_everything_would(
    world: World, deeds: list[tuple[Callable[[World, Story, int], None], int, int]]
):
    holds(world, deeds)


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
@settings(max_examples=150, deadline=None, suppress_health_check=AS_HERE)
@given(DEEDS_IN_A_ROW)
def test_so_it_does_whatever_happens(
    world: World, deeds: list[tuple[Callable[[World, Story, int], None], int, int]]
):
    holds(world, deeds)


@pytest.mark.parametrize("deed", [(import_some, 0, 1), (lose_rows, 0, 1)])
def test_what_a_late_night_reads_with_its_own_models_is_read_again_with_todays(
    world: World, deed: tuple[Callable[[World, Story, int], None], int, int]
):
    holds(world, [deed, (be_late, 0, 0)])


def test_each_way_to_change_a_course_is_seen(world: World):
    ways = (
        stay_away, correct, void, end, hand_over, put_the_client_right, move_a_session,
        call_it_a_crisis, end_ahead, change_the_rules, change_ones_own, lose_rows,
    )  # fmt: skip
    for deed in ways:
        with transaction.atomic():
            deed(world, copy.deepcopy(world.stories[0]), 1)
            assert world.night() > 0, deed.__name__
            assert world.night() == 0, deed.__name__
            transaction.set_rollback(True)


def test_a_note_waits_for_its_day_and_for_a_night_that_ends(world: World):
    book(world, world.stories[0], 1)
    world.night()
    assert TouchedEpisode.objects.count() == 1
    world.passed = 1
    assert world.night() == 0
    world.passed = 2
    assert world.night() == 1
    assert not TouchedEpisode.objects.exists()
    stay_away(world, world.stories[0], 0)
    be_killed(world, world.stories[0], 0)
    assert world.night() == 1


def test_a_new_model_is_read_by_those_who_have_scores_of_its_measure(world: World):
    measure = measures.get_measure("alliance-adult")  # the first course alone has it
    ExpectedChangeModel.objects.create(
        measure=measure,
        label="own data (n = 300)",
        cutoff_on=clinic_time.today(),
        clients=300,
        rows=300,
        code_version=fitting.CODE_VERSION,
        checksum="another",
        parameters={"limits": {"pairs": 300, "low": 20.0, "last": [0, 40], "next_low": [10, 30]}},
    )
    touched_episodes.note_all_with(measure.pk, clinic_time.today())
    assert (world.night(), world.night()) == (1, 0)


def test_what_is_known_today_isnt_taken_by_a_night_of_yesterday_that_comes_late(world: World):
    EpisodeSummary.objects.update(as_of=clinic_time.today() - timedelta(days=2))
    void(world, world.stories[0], 1)
    assert world.night(late=1) == 1  # read as of yesterday, when there was no model yet
    assert world.night() == 1
