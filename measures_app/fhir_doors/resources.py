"""The four kinds of resources: what each is made from, and what it can be asked."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.db.models.functions import Greatest

from measures_app import answers_out, fhir, measures
from measures_app.fhir.urls import CLIENT_SYSTEM, SCORE_SYSTEM
from measures_app.fhir_doors.asking import LARGEST_ID, Page, Refused, one_of, token, within
from measures_app.models import Administration, MeasureVersion
from sessions_app.models import Client

Found = list[tuple[int, int, dict[str, Any]]]  # key and part of a row, and the resource it gives
NOTHING = Q(pk__in=[])


def _key(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\d{1,18}", text) and int(text) <= LARGEST_ID else None


def _keys(text: str) -> Q:
    return Q(pk__in=[key for part in text.split(",") if (key := _key(part)) is not None])


class Kind(ABC):
    """One resource type: rows within somebody's scope, each giving one or more resources."""

    name: ClassVar[str]
    rights: ClassVar[tuple[str, ...]]
    about: ClassVar[dict[str, str]]  # parameter -> its FHIR type, for the statement of what we do

    @abstractmethod
    def rows(self, user: Any) -> QuerySet[Any]:
        """What somebody may see, with all that a resource is made from."""

    @abstractmethod
    def offered(self) -> Mapping[str, Callable[[str], Q]]:
        """The conditions that a search can put, by parameter."""

    @abstractmethod
    def made_of(self, row: Any) -> list[dict[str, Any]]:
        """The row's resources, in an order that never changes."""

    def client_of(self, row: Any) -> Client | None:
        return None

    def one(self, user: Any, name: str) -> tuple[Any, dict[str, Any]] | None:
        """The row and resource with this id; None when it is absent or out of scope."""
        key = _key(name)
        row = None if key is None else self.rows(user).filter(pk=key).first()
        return None if row is None else (row, self.made_of(row)[0])

    def some(self, user: Any, conditions: Q, page: Page) -> Found:
        """At most one more than the page holds, so that it is known whether there is a next."""
        key, part = page.after
        rows = self.rows(user).filter(conditions, pk__gte=key).order_by("pk")
        found: Found = []
        for row in rows.iterator(chunk_size=page.count + 2):
            for number, resource in enumerate(self.made_of(row), start=1):
                if (row.pk, number) > (key, part) and self.wanted(resource):
                    found.append((row.pk, number, resource))
            if len(found) > page.count:
                break
        return found[: page.count + 1]

    def wanted(self, resource: dict[str, Any]) -> bool:
        return True


class Patient(Kind):
    """A client by their code: no name, contact or birth date leaves through this door."""

    name = "Patient"
    rights = ("see_clinical", "see_registry")
    about: ClassVar[dict[str, str]] = {"_id": "token", "identifier": "token"}

    def rows(self, user: Any) -> QuerySet[Client]:
        return Client.objects.registered_to(user).unrestricted()

    def offered(self) -> Mapping[str, Callable[[str], Q]]:
        return {
            "_id": lambda text: Q(code__in=text.split(",")),
            "identifier": lambda text: Q(code=token(text, CLIENT_SYSTEM)),
        }

    def made_of(self, row: Client) -> list[dict[str, Any]]:
        identifier = {"system": CLIENT_SYSTEM, "value": row.code}
        return [{"resourceType": "Patient", "id": row.code, "identifier": [identifier]}]

    def client_of(self, row: Client) -> Client:
        return row

    def one(self, user: Any, name: str) -> tuple[Any, dict[str, Any]] | None:
        row = self.rows(user).filter(code=name).first()
        return None if row is None else (row, self.made_of(row)[0])


class Questionnaire(Kind):
    """A measure's version: what was asked, and how it is scored."""

    name = "Questionnaire"
    rights = ("see_clinical", "see_registry", "see_aggregates", "manage_measures")
    about: ClassVar[dict[str, str]] = {"_id": "token", "url": "uri", "version": "token"}

    def rows(self, user: Any) -> QuerySet[MeasureVersion]:
        return MeasureVersion.objects.select_related("measure")

    def offered(self) -> Mapping[str, Callable[[str], Q]]:
        return {
            "_id": self._by_id,
            "url": lambda text: Q(pk__in=[v.pk for v in versions_at(text)]),
            "version": lambda text: Q(version=text) if _key(text) else NOTHING,
        }

    def _by_id(self, text: str) -> Q:
        found = NOTHING
        for name in text.split(","):
            code, _, version = name.rpartition(".")
            if _key(version):
                found |= Q(measure__code=code, version=version)
        return found

    def made_of(self, row: MeasureVersion) -> list[dict[str, Any]]:
        form = fhir.to_questionnaire(measures.definition_of(row), version=str(row.version))
        return [{**form, "id": f"{row.measure.code}.{row.version}"}]

    def one(self, user: Any, name: str) -> tuple[Any, dict[str, Any]] | None:
        row = self.rows(user).filter(self._by_id(name.replace(",", ""))).first()
        return None if row is None else (row, self.made_of(row)[0])


def versions_at(text: str) -> list[MeasureVersion]:
    """The versions of a measure behind `url` or `url|version`."""
    url, _, version = text.partition("|")
    return [
        row
        for row in MeasureVersion.objects.select_related("measure")
        if fhir.url_of(measures.definition_of(row)) == url and version in ("", str(row.version))
    ]


STATUS = {
    "completed": Q(supersedes=None, superseded_at=None, voided=False),
    "amended": Q(supersedes__isnull=False, superseded_at=None, voided=False),
    "entered-in-error": Q(superseded_at__isnull=False) | Q(voided=True),
}


def _any(conditions: list[Q]) -> Q:
    found = NOTHING
    for condition in conditions:
        found |= condition
    return found


def _patient(text: str) -> Q:
    return Q(client__code=text.removeprefix("Patient/"))


class Answers(Kind):
    """What both kinds made from administrations share."""

    rights = ("see_clinical",)

    def rows(self, user: Any) -> QuerySet[Administration]:
        return (
            Administration.objects.visible_to(user)
            .unrestricted()
            .filter(not_taken="")
            .select_related("client", "respondent", "version__measure", "supersedes")
            .annotate(changed_at=Greatest("recorded_at", "superseded_at", "voided_at"))
        )

    def client_of(self, row: Administration) -> Client:
        return row.client

    def shared(self) -> dict[str, Callable[[str], Q]]:
        return {
            "patient": _patient,
            "subject": _patient,
            "_lastUpdated": lambda text: within("changed_at", text),
        }

    def read_of(self, row: Administration) -> fhir.Answered:
        return answers_out.answered(row)

    def common(self, row: Administration, resource: dict[str, Any]) -> dict[str, Any]:
        """What a resource says more once it has an address of its own."""
        changed = row.changed_at.isoformat()  # type: ignore[attr-defined]  # annotated
        return {
            **resource,
            "meta": {"lastUpdated": changed},
            # What a correction replaced must not go on counting in a copy kept elsewhere.
            **({"status": "entered-in-error"} if row.superseded_at else {}),
            "subject": {**resource["subject"], "reference": f"Patient/{row.client.code}"},
        }


class QuestionnaireResponse(Answers):
    name = "QuestionnaireResponse"
    about: ClassVar[dict[str, str]] = {
        "_id": "token", "patient": "reference", "subject": "reference", "_lastUpdated": "date",
        "authored": "date", "status": "token", "questionnaire": "reference",
    }  # fmt: skip

    def offered(self) -> Mapping[str, Callable[[str], Q]]:
        return {
            "_id": _keys,
            **self.shared(),
            "authored": lambda text: within("taken_at", text),
            "status": lambda text: _any(one_of(text, STATUS, "status")),
            "questionnaire": lambda text: Q(version__in=versions_at(text)),
        }

    def made_of(self, row: Administration) -> list[dict[str, Any]]:
        found = self.common(row, fhir.to_response(self.read_of(row)))
        return [{**found, "id": str(row.pk)}]


class Observation(Answers):
    """A score: `<administration>-<number>`, where 1 is the total and others are its parts."""

    name = "Observation"
    about: ClassVar[dict[str, str]] = {
        "_id": "token", "patient": "reference", "subject": "reference", "_lastUpdated": "date",
        "date": "date", "status": "token", "code": "token", "category": "token",
    }  # fmt: skip
    statuses: ClassVar[dict[str, Q]] = {
        "final": STATUS["completed"],
        "corrected": STATUS["amended"],
        "entered-in-error": STATUS["entered-in-error"],
    }

    def __init__(self) -> None:
        self.only: set[str] | None = None  # asked for by _id
        self.codes: set[str] | None = None  # our own codes of the scores asked for by code

    def offered(self) -> Mapping[str, Callable[[str], Q]]:
        return {
            "_id": self._by_id,
            **self.shared(),
            "date": lambda text: within("taken_at", text),
            "status": lambda text: _any(one_of(text, self.statuses, "status")),
            "code": self._by_code,
            "category": lambda text: Q() if text.rpartition("|")[2] == "survey" else NOTHING,
        }

    def _by_id(self, text: str) -> Q:
        self.only = (self.only or set()) | set(text.split(","))
        return _keys(",".join(name.partition("-")[0] for name in text.split(",")))

    def _by_code(self, text: str) -> Q:
        """By our own code of a score or by one that its definition names, LOINC's say."""
        if self.codes is not None:
            raise Refused("code can be asked once; a comma means either.")
        self.codes, versions = set(), set()
        for version in MeasureVersion.objects.select_related("measure"):
            for own, codes in codes_of(version):
                if any(_says(code, part) for code in codes for part in text.split(",")):
                    versions.add(version.pk)
                    self.codes.add(own)
        return Q(version__in=versions)

    def made_of(self, row: Administration) -> list[dict[str, Any]]:
        found = []
        answered = self.read_of(row)
        for number, plain in enumerate(fhir.to_observations(answered), start=1):
            derived = {"reference": f"QuestionnaireResponse/{row.pk}"}
            whole = self.common(row, plain)
            found.append({**whole, "id": f"{row.pk}-{number}", "derivedFrom": [derived]})
        return found

    def wanted(self, resource: dict[str, Any]) -> bool:
        if self.only is not None and resource["id"] not in self.only:
            return False
        codings = resource["code"]["coding"]
        return self.codes is None or any(c["code"] in self.codes for c in codings)

    def one(self, user: Any, name: str) -> tuple[Any, dict[str, Any]] | None:
        key = _key(name.partition("-")[0])
        row = None if key is None else self.rows(user).filter(pk=key).first()
        made = self.made_of(row) if row is not None else []
        return next(((row, found) for found in made if found["id"] == name), None)


def codes_of(version: MeasureVersion) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """Each score of a version: our own code, and all codes that mean it."""
    definition = measures.definition_of(version)
    for name in ("total", *definition.subscales):
        own = f"{definition.code}:{name}"
        named = definition.scores.get(name, {}).get("codes", ())
        yield own, [*(dict(code) for code in named), {"system": SCORE_SYSTEM, "code": own}]


def _says(code: Mapping[str, str], text: str) -> bool:
    system, bar, value = text.rpartition("|")
    return code.get("code") == value and (not bar or code.get("system") == system)


KINDS: dict[str, type[Kind]] = {
    kind.name: kind for kind in (Patient, Questionnaire, QuestionnaireResponse, Observation)
}
