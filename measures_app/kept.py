"""Measures, their versions and norms, and the plan, read anew only when a row of them changed.

Nearly every page asks for them and they change a few times a year. The database marks each change
of them (`MeasuresState`): one row tells whether what this process read still stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from measures_app.models import Measure, MeasurePlan, MeasuresState, MeasureVersion, NormRow
from sessions_app.context import forget, noted
from sessions_app.prepared import Prepared

NOTED = "measures"
# A version's whole document, which `definition_of` keeps read: not for each request again.
LONG_TEXTS = ("definition", "source_text")
_MARK = Prepared(lambda pks: MeasuresState.objects.filter(pk__in=pks).values_list("mark"))


@dataclass(frozen=True)
class Kept:
    """What was read together; shared by requests, so nobody writes on it."""

    measures: dict[int, Measure]
    versions: dict[int, MeasureVersion]  # each with its measure, oldest first within a measure
    norms: dict[int, NormRow]
    plan: tuple[MeasurePlan, ...]  # oldest first

    @cached_property
    def newest(self) -> dict[int, MeasureVersion]:
        """Of each measure the version that is asked from now on."""
        return {version.measure_id: version for version in self.versions.values()}

    @cached_property
    def titles(self) -> dict[str, str]:
        """Each measure's title by its code."""
        return {measure.code: measure.title for measure in self.measures.values()}

    @cached_property
    def borrowed(self) -> frozenset[str]:
        """Codes of measures whose newest default constants are only borrowed."""
        newest = {
            self.measures[norm.measure_id].code: norm.provisional
            for norm in sorted(self.norms.values(), key=lambda norm: (norm.from_on, norm.pk))
            if norm.default
        }
        return frozenset(code for code, provisional in newest.items() if provisional)

    @cached_property
    def roots(self) -> dict[int, int]:
        """Version to the oldest version whose scores are one series with its own.

        Equal scoring is one series; otherwise only a reviewed `comparable_with` joins two.
        """
        first: dict[tuple[int, str], int] = {}
        root: dict[int, int] = {}
        for pk, version in self.versions.items():
            other = version.comparable_with_id
            joined = root.get(other, pk) if other else pk
            root[pk] = first.setdefault((version.measure_id, version.scoring_hash), joined)
        return root

    def norms_of(self, measure_id: int) -> list[NormRow]:
        return [norm for norm in self.norms.values() if norm.measure_id == measure_id]


def _read() -> Kept:
    measures = {measure.pk: measure for measure in Measure.objects.all()}
    versions = MeasureVersion.objects.defer(*LONG_TEXTS).order_by("measure", "version")
    found = {version.pk: version for version in versions}
    for version in found.values():
        version.measure = measures[version.measure_id]
    return Kept(
        measures,
        found,
        {norm.pk: norm for norm in NormRow.objects.all()},
        tuple(MeasurePlan.objects.order_by("from_on", "pk")),
    )


_last: tuple[UUID, Kept] | None = None


def kept() -> Kept:
    """What stands now, in the eyes of this transaction; asked once in a unit of work."""
    return noted(NOTED, _standing)


def _standing() -> Kept:
    global _last
    ((mark,),) = _MARK.rows([1])
    last = _last
    if last is None or last[0] != mark:
        last = (mark, _read())
        _last = last
    return last[1]


@receiver([post_save, post_delete], sender=Measure)
@receiver([post_save, post_delete], sender=MeasureVersion)
@receiver([post_save, post_delete], sender=NormRow)
@receiver([post_save, post_delete], sender=MeasurePlan)
def _changed(sender: Any, **rest: Any) -> None:
    forget(NOTED)
