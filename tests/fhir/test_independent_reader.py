"""Software that isn't ours accepts what we export, and adds up the same.

The `fhir` validator holds the R4 definitions and needs no network; `fhirpath` is the reference
implementation in JavaScript. Both are pinned with their checksums in `reader/` and installed from
npm into pytest's cache. Without npm these tests are skipped; where npm is there and can't install
them they are skipped on a laptop and fail under CI, so that they aren't silently never run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from measures_app.definition_reader import parse_definition
from measures_app.definitions import MeasureDefinition
from measures_app.fhir import Answered, to_bundle, to_observations, to_questionnaire, to_response
from measures_app.fhir.fhirpath import Evaluation
from measures_app.fhir.fhirpath_parser import parse
from tests.fhir.papers import (
    ADDS_UP,
    IN_THE_WILD,
    ORDINAL,
    form,
    library,
    nine_questions,
    question,
    read,
    total,
)
from tests.fhir.test_round_trip import RICH

READER = Path(__file__).parent / "reader"
SECONDS = 120


@pytest.fixture(scope="module")
def reader(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Ask the independent readers; installs them once a lock file."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node aren't on this machine: the independent FHIR readers need them")
    lock = (READER / "package-lock.json").read_bytes()
    cache = request.config.cache
    assert cache is not None
    folder = cache.mkdir(f"fhir-reader-{hashlib.sha256(lock).hexdigest()[:12]}")
    stamp = folder / "installed"
    if not stamp.exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(READER / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
        except (subprocess.SubprocessError, OSError) as problem:
            said = (getattr(problem, "stderr", b"") or b"").decode(errors="replace")[-300:]
            because = f"npm can't install the independent FHIR readers: {said or problem}"
            pytest.fail(because) if os.environ.get("CI") == "true" else pytest.skip(because)
        stamp.touch()
    shutil.copy(READER / "read.js", folder)

    process = subprocess.Popen(
        [node, "read.js"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(resources: Sequence[Any], scored: Sequence[Any] = ()) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"resources": resources, "scored": scored}) + "\n")
        process.stdin.flush()
        found: dict[str, Any] = json.loads(process.stdout.readline())
        return found

    with process:
        yield ask


def measures() -> list[MeasureDefinition]:
    yes = {"linkId": "it's \\ yes", "type": "boolean", "text": "Any?"}
    counted = read(form(question("a"), yes), scored=["it's \\ yes"]).definition
    mean = "%resource.item.answer.value.ordinal().avg().round(1)"
    averaged = read(form(question("a"), question("b"), question("c"), total(mean))).definition
    panel = read(nine_questions()).definition
    return [*library(), parse_definition(RICH), counted, averaged, panel]


def answers_to(definition: MeasureDefinition, turn: int) -> dict[str, Any]:
    """Some answers to every item: the lowest, the highest, mixtures."""
    found: dict[str, Any] = {}
    for at, item in enumerate(definition.items):
        values = list(item.choices or (item.low, item.high, item.low + item.step))
        found[item.id] = values[(at + turn) % len(values)]
    return found


def administration(definition: MeasureDefinition, turn: int = 0, **changes: Any) -> Answered:
    answers = answers_to(definition, turn) if definition.items else None
    score = definition.score(answers) if answers else None
    values: dict[str, Any] = {
        "definition": definition,
        "version": "1",
        "key": uuid.UUID(int=turn + 1),
        "client": "QX7-4MT",
        "taken_at": datetime(2026, 3, 4, 10, 30, tzinfo=UTC),
        "recorded_at": datetime(2026, 3, 4, 10, 45, tzinfo=UTC),
        "answers": answers,
        "total": score.total if score else Decimal("12.0"),
        "subscales": score.subscales if score else {},
        "language": "en",
    }
    return Answered(**{**values, **changes})


def test_a_validator_that_is_not_ours_accepts_every_export(reader: Any) -> None:
    forms = [to_questionnaire(definition) for definition in measures()]
    taken = [administration(definition, turn) for turn, definition in enumerate(measures())]
    missing = administration(measures()[-1], total=None, subscales={}, status="amended")
    carer = administration(measures()[-1], respondent="carer", status="entered-in-error")
    responses = [to_response(one) for one in [*taken, missing, carer]]
    observations = [o for one in [*taken, missing, carer] for o in to_observations(one)]
    bundle = to_bundle(taken, {"urn:uuid:" + str(uuid.UUID(int=9)): forms[0]}, taken[0].taken_at)
    resources = [*forms, *responses, *observations, bundle]
    results = reader(resources)["read"]
    assert [result for result in results if not result["valid"] or result["errors"]] == []
    assert len(results) == len(resources)


def test_the_validator_would_have_complained(reader: Any) -> None:
    form = to_questionnaire(measures()[0])
    spoilt = [{**form, "status": "finished"}, {**form, "items": form["item"]}]
    spoilt.append({key: value for key, value in form.items() if key != "status"})
    assert [result["valid"] for result in reader(spoilt)["read"]] == [False, False, False]


def test_an_engine_that_is_not_ours_works_out_our_scores(reader: Any) -> None:
    pairs = []
    expected = []
    for definition in measures():
        if not definition.items:
            continue
        form = to_questionnaire(definition)
        for turn in range(3):
            taken = administration(definition, turn)
            response = to_response(taken)
            pairs.append([form, response])
            scored = definition.score(answers_to(definition, turn))
            names = {"total": scored.total, **scored.subscales}
            links = {name: definition.scores.get(name, {}).get("link_id", name) for name in names}
            expected.append({links[name]: [float(value)] for name, value in names.items()})
    results = reader([], pairs)["scored"]
    rounded = [{k: [round(v, 6) for v in found] for k, found in one.items()} for one in results]
    assert rounded == expected


def test_an_engine_that_is_not_ours_gives_no_total_while_an_answer_is_missing(reader: Any) -> None:
    definition = next(measure for measure in measures() if measure.code == "outcome-adult")
    answers = {**answers_to(definition, 1), "overall": None}
    taken = administration(definition, answers=answers, total=None)
    assert reader([], [[to_questionnaire(definition), to_response(taken)]])["scored"] == [
        {"total": []}
    ]


def test_our_small_fhirpath_gives_what_the_whole_language_gives(reader: Any) -> None:
    def answered(link: str, score: int) -> dict[str, Any]:
        code = ("never", "now and then", "often")[score]
        extension = [{"url": ORDINAL, "valueDecimal": score}]
        coding = {"system": "http://codes.example", "code": code, "extension": extension}
        return {"linkId": link, "answer": [{"valueCoding": coding}]}

    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "item": [answered("a", 2), answered("b", 1)],
    }
    further = [
        f"({ADDS_UP} * 2 - 1) / 5",
        f"iif({ADDS_UP} > 2 and true, 1, 0) + iif({ADDS_UP} < 2 or false, 1, 0)",
        f"({ADDS_UP} div 2) + ({ADDS_UP} mod 2) - -1",
        "%resource.item.answer.value.ordinal().avg().round(1)",
        "%resource.item.skip(1).answer.value.ordinal().first() | {}",
        "iif({} = 1, 5, 7) + iif({}.empty() and {}.exists().not(), 1, 0)",
        "1 + 2 * 3 - 4 / 2",
        "(1 / 4).round(1) + (3 / 4).round(1) + (5 / 2).round(0)",
        "iif('a' in ('a' | 'b') implies 1 <= 2, 1, 0)",
        "%resource.item.all(answer.exists()).select(iif($this, 3, 4))",
        "(1 | 1 | 2).distinct().count() + (1).combine(1).count()",
        "iif(true xor true, 1, 2) + iif(({} or true) and ({} and false).not(), 10, 20)",
        "'12'.toDecimal() + '3'.toInteger() + (-5).abs()",
    ]
    forms = [form(question("a"), question("b"), total(one)) for one in [*IN_THE_WILD, *further]]
    theirs = [one["sum"] for one in reader([], [[asked, response] for asked in forms])["scored"]]
    ours = []
    for asked in forms:
        run = Evaluation(
            {"resource": [response], "context": [response], "questionnaire": [asked]}, {}
        )
        expression = asked["item"][2]["extension"][0]["valueExpression"]["expression"]
        ours.append([float(value) for value in run.run(parse(expression))])
    assert ours == [[float(value) for value in values] for values in theirs]
