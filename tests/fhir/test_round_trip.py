"""Every measure goes out as a Questionnaire and comes back as the same definition."""

from __future__ import annotations

import json
from typing import Any

import pytest

from measures_app.definition_reader import parse_definition
from measures_app.definitions import MeasureDefinition
from measures_app.fhir import read_measure, to_questionnaire, to_toml
from tests.fhir.papers import (
    ADDS_UP,
    ORDINAL,
    form,
    library,
    nine_questions,
    option,
    question,
    read,
    total,
)
from tests.psychometrics.oracles import reference_file

LIBRARY = {definition.code: definition for definition in library()}
RICH = """
code = "rich"
title = "Everything at once"
purpose = "functioning"
rater = "carer"
better = "higher"
low = 0
high = 24
step = 4
multiplier = 4
age_from = 13
age_to = 17
licence = "free"
authored_by = ["A. Author", "B. Author"]
checked_by = ["C. Checker"]
next_review = 2027-01-01
sources = ["one", "two, with “quotes” and a \\\\ backslash"]
url = "http://forms.example/rich"
codes = [{ system = "http://codes.example", code = "rich", version = "2" }]
max_missing = 1
groups = [{ id = "week", link_id = "/week", codes = [{ code = "w" }] },
          { id = "night", within = "week" }]
subscales = { "first two" = ["q/1", "q2"] }
alerts = { q2 = 2 }

[[items]]
id = "q/1"
choices = [0, 1, 2]
reverse = true
group = "week"

[[items]]
id = "q2"
choices = [2, 1, 0]
group = "night"
link_id = "/two"
answer_codes = [{ value = 2, system = "http://codes.example", code = "much" },
                { value = 1, system = "http://codes.example", code = "some", display = "some" },
                { value = 1, system = "http://codes.example", code = "little", display = "little" },
                { value = 0, system = "http://codes.example", code = "no" }]

[[items]]
id = "q3"
low = 0
high = 2
step = 1
unit = "points"

[[items]]
id = "free"
choices = [0, 1]
scored = false
answer_codes = [{ value = 0, code = "false" }, { value = 1, code = "true" }]

[[items]]
id = "odd"
choices = [3, 0, 1]
scored = false

[scores.total]
link_id = "/sum"
codes = [{ code = "sum" }]
unit = "{score}"

[scores."first two"]
codes = [{ code = "two" }]

[wording.en]
title = "All of it"
instruction = "Answer all."
low = "low end"
high = "high end"
groups = { week = "This week", night = "At night" }
scores = { total = "Sum" }
[wording.en.items."q/1"]
label = "One?"
choices = ["a", "b", "c"]
[wording.en.items.q2]
label = "Two?"
heading = "Now the second"
choices = ["much", "some / little", "no"]
[wording.en.items.q3]
label = "Three?"
hint = "of anything"
low = "none"
high = "all"
[wording.en.items.free]
label = "Any?"
choices = ["No", "Yes"]

[wording.en.items.odd]
label = "Odd?"
choices = ["p", "q", "r"]

[wording.es]
title = "Todo"
[wording.es.items."q/1"]
label = "¿Uno?"
choices = ["x", "y", "z"]
[wording.es.items.q2]
label = "¿Dos?"
choices = ["mucho", "algo", "nada"]
[wording.es.items.q3]
label = "¿Tres?"
[wording.es.items.free]
label = "¿Algo?"
choices = ["No", "Sí"]
[wording.es.items.odd]
label = "¿Raro?"

[[norms]]
population = "carers"
cutoff = 12
at_cutoff = "neither"
reliable_change = 4.0
source = "made up for a test"
from_on = 2026-03-01
default = true

[[norms]]
population = "others"
mean = 10.5
sd = 3
reliability = 0.8
source = "made up, too"
from_on = 2026-03-01
"""


def there_and_back(definition: MeasureDefinition) -> MeasureDefinition:
    written = json.dumps(to_questionnaire(definition), ensure_ascii=False)
    return read_measure(written.encode()).definition


@pytest.mark.parametrize("code", LIBRARY)
def test_every_bundled_measure_comes_back_the_same(code: str) -> None:
    back = there_and_back(LIBRARY[code])
    assert back == LIBRARY[code]
    assert back.scoring_hash == LIBRARY[code].scoring_hash


def test_a_measure_that_uses_everything_comes_back_the_same() -> None:
    rich = parse_definition(RICH)
    back = there_and_back(rich)
    assert back == rich
    assert parse_definition(to_toml(rich)) == rich


def test_nothing_is_told_of_a_file_of_our_own() -> None:
    written = json.dumps(to_questionnaire(parse_definition(RICH)), ensure_ascii=False)
    notes = read_measure(written.encode()).notes
    assert [note for note in notes if "same score" not in note and "pro-rating" not in note] == []


def scored_items(resource: dict[str, Any]) -> list[Any]:
    """Link ids, item codes, and each answer's code and score, as plain pairs."""
    found = []
    for item in resource["item"]:
        options = [
            (
                option["valueCoding"].get("system"),
                option["valueCoding"]["code"],
                option["valueCoding"]["display"],
                [e["valueDecimal"] for e in option.get("extension", []) if "Decimal" in str(e)
                 and e["url"].endswith("ordinalValue")],
            )
            for option in item.get("answerOption", [])
        ]  # fmt: skip
        codes = [(code["system"], code["code"]) for code in item.get("code", [])]
        found.append((item["linkId"], item["type"], item["text"], codes, options))
    return sorted(found, key=lambda item: str(item[0]))  # our total goes last, whatever the place


@pytest.fixture(params=["like phq9.json", "phq9.json itself"])
def phq9(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The published panel where it lies beside the checkout, and one of its shape anywhere."""
    if request.param == "like phq9.json":
        return nine_questions()
    path = reference_file("data", "fhir", "phq9.json")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_phq9_scores_0_to_27_and_comes_back_with_items_codes_and_scores(
    phq9: dict[str, Any],
) -> None:
    loaded = read(phq9, known=library(), better="")
    definition = loaded.definition
    ids = [item.id for item in definition.items if item.scored]
    assert len(ids) == 9
    assert (definition.low, definition.high, definition.code) == (0, 27, "phq-9")
    for value in range(4):
        assert definition.score(dict.fromkeys(ids, value)).total == 9 * value
    assert scored_items(to_questionnaire(definition)) == scored_items(phq9)
    assert there_and_back(definition) == definition
    again = read(to_questionnaire(definition), better="")
    assert again.definition.scoring_hash == definition.scoring_hash


def test_a_foreign_form_comes_back_the_same_in_every_shape() -> None:
    same = [option(0, "no"), option(1, "more"), option(1, "less"), option(2.5, "much")]
    inner = {"linkId": "g 2", "type": "group", "text": "Inner", "item": [question("b c")]}
    outer = {"linkId": "g1", "type": "group", "item": [question("a", answerOption=same), inner]}
    yes = {"linkId": "yes", "type": "boolean", "text": "Any?"}
    plain = question("free", answerOption=[option(None, "x"), option(None, "y")])
    words = [
        {"valueString": f"word {at}", "extension": [{"url": ORDINAL, "valueDecimal": at}]}
        for at in range(2)
    ]
    strings = question("s", type="open-choice", answerOption=words)
    definition = read(form(outer, yes, plain, strings)).definition
    assert there_and_back(definition) == definition
    summed = read(form(question("a"), question("b"), total(ADDS_UP))).definition
    assert there_and_back(summed) == summed
