"""How a score is worked out, as FHIRPath that other software runs."""

from __future__ import annotations

from typing import Any

from measures_app.definitions import ItemDefinition, MeasureDefinition
from measures_app.fhir.documents import plain
from measures_app.fhir.urls import CALCULATED, ORDINAL, VARIABLE


def link_of(item: ItemDefinition) -> str:
    """What an item is called in questionnaires and responses."""
    return item.link_id or item.id


def is_boolean(item: ItemDefinition) -> bool:
    return [(c.get("system"), c["code"]) for c in item.answer_codes] == [
        (None, "false"),
        (None, "true"),
    ]


def group_paths(of: MeasureDefinition) -> dict[str, str]:
    """Where each group stands, as FHIRPath steps from the resource."""
    links = {str(g["id"]): str(g.get("link_id") or g["id"]) for g in of.groups}
    found: dict[str, str] = {"": ""}
    for group in of.groups:
        before = found[str(group.get("within", ""))]
        link = _quoted(links[str(group["id"])])
        found[str(group["id"])] = f"{before}.item.where(linkId = {link})"
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def calculation(
    of: MeasureDefinition, name: str, members: list[ItemDefinition]
) -> list[dict[str, Any]]:
    """`variable` and `calculatedExpression`: the score once every question is answered."""
    paths = group_paths(of)
    variables = []
    terms = []
    for at, item in enumerate(members, start=1):
        step = f"{paths[item.group]}.item.where(linkId = {_quoted(link_of(item))})"
        value = f"%resource{step}.answer.value"
        if is_boolean(item):
            value = f"{value}.select(iif($this, 1, 0))"
        elif item.choices:
            value = (
                f"%questionnaire{step}.answerOption.where(value.code = "
                f"%resource{step}.answer.value.code).extension.where(url = '{ORDINAL}').value"
            )
        variables.append((f"q{at}", value))
        ends = plain(item.low + item.high)
        terms.append(f"({ends:g} - %q{at})" if item.reverse else f"%q{at}")
    answered = " and ".join(f"%{variable}.exists()" for variable, _ in variables)
    total = " + ".join(terms)
    if of.rule == "mean":
        total = f"(({total}) / {len(members)}).round(1)"
    elif name == "total" and of.multiplier != 1:
        total = f"({total}) * {of.multiplier}"
    return [
        *(
            {
                "url": VARIABLE,
                "valueExpression": {
                    "name": variable,
                    "language": "text/fhirpath",
                    "expression": expression,
                },
            }
            for variable, expression in variables
        ),
        {
            "url": CALCULATED[0],
            "valueExpression": {
                "description": f"Score: {name}",
                "language": "text/fhirpath",
                "expression": f"iif({answered}, {total}, {{}})",
            },
        },
    ]
