"""Small questionnaires to spoil: a scored form of three questions, and its parts."""

from __future__ import annotations

import copy
import json
from typing import Any

from measures_app.definition_reader import parse_definition
from measures_app.definitions import MeasureDefinition
from measures_app.fhir import Loaded, read_measure
from measures_app.measures import LIBRARY

ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
WEIGHT = "http://hl7.org/fhir/StructureDefinition/itemWeight"
CALCULATED = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression"
LABELS = ("never", "now and then", "often")


def option(score: float | None, label: str, code: str = "", url: str = ORDINAL) -> dict[str, Any]:
    coding = {"system": "http://codes.example", "code": code or label, "display": label}
    if score is None:
        return {"valueCoding": coding}
    return {"extension": [{"url": url, "valueDecimal": score}], "valueCoding": coding}


def question(link: str, **changes: Any) -> dict[str, Any]:
    return {
        "linkId": link,
        "text": f"Question {link}",
        "type": "choice",
        "answerOption": [option(at, label) for at, label in enumerate(LABELS)],
        **changes,
    }


def total(expression: str, link: str = "sum", **changes: Any) -> dict[str, Any]:
    return {
        "linkId": link,
        "text": "Sum",
        "type": "decimal",
        "readOnly": True,
        "extension": [
            {
                "url": CALCULATED,
                "valueExpression": {"language": "text/fhirpath", "expression": expression},
            }
        ],
        **changes,
    }


ADDS_UP = "%resource.item.answer.value.ordinal().sum()"


# Ways in which published questionnaires add up two questions, a and b.
IN_THE_WILD = [
    "%resource.item.where(linkId.matches('^[ab]$')).answer.value.ordinal().sum()",
    "%resource.item.where(linkId in ('a' | 'b')).answer.value.weight().sum()",
    "%resource.repeat(item).answer.value.weight().aggregate($this + $total, 0)",
    "%context.item.where(linkId='a' or linkId='b').answer.value.ordinal().sum()",
    "%resource.descendants().where(linkId = 'a' or linkId = 'b').answer.value.ordinal().sum()",
    "QuestionnaireResponse.item.answer.value.ordinal().sum()",
    "item.select(answer.value.ordinal()).sum()",
    "%resource.item.answer.valueCoding.extension.where(url.endsWith('ordinalValue')).value.sum()",
    "%resource.item.answer.valueCoding.extension('http://hl7.org/fhir/StructureDefinition/ordinalValue').valueDecimal.sum()",
    "iif(%resource.item.answer.count() > 0, %resource.item.answer.value.ordinal().sum(), {})",
    "%resource.item[0].answer.value.ordinal() + %resource.item[1].answer.value.ordinal()",
    "%resource.item.where($this.linkId != 'x').answer.value.ordinal().sum() // adds up",
]


def form(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return copy.deepcopy(
        {
            "resourceType": "Questionnaire",
            "status": "active",
            "language": "en",
            "title": "Small form",
            "copyright": "free to use",
            "item": list(items) or [question("a"), question("b"), question("c")],
            **changes,
        }
    )


def nine_questions() -> dict[str, Any]:
    """A form in the shape of a published panel: coded questions, a variable a question, a total
    that counts what is answered, and a last question without scores."""
    codes = ["44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5"]
    codes += ["44253-3", "44260-8"]
    items = []
    variables = []
    for at, code in enumerate(codes, start=1):
        options = [option(score, f"label {score}", f"LA{score}") for score in range(4)]
        coding = {"system": "http://loinc.org", "code": code, "display": f"Question {at}"}
        items.append(question(f"/{code}", code=[coding], answerOption=options))
        answered = f"%resource.item.where(linkId = '/{code}').answer.valueCoding.code"
        variables.append(
            {
                "url": "http://hl7.org/fhir/StructureDefinition/variable",
                "valueExpression": {
                    "name": f"q{at}",
                    "language": "text/fhirpath",
                    "expression": f"%questionnaire.item.where(linkId = '/{code}').answerOption"
                    f".where(valueCoding.code={answered}).extension.where(url='{ORDINAL}')"
                    ".valueDecimal",
                },
            }
        )
    some = " or ".join(f"%q{at}.exists()" for at in range(1, 10))
    terms = " + ".join(f"iif(%q{at}.exists(), %q{at}, 0)" for at in range(1, 10))
    summed = total(f"iif({some}, {terms}, {{}})", "/44261-6")
    summed["extension"] = [*variables, *summed["extension"]]
    last = question("/69722-7", answerOption=[option(None, label) for label in LABELS])
    panel = [{"system": "http://loinc.org", "code": "44249-1"}]
    return form(*items, summed, last, code=panel)


def read(resource: Any, known: list[MeasureDefinition] | None = None, **side: Any) -> Loaded:
    """What a form is read as; lower is better unless the test says otherwise."""
    data = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    return read_measure(data, side={"better": "lower", **side}, known=known or [])


def library() -> list[MeasureDefinition]:
    paths = sorted(LIBRARY.glob("*.toml"))
    return [parse_definition(path.read_text(encoding="utf-8")) for path in paths]
