"""Versions and norm rows in the database: added, never edited; one scoring is one series."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction

from measures_app import actions, measures, single
from measures_app.definition_reader import parse_definition
from measures_app.models import MeasureVersion, NormRow, Trajectory, Wording
from reports_app.nightly import run_night
from sessions_app import clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, Clinic

from .documents import changed

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")


@pytest.fixture
def at_work(clinic: Clinic) -> Any:
    with acting_as(BY):
        yield clinic


def load(*pairs: tuple[str, str], by: Any = BY) -> MeasureVersion:
    text = changed(*pairs)
    return measures.load_definition(parse_definition(text), source_text=text, by=by)


def score(clinic: Clinic, position: int, total: int, version: MeasureVersion) -> None:
    actions.record_administration(
        episode=clinic.episodes["ana"],
        session=clinic.sessions["ana"][position],
        measure=version.measure,
        total=total,
        provenance="paper",
        by=BY,
    )


def ana_s_series(clinic: Clinic) -> list[tuple[float, ...]]:
    found = single.series_of_episode(clinic.episodes["ana"])
    return [one.scores for one in found]


def test_loading_a_known_text_again_changes_nothing(at_work: Clinic):
    first = load()
    assert load() == first
    assert MeasureVersion.objects.filter(measure=first.measure).count() == 1
    assert first.measure.norms.count() == 1


def test_the_library_is_loaded_once_however_often_it_is_asked_for(at_work: Clinic):
    first = measures.sync_library()
    assert measures.sync_library() == first
    assert Wording.objects.filter(version__in=first, language="es").count() == 8


def test_a_corrected_typo_is_a_new_version_of_the_same_series(at_work: Clinic):
    score(at_work, 0, 5, load())
    second = load(("The first", "The very first"))
    score(at_work, 1, 2, second)
    assert second.version == 2
    assert measures.current_version(second.measure) == second
    assert ana_s_series(at_work) == [(5, 2)]


def test_changed_scoring_is_another_series(at_work: Clinic):
    score(at_work, 0, 5, load())
    score(at_work, 1, 2, load(("reverse = true", "reverse = false")))
    assert ana_s_series(at_work) == [(5,), (2,)]


def test_a_reviewed_join_makes_one_series_of_two_scorings_and_of_three(at_work: Clinic):
    first = load()
    score(at_work, 0, 5, first)
    joined = f'high = 6\nchecked_by = ["B."]\ncomparable_with = "{first.scoring_hash}"'
    second = load(("reverse = true", "reverse = false"), ("high = 6", joined))
    score(at_work, 1, 2, second)
    again = joined.replace(first.scoring_hash, second.scoring_hash) + "\nmax_missing = 1"
    score(at_work, 2, 1, load(("high = 6", again)))
    assert ana_s_series(at_work) == [(5, 2, 1)]


JOIN = 'checked_by = ["B."]\ncomparable_with = "{}"\nlicence'
APART: list[tuple[list[tuple[str, str]], str]] = [
    ([('"symptom"', '"outcome"')], "purpose symptom, not outcome"),
    ([("licence", 'rater = "carer"\nlicence')], "rater client, not carer"),
    ([("licence", JOIN.format("0" * 64))], "No version"),
    ([("licence", JOIN.format("OWN")), ("high = 6", "high = 12\nmultiplier = 2")], "different"),
]


def test_what_cannot_belong_together_is_refused(at_work: Clinic):
    own = load().scoring_hash
    for pairs, reason in APART:
        with pytest.raises(ValidationError, match=reason), transaction.atomic():
            load(*((old, new.replace("OWN", own)) for old, new in pairs))


def test_only_administrators_load_measures(clinic: Clinic):
    for name in ("alice", "sofia", "dora", "fred"):
        with acting_as(clinic.users[name]), pytest.raises(PermissionDenied):
            load(by=clinic.users[name])
    with acting_as(clinic.adam):
        assert load(by=clinic.adam).version == 1


def test_the_database_refuses_to_edit_what_was_loaded(at_work: Clinic):
    version = load()
    for rows, values in (
        (MeasureVersion.objects.filter(pk=version.pk), {"high": 7}),
        (Wording.objects.filter(version=version), {"text": {}}),
        (NormRow.objects.filter(measure=version.measure), {"cutoff": 4}),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**values)


def test_a_changed_constant_is_a_row_beside_the_old_one(at_work: Clinic):
    first = load()
    score(at_work, 0, 5, first)
    load(("cutoff = 3", "cutoff = 4"), ("2020-01-01", "2021-01-01"))
    score(at_work, 1, 5, first)
    assert sorted(first.measure.norms.values_list("cutoff", flat=True)) == [3, 4]
    (one,) = single.series_of_episode(at_work.episodes["ana"])
    assert one.norm.cutoff == 3  # the row of the first score: a cutoff doesn't move in mid-care


def test_a_row_that_is_not_in_force_yet_reads_nothing(at_work: Clinic):
    tomorrow = (clinic_time.today() + timedelta(days=1)).isoformat()
    load()
    version = load(("cutoff = 3", "cutoff = 4"), ("2020-01-01", tomorrow))
    assert measures.norm_for(version.measure).cutoff == 3


def test_the_row_for_the_clients_age_is_the_one_read(at_work: Clinic):
    young = '[[norms]]\nage_to = 17\ncutoff = 5\nsource = "b"\nfrom_on = 2020-02-01\ndefault = true'
    measure = load(("[[norms]]", f"{young}\n\n[[norms]]")).measure
    assert measures.norm_for(measure, 12).cutoff == 5
    assert measures.norm_for(measure, 40).cutoff == 3


def test_answers_to_a_measure_of_totals_are_refused_by_name(at_work: Clinic):
    measures.sync_library()
    with pytest.raises(ValidationError, match="totals only") as refused:
        actions.record_administration(
            episode=at_work.episodes["ana"],
            measure=measures.get_measure("bdi-ii"),
            answers={"sad": 1},
            provenance="api",
            by=BY,
        )
    assert "sad" in refused.value.error_dict


def test_a_night_reads_both_scorings_of_one_measure_each_as_its_own(at_work: Clinic):
    first = load()
    score(at_work, 0, 5, first)
    score(at_work, 1, 4, first)
    second = load(("reverse = true", "reverse = false"))
    for position, total in ((2, 5), (3, 3), (4, 2)):
        score(at_work, position, total, second)
    run_night(clinic_time.today())
    run_night(clinic_time.today())
    assert sorted(Trajectory.objects.values_list("scores", flat=True)) == [[5, 3, 2], [5, 4]]
