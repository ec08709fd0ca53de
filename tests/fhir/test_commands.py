"""load_measure and export_measure with FHIR files, as a clinic types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from measures_app import measures
from measures_app.models import Measure, MeasureVersion
from sessions_app.context import acting_as, system
from tests.fhir.papers import form, nine_questions

pytestmark = pytest.mark.django_db

NORMS = """
better = "lower"
purpose = "symptom"

[alerts]
c = 1

[[norms]]
population = "adults"
cutoff = 3
reliable_change = 2
source = "our licence, table 2"
default = true
"""


@pytest.fixture
def file_of(tmp_path: Path) -> Any:
    def write(content: Any, name: str = "form.json") -> Path:
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def load(capsys: pytest.CaptureFixture[str], path: Path, *options: str) -> tuple[str, str]:
    call_command("load_measure", str(path), *options)
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_a_questionnaire_with_a_known_code_loads_with_nothing_said(
    file_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = load(capsys, file_of(nine_questions()))
    assert out == "phq-9: version 2.\n"
    assert "recognised by its code" in err
    with acting_as(system("tests")):
        measure = Measure.objects.get(code="phq-9")
        definition = measures.definition_of(measures.current_version(measure))
        assert (definition.low, definition.high, len(definition.items)) == (0, 27, 10)
        assert measures.norm_for(measure).cutoff == 10  # type: ignore[union-attr]  # it has one
    again, _ = load(capsys, file_of(nine_questions(), "other-name.json"))
    assert again == out


def test_a_clinic_adds_norms_with_sources_in_a_file_beside_it(
    file_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = load(capsys, file_of(form()), "--with", str(file_of(NORMS, "norms.toml")))
    assert out == "small-form: version 1.\n"
    assert "no cutoff" not in err
    with acting_as(system("tests")):
        measure = Measure.objects.get(code="small-form")
        assert measures.norm_for(measure).source == "our licence, table 2"  # type: ignore[union-attr]
        assert measures.definition_of(measures.current_version(measure)).alerts == {"c": 1}


def test_without_norms_the_measure_works_and_no_cutoff_is_known(
    file_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = load(capsys, file_of(form()), "--better", "lower", "--code", "small")
    assert "no cutoff" in err
    with acting_as(system("tests")):
        measure = Measure.objects.get(code="small")
        assert measures.norm_for(measure) is None
        assert measures.reliable_change_of(None) is None


def test_a_dry_run_prints_the_definition_and_keeps_nothing(
    file_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = load(capsys, file_of(form()), "--better", "lower", "--dry-run")
    assert 'code = "small-form"' in out
    with acting_as(system("tests")):
        assert not Measure.objects.filter(code="small-form").exists()


@pytest.mark.parametrize(
    ("content", "options", "why"),
    [
        ({"resourceType": "Patient"}, (), "not a Questionnaire"),
        ("{", (), "line 1: no JSON"),
        (form(), (), "--better"),
        (form(), ("--with", "{norms}"), "“cutof” can't be added to a Questionnaire"),
    ],
)
def test_what_cannot_be_loaded_is_said_and_leaves_nothing(
    file_of: Any, content: Any, options: tuple[str, ...], why: str
) -> None:
    norms = file_of("cutof = 3\n", "norms.toml")
    with pytest.raises(CommandError, match=why) as refused:
        call_command(
            "load_measure", str(file_of(content)), *(o.format(norms=norms) for o in options)
        )
    assert refused.value.returncode == 2
    with acting_as(system("tests")):
        assert not Measure.objects.filter(code="small-form").exists()


def test_a_missing_file_and_a_definition_with_options_are_told_apart(file_of: Any) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("load_measure", "/nowhere/form.json")
    with pytest.raises(CommandError, match="No such file"):
        call_command("load_measure", str(file_of(form())), "--with", "/nowhere.toml")
    definition = file_of('code = "x"', "x.toml")
    with pytest.raises(CommandError, match="--better is for a Questionnaire"):
        call_command("load_measure", str(definition), "--better", "lower")


def test_what_is_exported_loads_again_as_the_same_series(
    file_of: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(capsys, file_of(nine_questions()))
    out = tmp_path / "out.json"
    call_command("export_measure", "phq-9", "--format", "fhir", "--output", str(out))
    load(capsys, out)
    with acting_as(system("tests")):
        second, third = MeasureVersion.objects.filter(
            measure__code="phq-9", version__gt=1
        ).order_by("version")
        assert second.scoring_hash == third.scoring_hash
        assert second.definition == third.definition
    call_command("export_measure", "outcome-adult", "--format", "toml")
    assert 'code = "outcome-adult"' in capsys.readouterr().out


def test_an_export_that_cannot_be_written_says_so() -> None:
    with pytest.raises(CommandError, match=r"known: .*outcome-adult"):
        call_command("export_measure", "unheard-of")
    with pytest.raises(CommandError, match="No such file"):
        call_command("export_measure", "outcome-adult", "--output", "/nowhere/at/all.toml")


def test_the_example_of_the_docs_can_be_added(
    file_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "fhir.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    _, err = load(capsys, file_of(nine_questions()), "--with", str(file_of(example, "norms.toml")))
    assert "no cutoff" not in err
    with acting_as(system("tests")):
        measure = Measure.objects.get(code="phq-9")
        definition = measures.definition_of(measures.current_version(measure))
        assert definition.alerts == {"44260-8": 1}
        assert definition.norms[0]["population"] == "adults in outpatient care"
