"""Measures in the database: the bundled library, versions, norms, and which one is asked.

`sync_library` is idempotent: a definition whose text is known changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Max

from measures_app.definition_reader import parse_definition
from measures_app.definitions import MeasureDefinition
from measures_app.kept import kept
from measures_app.models import Measure, MeasureVersion, NormRow, Wording
from measures_app.psychometrics.norms import reliable_change_threshold
from sessions_app import audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import system

LIBRARY = Path(__file__).parent / "library"


def checksum(content: Any) -> str:
    """Hash by which a text or a row is known again."""
    text = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _add_norms(measure: Measure, definition: MeasureDefinition) -> None:
    for row in definition.norms:
        digest = checksum(row)
        if measure.norms.filter(checksum=digest).exists():
            continue
        values = dict(row)
        values["from_on"] = date.fromisoformat(str(values.get("from_on", "2026-01-01")))
        values.setdefault("population", "")
        NormRow.objects.create(measure=measure, checksum=digest, **values)


def _measure_of(definition: MeasureDefinition) -> Measure:
    """The measure a definition belongs to, locked; what it is for and who answers stay."""
    Measure.objects.get_or_create(
        code=definition.code,
        defaults={
            "title": definition.title,
            "purpose": definition.purpose,
            "rater": definition.rater,
        },
    )
    measure = Measure.objects.select_for_update().get(code=definition.code)
    for name in ("purpose", "rater"):
        was, now = getattr(measure, name), getattr(definition, name)
        if was != now:
            raise ValidationError(
                {name: f"{measure.code} is a measure with {name} {was}, not {now}: choose a code."}
            )
    if measure.title != definition.title:
        measure.title = definition.title
        measure.save(update_fields=["title"])
    return measure


def _continued(measure: Measure, definition: MeasureDefinition) -> MeasureVersion | None:
    """The version whose series a definition continues by review, if it names one."""
    if not definition.comparable_with:
        return None
    found = measure.versions.filter(scoring_hash=definition.comparable_with).first()
    if found is None:
        raise ValidationError(
            {"comparable_with": f"No version of {measure.code} has this scoring hash."}
        )
    here = (definition.low, definition.high, definition.better)
    if (float(found.low), float(found.high), found.better) != here:
        raise ValidationError(
            {"comparable_with": "Series of different range or direction can't be joined."}
        )
    # A chain of joins is one series, named by its first version.
    return found.comparable_with or found


@action
def load_definition(definition: MeasureDefinition, *, source_text: str, by: Any) -> MeasureVersion:
    """Keep a definition as a new version of its measure; a known text changes nothing.

    Raises
    ------
    ValidationError
        If the code belongs to a measure for another purpose or rater, or `comparable_with`
        joins what can't be joined.
    """
    rights.require(by, "manage_measures")
    measure = _measure_of(definition)
    digest = checksum(source_text)
    known = measure.versions.filter(checksum=digest).first()
    if known is not None:
        return known
    comparable = _continued(measure, definition)
    number = (measure.versions.aggregate(n=Max("version"))["n"] or 0) + 1
    version = MeasureVersion.objects.create(
        measure=measure,
        version=number,
        definition=definition.to_dict(),
        source_text=source_text,
        checksum=digest,
        scoring_hash=definition.scoring_hash,
        comparable_with=comparable,
        low=definition.low,
        high=definition.high,
        step=definition.step,
        better=definition.better,
        age_from=definition.age_from,
        age_to=definition.age_to,
    )
    Wording.objects.bulk_create(
        Wording(version=version, language=language, text=text)
        for language, text in definition.wording.items()
    )
    _add_norms(measure, definition)
    audit.record(
        "measure loaded", subject_kind="measure", subject=measure.code, by=by, version=number
    )
    return version


def sync_library() -> list[MeasureVersion]:
    """Load the bundled measures that aren't there yet; call within a unit of work."""
    by = system("library")
    versions = []
    for path in sorted(LIBRARY.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        known = MeasureVersion.objects.filter(checksum=checksum(text)).first()
        versions.append(known or load_definition(parse_definition(text), source_text=text, by=by))
    return versions


def get_measure(code: str) -> Measure:
    """The measure by its code.

    Raises
    ------
    Measure.DoesNotExist
    """
    return Measure.objects.get(code=code)


def current_version(measure: Measure) -> MeasureVersion:
    """The newest version: what is asked from now on."""
    version = kept().newest.get(measure.pk)
    if version is None:
        raise MeasureVersion.DoesNotExist(f"{measure.code} has no version.")
    return version


def titles() -> dict[str, str]:
    """Each measure's title by its code."""
    return kept().titles


def borrowed() -> frozenset[str]:
    """Codes of measures whose newest default constants are only borrowed."""
    return kept().borrowed


def current_definitions() -> list[MeasureDefinition]:
    """The newest definition of every measure."""
    newest = MeasureVersion.objects.order_by("measure_id", "-version").distinct("measure_id")
    return [MeasureDefinition.from_dict(version.definition) for version in newest]


def norm_for(measure: Measure, age: int | None = None) -> NormRow | None:
    """The norm row a new score is read with: the newest default in force that covers the age."""
    return choose_norm(kept().norms_of(measure.pk), age, clinic_time.today())


def choose_norm(rows: Iterable[NormRow], age: int | None, on: date) -> NormRow | None:
    """Of a measure's rows the one that holds for an age on a day; without one, the newest."""
    held = sorted(
        (row for row in rows if row.default and row.from_on <= on),
        key=lambda row: (row.from_on, row.pk),
        reverse=True,
    )
    for row in held:
        too_young = age is not None and row.age_from is not None and age < row.age_from
        too_old = age is not None and row.age_to is not None and age > row.age_to
        if not too_young and not too_old:
            return row
    return held[0] if held else None


def reliable_change_of(norm: NormRow | None) -> float | None:
    """The published threshold, or the one that follows from SD and reliability."""
    if norm is None:
        return None
    if norm.reliable_change is not None:
        return norm.reliable_change
    if norm.sd is not None and norm.reliability is not None:
        return reliable_change_threshold(norm.sd, norm.reliability)
    return None


def rc_inclusive(norm: NormRow | None) -> bool:
    """Published whole-number thresholds are inclusive, computed ones strict."""
    return norm is not None and norm.reliable_change is not None and norm.rc_inclusive


_READ: dict[tuple[int, str], MeasureDefinition] = {}


def definition_of(version: MeasureVersion) -> MeasureDefinition:
    """What a version says; versions are immutable, so what was read once stays true."""
    key = (version.pk, version.checksum)
    if key not in _READ:
        _READ[key] = MeasureDefinition.from_dict(version.definition)
    return _READ[key]
