"""Two published trials go in with the mapping files of docs/examples."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from sessions_app.context import acting_as
from sessions_app.models import Client, Clinician, Episode, Site
from tests.cast import BY
from tests.imports.conftest import Run, counts, scores_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"


def data(name: str) -> Path:
    file = ROOT.parent / "shared" / "data" / name
    if not file.exists():
        pytest.skip(f"the trial data ({name}) isn't beside this checkout")
    return file


def test_enrichd_goes_in_by_days(run: Run) -> None:
    file, mapping = data("enrichd_cbt_bdi_odd.csv"), (EXAMPLES / "enrichd.toml").read_text()
    outcome = run(file, mapping=mapping)
    report = outcome.report
    assert (outcome.code, report["errors"]) == (0, [])
    assert (report["rows"], report["clients"], report["created"]) == (3450, 279, 3450)
    assert scores_of("1")[:3] == [
        ("2024-01-01", "bdi-ii", Decimal(25)),
        ("2024-01-30", "bdi-ii", Decimal(34)),
        ("2024-02-12", "bdi-ii", Decimal(28)),
    ]
    before = counts()
    again = run(file, mapping=mapping)
    assert (again.report["created"], again.report["unchanged"]) == (0, 3450)
    assert counts() == before


def test_reframed_reports_what_it_wont_guess(run: Run, tmp_path: Path) -> None:
    file, mapping = data("reframed_phq9.csv"), (EXAMPLES / "reframed.toml").read_text()
    before = counts()
    refused = run(file, mapping=mapping)
    assert (refused.code, refused.report["created"], counts()) == (2, 0, before)
    reasons = Counter((error["column"], error["why"]) for error in refused.errors)
    assert reasons == {
        ("phq9", "there is no score"): 392,
        ("month", "is not a number"): 198,  # Post-Rx
        ("phq9", "lies between two steps of 1"): 54,  # imputed
        ("phq9", "is outside 0 to 27"): 1,
    }
    held = run(file, "--hold", str(tmp_path / "held.csv"), mapping=mapping)
    report = held.report
    assert (held.code, report["held"], report["created"]) == (0, 447, 2378)
    assert (report["clients"], report["episodes"]) == (245, 245)
    with acting_as(BY):
        assert (Site.objects.count(), Clinician.objects.count()) == (3, 22)
        client = Client.objects.get(external_ids__value="10008")
        assert (client.gender, client.birth_year) == ("woman", 2023 - 48)
        assert Episode.objects.get(client=client).programme.name == "RO-DBT"
    again = run(file, "--hold", str(tmp_path / "held.csv"), mapping=mapping)
    assert (again.report["created"], again.report["unchanged"]) == (0, 2378)
