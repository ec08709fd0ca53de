"""Answers on their way out: a QuestionnaireResponse and an Observation a score."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from measures_app.definitions import ItemDefinition, MeasureDefinition
from measures_app.fhir.documents import plain
from measures_app.fhir.export import answer_of, link_of, score_link, score_names, url_of
from measures_app.fhir.urls import CLIENT_SYSTEM, SCORE_SYSTEM, UCUM

CATEGORY = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "survey",
            "display": "Survey",
        }
    ]
}
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
STATUSES = ("completed", "amended", "entered-in-error")


@dataclass(frozen=True)
class Answered:
    """One administration, as plain values.

    Parameters
    ----------
    definition : MeasureDefinition
        The version it was asked with.
    version : str
        What the exported Questionnaire calls that version.
    key : uuid.UUID
        The same for the same administration at every export.
    client : str
        The client's code: no name leaves with answers.
    answers : mapping or None
        By item id, None for untouched; None where only the total is known.
    status : {"completed", "amended", "entered-in-error"}
    """

    definition: MeasureDefinition
    version: str
    key: uuid.UUID
    client: str
    taken_at: datetime
    recorded_at: datetime
    answers: Mapping[str, Any] | None = None
    total: Decimal | None = None
    subscales: Mapping[str, Any] = field(default_factory=dict)
    prorated: bool = False
    language: str = ""
    respondent: str = ""  # "" is the client
    status: str = "completed"

    @property
    def subject(self) -> dict[str, Any]:
        identifier = {"system": CLIENT_SYSTEM, "value": self.client}
        return {"type": "Patient", "identifier": identifier}

    @property
    def source(self) -> dict[str, Any]:
        if not self.respondent:
            return self.subject
        return {"type": "RelatedPerson", "display": self.respondent}

    def scores(self) -> dict[str, Decimal | None]:
        """Total and subscales by name; None where too much is missing."""
        found: dict[str, Decimal | None] = {"total": self.total}
        for name in self.definition.subscales:
            value = self.subscales.get(name)
            found[name] = None if value is None else Decimal(str(value))
        return found


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _address(key: uuid.UUID, name: str = "") -> str:
    return f"urn:uuid:{uuid.uuid5(key, name) if name else key}"


def to_response(answered: Answered) -> dict[str, Any]:
    """The QuestionnaireResponse of an administration; untouched items aren't in it."""
    definition = answered.definition
    words = definition.words(answered.language).get("items", {})
    given = {
        item.id: value
        for item in definition.items
        if (value := (answered.answers or {}).get(item.id)) not in (None, "")
    }
    items = _tree(definition, given, words)
    for name in score_names(definition):
        value = answered.scores().get(name)
        if value is not None:
            items.append(
                {
                    "linkId": score_link(definition, name),
                    "answer": [{"valueDecimal": plain(value)}],
                }
            )
    return {
        "resourceType": "QuestionnaireResponse",
        **({"language": answered.language} if answered.language else {}),
        "identifier": {"system": "urn:ietf:rfc:3986", "value": _address(answered.key)},
        "questionnaire": f"{url_of(definition)}|{answered.version}",
        "status": answered.status,
        "subject": answered.subject,
        "authored": _moment(answered.taken_at),
        "source": answered.source,
        "item": items,
    }


def _tree(
    definition: MeasureDefinition, given: Mapping[str, Any], words: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The answered items within their groups, as the Questionnaire has them."""
    groups = {str(group["id"]): group for group in definition.groups}
    opened: dict[str, list[dict[str, Any]]] = {"": []}

    def place(name: str) -> list[dict[str, Any]]:
        if name not in opened:
            group = groups[name]
            entry: dict[str, Any] = {"linkId": str(group.get("link_id") or name), "item": []}
            place(str(group.get("within", ""))).append(entry)
            opened[name] = entry["item"]
        return opened[name]

    for item in definition.items:
        if item.id in given:
            place(item.group).append(_answer(item, given[item.id], words.get(item.id, {})))
    return opened[""]


def _answer(item: ItemDefinition, value: Any, words: Mapping[str, Any]) -> dict[str, Any]:
    text = str(words.get("label", ""))
    return {
        "linkId": link_of(item),
        **({"text": text} if text else {}),
        "answer": [answer_of(item, Decimal(str(value)), dict(words))],
    }


def to_observations(answered: Answered) -> list[dict[str, Any]]:
    """One Observation a score; a score that can't be given says why it is absent."""
    return [_observation(answered, name, value) for name, value in answered.scores().items()]


def _observation(answered: Answered, name: str, value: Decimal | None) -> dict[str, Any]:
    definition = answered.definition
    table = definition.scores.get(name, {})
    label = definition.words(answered.language).get("scores", {}).get(name)
    text = label or (definition.title if name == "total" else f"{definition.title}: {name}")
    ours = {"system": SCORE_SYSTEM, "code": f"{definition.code}:{name}", "display": text}
    statuses = {"completed": "final", "amended": "corrected"}
    found: dict[str, Any] = {
        "resourceType": "Observation",
        "identifier": [
            {"system": "urn:ietf:rfc:3986", "value": _address(answered.key, f"score {name}")}
        ],
        "status": statuses.get(answered.status, answered.status),
        "category": [CATEGORY],
        "code": {"coding": [*(dict(code) for code in table.get("codes", ())), ours], "text": text},
        "subject": answered.subject,
        "effectiveDateTime": _moment(answered.taken_at),
        "issued": _moment(answered.recorded_at),
        "derivedFrom": [{"reference": _address(answered.key)}],
    }
    if value is None:
        absent = {"system": ABSENT, "code": "unknown", "display": "Unknown"}
        found["dataAbsentReason"] = {"coding": [absent], "text": "too few items answered"}
    else:
        found["valueQuantity"] = {
            "value": plain(value),
            "unit": str(table.get("unit") or "{score}").strip("{}"),
            "system": UCUM,
            "code": "{score}",
        }
    if answered.prorated and name == "total":
        found["note"] = [{"text": "Pro-rated: unanswered items count as the mean of the others."}]
    return found


def to_bundle(
    all_answered: Sequence[Answered], questionnaires: Mapping[str, dict[str, Any]], made: datetime
) -> dict[str, Any]:
    """Everything of some administrations in one file, with the questionnaires they answer.

    Parameters
    ----------
    all_answered : sequence of Answered
    questionnaires : mapping of address to Questionnaire
        Each once, by an address that is the same at every export.
    made : datetime
        When the file was made.
    """
    entries = [{"fullUrl": url, "resource": form} for url, form in questionnaires.items()]
    for answered in all_answered:
        entries.append({"fullUrl": _address(answered.key), "resource": to_response(answered)})
        for name, observation in zip(answered.scores(), to_observations(answered), strict=True):
            address = _address(answered.key, f"score {name}")
            entries.append({"fullUrl": address, "resource": observation})
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _moment(made),
        **({"entry": entries} if entries else {}),
    }
