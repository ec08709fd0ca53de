"""What the database refuses, whoever asks and past every form: raw ORM as the application."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, connection, models, transaction
from django.db.models import F, Q

from measures_app import actions as measure_actions
from measures_app import flagging, measures
from measures_app.models import (
    Administration,
    ExpectedChangeModel,
    Flag,
    FlagEvent,
    FlagRuleSet,
    ItemAlert,
    MeasureVersion,
    NormRow,
    Wording,
)
from sessions_app import actions as sessions_actions
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import (
    Assignment,
    AuditEvent,
    CaseReview,
    Client,
    ClientKey,
    CrisisText,
    DutyTurn,
    Episode,
    Policy,
    Respondent,
    RoleGrant,
    Session,
)
from sessions_app.models.history import Before
from tests.cast import BY, Clinic

OURS = ("sessions_app", "measures_app", "reports_app")


@pytest.fixture
def care(clinic: Clinic) -> Any:
    """The cast with one score of Ana's and one flag, in a unit of work that goes on."""
    with acting_as(BY):
        measures.sync_library()
        clinic.score = measure_actions.record_administration(
            episode=clinic.episodes["ana"],
            session=clinic.sessions["ana"][0],
            measure=measures.get_measure("outcome-adult"),
            total=18,
            provenance="paper",
            by=clinic.alice,
        )
        clinic.flag = Flag.objects.create(
            client=clinic.ana,
            episode=clinic.episodes["ana"],
            rule="no_progress",
            kind="review",
            series="outcome-adult/1",
            rule_set=flagging.current_rule_set(clinic_time.today()),
            evidence={"code": "no_progress"},
            raised_on=clinic_time.today(),
        )
        clinic.alert = measure_actions.raise_alert(
            administration=clinic.score, items=("close",), by=clinic.alice
        )
        sessions_actions.set_crisis_text(language="en", text="Call 0000.", by=BY)
        sessions_actions.set_duty(clinician=clinic.clinicians["bob"], by=BY)
        yield clinic


def another(row: Any, **changes: Any) -> Any:
    """The same row once more under a new key, with changes."""
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    values.pop(row._meta.pk.attname)
    fresh = type(row)(**{**values, **changes})
    fresh.save(force_insert=True)
    return fresh


def day(ago: int) -> Any:
    return clinic_time.today() - timedelta(days=ago)


def _about_ana(c: Any) -> dict[str, Any]:
    return {
        "episode": c.episodes["ana"],
        "flag": c.flag,
        "administration": c.score,
        "items": [],
        "raised_at": clinic_time.now(),
    }


BROKEN: dict[str, Callable[[Any], object]] = {
    "episode_ends_after_start": lambda c: Episode.objects.filter(pk=c.episodes["ana"].pk).update(
        closed_on=day(71), closed_recorded_at=clinic_time.now(), ending="agreed"
    ),
    "episode_closed_with_ending": lambda c: Episode.objects.filter(pk=c.episodes["ana"].pk).update(
        closed_on=day(1)
    ),
    "care_began_before_measuring": lambda c: Episode.objects.filter(pk=c.episodes["ana"].pk).update(
        care_began_on=day(1)
    ),
    "one_open_lead_an_episode": lambda c: Assignment.objects.create(
        episode=c.episodes["ana"], clinician=c.clinicians["bob"], from_on=day(5)
    ),
    "assignment_ends_after_start": lambda c: Assignment.objects.update(to_on=day(999)),
    "episode_once_a_meeting": lambda c: another(c.sessions["ana"][0]),
    "one_current_administration": lambda c: another(c.score),
    "not_taken_has_no_score": lambda c: another(c.score, session_id=None, not_taken="declined"),
    "voided_says_who_when_why": lambda c: Administration.objects.update(voided=True),
    "correction_says_why": lambda c: another(c.score, session_id=None, supersedes_id=c.score.pk),
    "one_live_flag_a_rule_and_series": lambda c: another(c.flag),
    "flag_owner_since": lambda c: Flag.objects.update(owner=c.alice),
    "flag_closed_when": lambda c: Flag.objects.update(state="lapsed"),
    "decided_flag_has_review": lambda c: Flag.objects.update(
        state="decided", closed_on=day(0), closed_at=clinic_time.now()
    ),
    "flag_put_off_with_a_reason": lambda c: Flag.objects.update(snoozed_until=day(-3)),
    "alert_done_says_who_when_what": lambda c: ItemAlert.objects.update(done_at=clinic_time.now()),
    "measures_app_itemalert_episode_id_with_client_id": lambda c: ItemAlert.objects.create(
        client=c.boris, **_about_ana(c)
    ),
    "crisis_text_says_something": lambda c: CrisisText.objects.create(language="en", text=""),
    "duty_ends_after_start": lambda c: DutyTurn.objects.create(
        clinician=c.clinicians["bob"], from_on=day(1), to_on=day(2)
    ),
    "one_self_respondent": lambda c: Respondent.objects.create(client=c.ana, from_on=day(1)),
    "grant_scope_named": lambda c: RoleGrant.objects.filter(user=c.alice).update(scope="site"),
    "grant_ends_after_start": lambda c: RoleGrant.objects.update(to_on=day(999)),
    "destroyed_key_is_empty": lambda c: ClientKey.objects.update(destroyed_at=clinic_time.now()),
    # A row can't name one client's episode, session or respondent and another client.
    "sessions_app_session_episode_id_with_client_id": lambda c: Session.objects.filter(
        episode=c.episodes["ana"]
    ).update(client=c.boris),
    "measures_app_administration_episode_id_with_client_id": lambda c: another(
        c.score, session_id=None, client_id=c.boris.pk
    ),
    "measures_app_administration_session_id_with_episode_id": lambda c: another(
        c.score, session_id=c.sessions["boris"][0].pk
    ),
    "measures_app_administration_respondent_id_with_client_id": lambda c: another(
        c.score, session_id=None, respondent_id=c.boris.respondents.get().pk
    ),
    "measures_app_flag_episode_id_with_client_id": lambda c: another(
        c.flag, client_id=c.boris.pk, series=""
    ),
}


@pytest.mark.parametrize("constraint", BROKEN)
def test_the_database_refuses_what_cannot_be(care: Any, constraint: str) -> None:
    def break_it() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            BROKEN[constraint](care)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match=constraint):
        break_it()


def test_a_correction_leaves_room_and_a_second_current_score_does_not(care: Any) -> None:
    corrected = measure_actions.correct_administration(
        administration=care.score, total=17, reason="typing error", by=care.alice
    )
    assert corrected.correction_reason == "typing error"
    assert Administration.objects.current().filter(session=care.score.session).count() == 1
    with pytest.raises(IntegrityError, match="one_current_administration"), transaction.atomic():
        another(corrected, supersedes_id=None, correction_reason_sealed=b"")


EDITS: dict[str, Callable[[Any], object]] = {
    "a score's total": lambda c: Administration.objects.update(total=1),
    "a score's day": lambda c: Administration.objects.update(taken_on=day(3)),
    "a score": lambda c: Administration.objects.filter(pk=c.score.pk)._raw_delete("default"),
    "a decision": lambda c: CaseReview.objects.update(decision="end"),
    "a policy": lambda c: Policy.objects.update(value=1),
    "an episode": lambda c: Episode.objects.all()._raw_delete("default"),
    "a client": lambda c: Client.objects.all()._raw_delete("default"),
    "a key": lambda c: ClientKey.objects.all()._raw_delete("default"),
    "a flag": lambda c: Flag.objects.all()._raw_delete("default"),
    "a flag's history": lambda c: FlagEvent.objects.update(why=""),
    "a flag's past": lambda c: FlagEvent.objects.all()._raw_delete("default"),
    "an audit row": lambda c: AuditEvent.objects.update(actor=""),
    "the audit trail": lambda c: AuditEvent.objects.all()._raw_delete("default"),
    "what was answered": lambda c: ItemAlert.objects.update(items=["x"]),
    "an alert": lambda c: ItemAlert.objects.all()._raw_delete("default"),
    "a crisis text": lambda c: CrisisText.objects.update(text="x"),
    "a duty": lambda c: DutyTurn.objects.update(to_on=None),
    "a measure's version": lambda c: MeasureVersion.objects.update(low=-1),
    "a wording": lambda c: Wording.objects.update(text={}),
    "a norm": lambda c: NormRow.objects.update(cutoff=1),
    "norms": lambda c: NormRow.objects.all()._raw_delete("default"),
    "a model": lambda c: ExpectedChangeModel.objects.update(label=""),
    "rules": lambda c: FlagRuleSet.objects.update(rules={}),
}


@pytest.mark.parametrize("what", EDITS)
def test_what_was_recorded_is_not_edited_or_taken_away(care: Any, what: str) -> None:
    with pytest.raises(DatabaseError, match=r"permission denied|append-only"), transaction.atomic():
        EDITS[what](care)


@pytest.mark.parametrize("model", [MeasureVersion, Wording, NormRow])
def test_the_tables_owner_may_not_edit_what_scores_were_read_with(care: Any, model: Any) -> None:
    def edit() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE outcomes_owner")
            cursor.execute(f"UPDATE {model._meta.db_table} SET id = id")

    with pytest.raises(DatabaseError, match="append-only"):
        edit()


def test_the_application_may_truncate_no_table_and_own_none(db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
            "AND c.relkind IN ('r', 'p') AND (has_table_privilege(c.oid, 'TRUNCATE') "
            "OR has_table_privilege(c.oid, 'TRIGGER') OR c.relowner = current_user::regrole)"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles "
            "WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, False, False)


def test_the_audit_trail_refers_to_nothing(db: Any) -> None:
    """It outlives its subjects: no foreign key leaves it, and none enters it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' "
            "AND 'sessions_app_auditevent'::regclass IN (conrelid, confrelid)"
        )
        assert cursor.fetchall() == []


# --- every model ------------------------------------------------------------------------------


def _our_models() -> list[type[models.Model]]:
    """All but copies of what a row said: they held when they were rows."""
    return [
        model
        for model in apps.get_models()
        if model._meta.app_label in OURS and not issubclass(model, Before)
    ]


def _named_in(condition: Any) -> set[str]:
    """The fields that a condition speaks of."""
    found: set[str] = set()
    for child in condition.children:
        if isinstance(child, Q):
            found |= _named_in(child)
        else:
            found.add(child[0].split("__")[0])
            if isinstance(child[1], F):
                found.add(child[1].name)
    return found


def _checks(model: type[models.Model]) -> list[set[str]]:
    return [
        _named_in(constraint.condition)
        for constraint in model._meta.constraints
        if isinstance(constraint, models.CheckConstraint)
    ]


def _may_be_empty(field: Any) -> bool:
    return field.null or (isinstance(field, models.BinaryField) and field.blank)


ENDINGS = ("_at", "_on", "_by", "_recorded_at", "_reason", "_reason_sealed", "_sealed")


def _pairs(model: type[models.Model]) -> dict[str, set[str]]:
    """Stem -> fields that may be empty and belong together: who, when and why of one event."""
    stems: dict[str, set[str]] = {}
    for field in model._meta.concrete_fields:
        for ending in sorted(ENDINGS, key=len, reverse=True):
            if field.name.endswith(ending) and _may_be_empty(field):
                stems.setdefault(field.name.removesuffix(ending), set()).add(field.name)
                break
    return {stem: names for stem, names in stems.items() if len(names) > 1}


def test_who_when_and_why_of_one_event_stand_together_in_every_model() -> None:
    """`voided_at`, `voided_by`: either all are said or none, and the database holds it."""
    found, loose = 0, []
    for model in _our_models():
        for names in _pairs(model).values():
            found += 1
            if not any(names <= check for check in _checks(model)):
                loose.append((model.__name__, sorted(names)))
    assert found >= 3  # the walk finds what it looks for
    assert loose == []


def test_every_span_ends_after_it_starts() -> None:
    loose = []
    for model in _our_models():
        names = {field.name for field in model._meta.concrete_fields}
        spans = [("from_on", "to_on"), ("active_from", "active_to"), ("age_from", "age_to")]
        for start, end in spans:
            if {start, end} <= names and not any({start, end} <= c for c in _checks(model)):
                loose.append((model.__name__, start, end))
    assert loose == []


def test_every_constraint_of_the_models_is_in_the_database(db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint UNION SELECT relname FROM pg_class WHERE relkind='i'"
        )
        there = {name for (name,) in cursor.fetchall()}
    ours = {c.name for model in _our_models() for c in model._meta.constraints}
    assert ours - there == set()
    assert len(ours) > 40
