"""All scores leave as one CSV: what an import takes, formulas defused, nothing held in memory."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from measures_app import actions as measure_actions
from measures_app import measures, scores_out
from sessions_app import actions
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Programme
from tests.cast import BY, Clinic


@pytest.fixture
def scored(clinic: Clinic) -> Clinic:
    with acting_as(BY):
        measures.sync_library()
        Programme.objects.filter(pk=clinic.therapy.pk).update(name="=HYPERLINK(1)")
        carer = actions.add_respondent(client=clinic.ana, relation="carer", by=BY)
        for session, who in ((0, None), (1, None), (1, carer)):
            measure_actions.record_administration(
                episode=clinic.episodes["ana"], session=clinic.sessions["ana"][session],
                measure=measures.get_measure("outcome-adult"), total=18.5 + session,
                respondent=who, provenance="paper", by=BY,
            )  # fmt: skip
        wrong = measure_actions.record_administration(
            episode=clinic.episodes["boris"], session=clinic.sessions["boris"][0],
            measure=measures.get_measure("outcome-adult"), total=3.0, provenance="paper", by=BY,
        )  # fmt: skip
        measure_actions.void_administration(administration=wrong, reason="wrong person", by=BY)
    return clinic


def test_what_is_written_is_what_an_import_reads(scored: Clinic, tmp_path: Path) -> None:
    file, said = tmp_path / "scores.csv", StringIO()
    call_command("export_scores", str(file), "--json", stdout=said)
    told: dict[str, Any] = json.loads(said.getvalue())
    rows = list(csv.DictReader(StringIO(file.read_text(encoding="utf-8"))))
    assert told["rows"] == len(rows) == 3
    assert {row["programme"] for row in rows} == {"'=HYPERLINK(1)"}
    assert sorted((row["respondent"], row["total"]) for row in rows) == [
        ("carer", "19.50"), ("self", "18.50"), ("self", "19.50")
    ]  # fmt: skip
    again = StringIO()
    call_command("import_scores", str(file), "--dry-run", "--json", stdout=again)
    read = json.loads(again.getvalue())
    assert (read["rows"], read["errors"], read["clients"]) == (3, [], 1)


def test_a_person_gets_the_scores_in_their_scope_alone(scored: Clinic) -> None:
    class Kept:
        content = b""

        def write(self, more: bytes) -> int:
            self.content += more
            return len(more)

    for who, expected in (("alice", 3), ("ruth", 0)):
        out = Kept()
        with acting_as(scored.users[who]):
            assert scores_out.write_scores(out, by=scored.users[who]) == expected
        assert out.content.count(b"\n") == expected + 1
    assert AuditEvent.objects.filter(action="exported", subject_kind="scores").count() == 2


def test_a_folder_that_isnt_there_is_said(scored: Clinic, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("export_scores", str(tmp_path / "no" / "scores.csv"))
