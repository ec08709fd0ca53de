"""Measures as whoever reads numbers of them must know them: range, direction, lines, source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from measures_app import measures
from measures_app.models import Measure, NormRow
from sessions_app import clinic_time


@dataclass(frozen=True)
class Scale:
    """A measure with the constants in force, of one age group where they differ by age."""

    measure: str
    title: str
    low: float
    high: float
    better: str
    age_from: int | None
    age_to: int | None
    cutoff: float | None
    at_cutoff: str
    reliable_change: float | None
    at_change: str
    provisional: str
    source: str

    @property
    def sentence(self) -> str:
        said = _("%(low)g to %(high)g, higher is better") if self.better == "higher" else (
            _("%(low)g to %(high)g, lower is better"))  # fmt: skip
        parts = [said % {"low": self.low, "high": self.high}]
        if self.cutoff is not None:
            parts.append(_("clinical line %(line)g") % {"line": self.cutoff})
        if self.reliable_change is not None:
            words = _("reliable change %(n).3g or more") if self.at_change == "reliable" else (
                _("reliable change more than %(n).3g"))  # fmt: skip
            parts.append(words % {"n": self.reliable_change})
        if self.provisional:
            parts.append(self.provisional)
        return "; ".join(parts) + "."


def _in_force(measure: Measure) -> Iterator[NormRow | None]:
    """The newest default constants of each age group; None where a measure has none at all."""
    rows = NormRow.objects.filter(measure=measure, default=True, from_on__lte=clinic_time.today())
    newest = {(row.age_from, row.age_to): row for row in rows.order_by("from_on", "pk")}
    yield from newest.values() or [None]


def scales(codes: Iterable[str]) -> list[Scale]:
    """Of these measures, by code and age."""
    found = []
    for measure in Measure.objects.filter(code__in=set(codes)).order_by("code"):
        version = measures.current_version(measure)
        for norm in _in_force(measure):
            inclusive = measures.rc_inclusive(norm)
            change = measures.reliable_change_of(norm)
            found.append(
                Scale(
                    measure.code, str(measures.titles()[measure.code]), float(version.low),
                    float(version.high), version.better,
                    norm and norm.age_from, norm and norm.age_to, norm and norm.cutoff,
                    norm.at_cutoff if norm and norm.cutoff is not None else "", change,
                    "" if change is None else "reliable" if inclusive else "not reliable",
                    norm.provisional if norm else "", norm.source if norm else "",
                )
            )  # fmt: skip
    return found
