"""Ways around one's scope that are no page: relations that have ended, tasks, commands, counts.

The application's own filter is switched off in each (`without_the_applications_scope`), so that
what is tried here is the database alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import Avg, Count, Max, Sum

import measures_app.tasks
import reports_app.tasks
import sessions_app.tasks
from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration
from reports_app import client_copies
from reports_app.models import ClientCopy
from sessions_app import actions, clinic_time, outbox
from sessions_app.context import NoActor, acting_as, current_actor
from sessions_app.models import Absence, Assignment, Client, Episode, Job, User
from tests.access.test_beneath import without_the_applications_scope  # noqa: F401 - a fixture
from tests.cast import BY, Clinic

pytestmark = pytest.mark.usefixtures("without_the_applications_scope")
EPISODES = ("ana", "boris", "clara", "dina", "dina_restricted", "emil")


@pytest.fixture
def scored(clinic: Clinic) -> Clinic:
    """A score of its own for each episode: what a sum or a maximum would give away."""
    with acting_as(BY):
        measures.sync_library()
        for n, name in enumerate(EPISODES):
            if name not in clinic.sessions:
                day = clinic.episodes[name].opened_on
                held = actions.record_session(episode=clinic.episodes[name], held_on=day, by=BY)
                clinic.sessions[name] = [held]
            measure_actions.record_administration(
                episode=clinic.episodes[name], session=clinic.sessions[name][0], total=10 + n,
                measure=measures.get_measure("outcome-adult"), provenance="paper", by=BY,
            )  # fmt: skip
    return clinic


def _totals(clinic: Clinic, who: str) -> set[int]:
    """What the database gives away of the totals, by rows, by aggregate and by plain SQL."""
    user = User.objects.get(pk=clinic.users[who].pk)
    with acting_as(user):
        rows = {int(total) for total in Administration.objects.values_list("total", flat=True)}
        told = Administration.objects.aggregate(
            n=Count("pk"), top=Max("total"), sum=Sum("total"), mean=Avg("total")
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), max(total) FROM measures_app_administration")
            assert cursor.fetchone() == (told["n"], told["top"])
            cursor.execute(
                "SELECT count(DISTINCT a.id) FROM measures_app_administration a "
                "JOIN sessions_app_episode e ON e.id = a.episode_id "
                "JOIN sessions_app_client c ON c.id = e.client_id"
            )
            assert cursor.fetchone() == (told["n"],)
    assert told["n"] == len(rows)
    assert told["sum"] == (sum(rows) or None)
    assert told["top"] == (max(rows) if rows else None)
    return rows


def _of(*names: str) -> set[int]:
    return {10 + EPISODES.index(name) for name in names}


def test_counts_sums_and_maxima_are_of_ones_own_rows(scored: Clinic) -> None:
    assert _totals(scored, "alice") == _of("ana", "boris")
    assert _totals(scored, "carol") == _of("dina", "dina_restricted", "emil")
    for who in ("ruth", "dora", "fred", "adam"):
        assert _totals(scored, who) == set(), who


def _former_days_are_over(clinic: Clinic) -> None:
    actions.set_policy(key="former_assignment_days", value=10, by=BY)


def _supervision_ended(clinic: Clinic) -> None:
    type(clinic.supervision).objects.update(to_on=clinic_time.today() - timedelta(days=1))


def _role_ended(clinic: Clinic) -> None:
    yesterday = clinic_time.today() - timedelta(days=1)
    clinic.users["alice"].grants.update(to_on=yesterday)


def _account_closed(clinic: Clinic) -> None:
    User.objects.filter(pk=clinic.users["alice"].pk).update(is_active=False)


@pytest.mark.parametrize(
    ("who", "before", "ends", "after"),
    [
        ("alice", ("ana", "boris"), _former_days_are_over, ("ana",)),
        ("sofia", ("ana", "boris"), _supervision_ended, ()),
        ("alice", ("ana", "boris"), _role_ended, ()),
        ("alice", ("ana", "boris"), _account_closed, ()),
    ],
    ids=["former assignment", "supervision", "role", "account"],
)
def test_what_has_ended_gives_nothing_away(
    who: str, before: tuple[str, ...], ends: Callable[[Clinic], None], after: tuple[str, ...],
    scored: Clinic,
) -> None:  # fmt: skip
    assert _totals(scored, who) == _of(*before)
    with acting_as(BY):
        ends(scored)
    assert _totals(scored, who) == _of(*after)


def test_a_cover_gives_away_the_absents_present_clients_and_no_restricted_or_past_ones(
    scored: Clinic,
) -> None:
    """Carol's Emil and Dina's restricted episode stay hidden; so does Alice's past Boris."""
    with acting_as(BY):
        for absent in ("carol", "alice"):  # past the action, which refuses Carol's
            Absence.objects.create(
                clinician=scored.clinicians[absent], cover=scored.clinicians["ruth"],
                from_on=clinic_time.today(),
            )  # fmt: skip
    assert _totals(scored, "ruth") == _of("ana")
    with acting_as(BY):
        Absence.objects.update(withdrawn_at=clinic_time.now())
    assert _totals(scored, "ruth") == set()


def test_what_was_asked_for_in_scope_is_not_made_once_the_scope_is_lost(scored: Clinic) -> None:
    """A task works as the person who asked, as they stand when it runs."""
    with acting_as(scored.alice):
        copy = client_copies.ask_for_copy(client=scored.boris, by=scored.alice)
    with acting_as(BY):
        _former_days_are_over(scored)
    outbox.sweep()
    with acting_as(BY):
        made = ClientCopy.objects.select_related("job").get(pk=copy.pk)
        assert made.job.state == Job.State.STOPPED
        assert not made.sealed


def test_a_task_of_another_id_makes_nothing_for_anybody(scored: Clinic) -> None:
    """What comes from the broker is an id: one that was made up finds its own job or none."""
    with acting_as(BY):
        stranger = Job.objects.create(kind="client copy", created_by=scored.ruth)
        ClientCopy.objects.create(
            client_code=scored.ana.code, user=scored.ruth, job=stranger
        )  # as if forged past the action
        outbox.promise(client_copies.KIND, {"job": str(stranger.pk)})
    # Ruth's own scope decides, not what the row says; here that is the database alone.
    outbox.sweep()
    with acting_as(BY):
        stranger.refresh_from_db()
        assert stranger.state == Job.State.STOPPED


TICKS = [
    sessions_app.tasks.sweep_outbox,
    sessions_app.tasks.seal_audit,
    sessions_app.tasks.apply_retention,
    sessions_app.tasks.forget_old_sign_ins,
    measures_app.tasks.forget_import_files,
    reports_app.tasks.forget_case_files,
    reports_app.tasks.promise_digests,
]


@pytest.mark.parametrize("task", TICKS, ids=lambda task: task.name)
def test_a_task_leaves_nobody_acting_behind(task: Any, clinic: Clinic) -> None:
    task()
    _nobody_acts()


def _nobody_acts() -> None:
    with pytest.raises(NoActor):
        current_actor()
    with pytest.raises(DatabaseError), transaction.atomic():
        Client.objects.count()


@pytest.mark.parametrize(
    "command", [["verify_audit"], ["rotate_keys"], ["case_review", "{code}", "--output", "{file}"]],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_command_leaves_nobody_acting_behind(
    command: list[str], clinic: Clinic, tmp_path: Any, capsys: Any
) -> None:
    words = [w.format(code=clinic.ana.code, file=tmp_path / "case.pdf") for w in command]
    call_command(*words)
    _nobody_acts()


def test_a_row_lock_an_update_and_a_delete_reach_nothing_hidden(scored: Clinic) -> None:
    """Locks and writes would tell of a row by waiting for it, or by their count."""
    with acting_as(scored.ruth):
        assert list(Episode.objects.select_for_update().values_list("pk", flat=True)) == []
        hidden = scored.episodes["ana"]
        assert Episode.objects.filter(pk=hidden.pk).update(problem="x") == 0
        assert Assignment.objects.filter(episode=hidden).update(to_on=clinic_time.today()) == 0
        with pytest.raises(DatabaseError), transaction.atomic():
            Assignment.objects.create(
                episode=hidden, clinician=scored.clinicians["ruth"], part="lead",
                from_on=clinic_time.today(),
            )  # fmt: skip
