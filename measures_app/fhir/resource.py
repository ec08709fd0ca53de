"""Is this an R4 Questionnaire? Its shape and its version, before its meaning."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from measures_app.fhir.report import Report, refuse

QUESTIONNAIRE = frozenset(
    (
        "resourceType", "id", "meta", "implicitRules", "language", "text", "contained", "extension",
        "modifierExtension", "url", "identifier", "version", "name", "title", "derivedFrom",
        "status", "experimental", "subjectType", "date", "publisher", "contact", "description",
        "useContext", "jurisdiction", "purpose", "copyright", "approvalDate", "lastReviewDate",
        "effectivePeriod", "code", "item",
    )
)  # fmt: skip
ITEM = frozenset(
    (
        "id", "extension", "modifierExtension", "linkId", "definition", "code", "prefix", "text",
        "type", "enableWhen", "enableBehavior", "required", "repeats", "readOnly", "maxLength",
        "answerValueSet", "answerOption", "initial", "item",
    )
)  # fmt: skip
OPTION = frozenset(
    (
        "id", "extension", "modifierExtension", "valueInteger", "valueDate", "valueTime",
        "valueString", "valueCoding", "valueReference", "initialSelected",
    )
)  # fmt: skip
TYPES = frozenset(
    (
        "group", "display", "question", "boolean", "decimal", "integer", "date", "dateTime", "time",
        "string", "text", "url", "choice", "open-choice", "attachment", "reference", "quantity",
    )
)  # fmt: skip
# Elements and types that only the named version has.
R5_ROOT = ("versionAlgorithmString", "versionAlgorithmCoding", "copyrightLabel")
R5_ITEM = ("disabledDisplay", "answerConstraint")
STU3_ITEM = ("option", "options")
STU3_WHEN = "hasAnswer"
ADVICE = "ask the sender for FHIR R4 (4.0.1), or convert it with the sender's own tool"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def tables(value: Any) -> list[dict[str, Any]]:
    """The objects of an array; what is no object is left to `check_shape`."""
    return [entry for entry in as_list(value) if isinstance(entry, dict)]


def extensions(element: Any, *urls: str) -> list[dict[str, Any]]:
    if not isinstance(element, dict):
        return []
    return [e for e in tables(element.get("extension")) if e.get("url") in urls]


def value_of(element: dict[str, Any]) -> tuple[str, Any]:
    """The `value[x]` of an extension or answer: (type, value); ("", None) where it has none."""
    for key, value in element.items():
        if key.startswith("value") and key[5:6].isupper():
            return key[5:], value
    return "", None


def parts_of(extension: dict[str, Any]) -> dict[str, Any]:
    """The values of the extensions within an extension, by their urls."""
    return {str(part.get("url")): value_of(part)[1] for part in tables(extension.get("extension"))}


def walk(items: Any, where: str = "") -> Iterator[tuple[dict[str, Any], str]]:
    """Every item, outer before inner, with its name for messages."""
    for position, item in enumerate(tables(items), start=1):
        link = item.get("linkId")
        name = f"item “{link}”" if isinstance(link, str) else f"{where}item {position}"
        yield item, name
        yield from walk(item.get("item"), f"{name}, ")


def foreign_version(questionnaire: dict[str, Any]) -> str:
    """ "R5 (…)" or "STU3 (…)" where an element says so; empty for what may be R4."""
    for key in R5_ROOT:
        if key in questionnaire:
            return f"R5 (it has “{key}”)"
    if "group" in questionnaire:
        return "DSTU2 (it has “group”)"
    for item, where in walk(questionnaire.get("item")):
        for key in R5_ITEM:
            if key in item:
                return f"R5 ({where} has “{key}”)"
        if item.get("type") == "coding":
            return f"R5 ({where} has the type “coding”)"
        for key in STU3_ITEM:
            if key in item:
                return f"STU3 ({where} has “{key}”)"
        if any(STU3_WHEN in condition for condition in tables(item.get("enableWhen"))):
            return f"STU3 ({where} has “{STU3_WHEN}”)"
    return ""


def expect_questionnaire(resource: dict[str, Any]) -> None:
    """Refuse what is no R4 Questionnaire, saying what it is.

    Raises
    ------
    FhirProblem
    """
    kind = resource.get("resourceType")
    if kind == "Bundle":
        inside = [e.get("resource") for e in tables(resource.get("entry"))]
        held = sum(isinstance(r, dict) and r.get("resourceType") == "Questionnaire" for r in inside)
        raise refuse(f"a Bundle ({held} Questionnaires inside): save one Questionnaire by itself")
    if kind == "QuestionnaireResponse":
        raise refuse("a QuestionnaireResponse holds answers; a measure is a Questionnaire")
    if kind != "Questionnaire":
        said = f"resourceType is “{str(kind)[:60]}”" if kind else "resourceType is missing"
        raise refuse(f"not a Questionnaire: {said}")
    version = foreign_version(resource)
    if version:
        raise refuse(f"the Questionnaire is FHIR {version}, and R4 is read: {ADVICE}")


def _check_keys(element: dict[str, Any], allowed: frozenset[str], where: str, out: Report) -> None:
    for key in element:
        if key.removeprefix("_") in allowed or (key == "fhir_comments"):
            continue
        near = difflib.get_close_matches(key, sorted(allowed), 1, 0.6)
        hint = f"; did you mean “{near[0]}”?" if near else ""
        out.fault(where, f"“{key[:60]}” is no element of FHIR R4 here{hint}")
    if element.get("modifierExtension"):
        out.fault(where, "has a modifierExtension, which changes its meaning in a way not known")


def check_shape(questionnaire: dict[str, Any], out: Report) -> None:
    """Elements, types and link ids, everywhere; faults go to `out`."""
    _check_keys(questionnaire, QUESTIONNAIRE, "Questionnaire", out)
    if questionnaire.get("implicitRules"):
        out.fault("Questionnaire", "has implicitRules, which change its meaning")
    for key in ("item", "contained", "extension", "code"):
        _check_array(questionnaire, key, "Questionnaire", out)
    seen: set[str] = set()
    for item, where in walk(questionnaire.get("item")):
        _check_keys(item, ITEM, where, out)
        for key in ("item", "extension", "code", "answerOption", "enableWhen", "initial"):
            _check_array(item, key, where, out)
        link = item.get("linkId")
        if not isinstance(link, str) or not link.strip():
            out.fault(where, "has no linkId")
        elif link in seen:
            out.fault(where, "the linkId stands twice; each item needs its own")
        else:
            seen.add(link)
        kind = item.get("type")
        if not isinstance(kind, str) or kind not in TYPES:
            out.fault(where, f"the type “{str(kind)[:40]}” is none of FHIR R4")
        for flag in ("required", "repeats", "readOnly"):
            if not isinstance(item.get(flag, False), bool):
                out.fault(where, f"“{flag}” must be true or false, without quotes")
        for position, option in enumerate(tables(item.get("answerOption")), start=1):
            _check_keys(option, OPTION, f"{where}, option {position}", out)
    if not seen and not out.faults:
        out.fault("Questionnaire", "has no items")


def _check_array(element: dict[str, Any], key: str, where: str, out: Report) -> None:
    value = element.get(key)
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        out.fault(where, f"“{key}” must be an array of objects")


__all__ = [
    "as_list",
    "check_shape",
    "expect_questionnaire",
    "extensions",
    "foreign_version",
    "parts_of",
    "tables",
    "value_of",
    "walk",
]
