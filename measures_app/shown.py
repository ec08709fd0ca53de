"""A definition as a page shows it: what the client sees, and what staff are told about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from measures_app import measures
from measures_app.definitions import MeasureDefinition
from measures_app.models import Administration, Measure, MeasureVersion, NormRow
from measures_app.plans import Line, Plan
from sessions_app import clinic_time, policies
from sessions_app.context import acting_as, system

USED_WITHIN_DAYS = 90


@dataclass(frozen=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True)
class ItemShown:
    """One question in the client's words, with what staff need to know of its scoring."""

    label: str
    hint: str
    heading: str
    low: str
    high: str
    choices: tuple[Choice, ...]
    reverse: bool
    scored: bool
    shows_number: bool
    alert: str


def _choices(values: tuple[float, ...] | None, labels: list[str]) -> tuple[Choice, ...]:
    texts = [f"{value:g}" for value in values or ()]
    return tuple(Choice(text, label) for text, label in zip(texts, labels or texts, strict=True))


def items_of(definition: MeasureDefinition, words: dict[str, Any]) -> list[ItemShown]:
    """The questions in their order; what has no words shows its id."""
    texts = words.get("items", {})
    found = []
    for item in definition.items:
        text = texts.get(item.id, {})
        threshold = definition.alerts.get(item.id)
        found.append(
            ItemShown(
                label=text.get("label", item.id),
                hint=text.get("hint", ""),
                heading=text.get("heading", ""),
                low=text.get("low", f"{item.low:g}"),
                high=text.get("high", f"{item.high:g}"),
                choices=_choices(item.choices, list(text.get("choices", ()))),
                reverse=item.reverse,
                scored=item.scored,
                shows_number=item.shows_number,
                alert="" if threshold is None else f"{threshold:g}",
            )
        )
    return found


@dataclass(frozen=True)
class DefinitionShown:
    """A definition in one language; the preview of a file and the page of a measure share it."""

    definition: MeasureDefinition
    language: str
    words: dict[str, Any]
    items: list[ItemShown]
    ends_review: date | None

    @property
    def languages(self) -> list[str]:
        return sorted(self.definition.wording)

    @property
    def review_is_due(self) -> bool:
        return self.ends_review is not None and self.ends_review <= clinic_time.today()

    @property
    def subscales(self) -> list[tuple[str, int]]:
        return [(name, len(items)) for name, items in self.definition.subscales.items()]


def shown(definition: MeasureDefinition, language: str = "en") -> DefinitionShown:
    words = definition.words(language)
    spoken = definition.spoken(language) or language
    review = definition.next_review
    return DefinitionShown(
        definition,
        spoken,
        words,
        items_of(definition, words),
        date.fromisoformat(review) if review else None,
    )


@dataclass(frozen=True)
class NormShown:
    """A norm row with the threshold it comes to, and whether new scores are read with it."""

    row: NormRow
    reliable_change: float | None
    computed: bool
    in_use: bool
    waits: bool


def norms_of(measure: Measure) -> list[NormShown]:
    """Every row, newest first; of the defaults in force, those that win at some age are in use."""
    today = clinic_time.today()
    rows = list(measure.norms.select_related("added_by"))
    used = {
        norm.pk
        for age in (None, *range(121))
        if (norm := measures.choose_norm(rows, age, today)) is not None
    }
    return [
        NormShown(
            row,
            measures.reliable_change_of(row),
            row.reliable_change is None,
            row.pk in used,
            row.from_on > today,
        )
        for row in rows
    ]


@dataclass(frozen=True)
class VersionShown:
    version: MeasureVersion
    series: str  # same | other | joined | first


def versions_of(measure: Measure) -> list[VersionShown]:
    """Versions newest first, each with what became of the series."""
    rows = list(measure.versions.order_by("version"))
    found = []
    for before, row in zip([None, *rows], rows, strict=False):
        if before is None:
            series = "first"
        elif row.scoring_hash == before.scoring_hash:
            series = "same"
        else:
            series = "joined" if row.comparable_with_id else "other"
        found.append(VersionShown(row, series))
    return found[::-1]


def planned(measure: Measure) -> list[Line]:
    """Lines of today's plan that name the measure, or ask for its purpose of those it is for."""
    rater = {"client": "self"}.get(measure.rater, measure.rater)
    return [
        line
        for line in Plan().on(clinic_time.today())
        if line.measure_id == measure.pk
        or (line.purpose == measure.purpose and line.relation == rater)
    ]


def times_taken(measure: Measure) -> int | None:
    """How often it was taken lately in the whole clinic; None under the limit of small cells."""
    since = clinic_time.today() - timedelta(days=USED_WITHIN_DAYS)
    # A count over everybody, whoever looks: it says nothing about anyone.
    with acting_as(system("catalogue")):
        count = (
            Administration.objects.current()
            .filter(measure=measure, not_taken="", taken_on__gte=since)
            .count()
        )
    return None if count < policies.get("small_cell_limit") else count
