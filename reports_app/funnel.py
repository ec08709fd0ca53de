"""Do programmes, sites or clinicians differ by more than chance, and by more than people do?

Outcome is last score minus expected from the start, in SDs of first scores, less the mean of all
units shown. The lines allow for chance and for the true spread between clinicians
(docs/methods.md, groups): without it nearly a third of them would lie outside. Nothing is said
of fewer than FEWEST endings, nobody is ranked, and clinicians stand under codes of one period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
from django.db.models import Count, F, Sum
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app.charts import FunnelFigure, FunnelPoint
from measures_app.psychometrics.multilevel import FEWEST_EPISODES as FEWEST
from measures_app.psychometrics.multilevel import funnel_limits
from reports_app import figures
from reports_app.extract import CLINIC, Scope
from reports_app.periods import Period
from reports_app.spread import residuals
from sessions_app import policies
from sessions_app.models import Clinician, Programme, Site

CLINICIAN = "clinician"
BY: dict[str, Any] = {
    "programme": gettext_lazy("programme"),
    "site": gettext_lazy("site"),
    CLINICIAN: gettext_lazy("clinician, coded"),
}
INNER, OUTER = 0.95, 0.998
POLICY = "clinician_numbers_for_directors"
DRAWN = 40  # points of a line


@dataclass(frozen=True)
class Part:
    """What one clinician's endings in one unit add up to."""

    unit: int
    clinician: int
    n: int
    total: float
    squares: float


@dataclass(frozen=True)
class Unit:
    """A unit's difference from the rest, better positive, and how far from 0 it may lie.

    None where too few ended: nor is it said how few.
    """

    name: str
    n: int | None = None
    value: float | None = None
    inner: float | None = None
    outer: float | None = None

    @property
    def beyond(self) -> int:
        return 0 if self.value is None else self._point.beyond

    @property
    def _point(self) -> FunnelPoint:
        return FunnelPoint(
            self.name, self.n or 0, self.value or 0.0, self.inner or 0.0, self.outer or 0.0
        )

    @property
    def words(self) -> str:
        """What may be said of the difference."""
        if self.value is None:
            return _("too few to say")
        if self.beyond == 0:
            return _("as chance and people's own differences allow")
        further = self.value > 0
        if self.beyond == 1:
            return (_("further along than the rest, perhaps by chance") if further
                    else _("less far than the rest, perhaps by chance"))  # fmt: skip
        return (_("further along than the rest, by more than chance") if further
                else _("less far than the rest, by more than chance"))  # fmt: skip


@dataclass(frozen=True)
class Funnel:
    """Units in their own order; `lines` where one clinician is a unit."""

    units: list[Unit]
    mean: float | None  # of all units shown, against what was expected
    lines: list[tuple[float, float, float]]

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Funnel:
        units = [Unit(**row) for row in kept["units"]]
        return cls(units, kept["mean"], [(a, b, c) for a, b, c in kept["lines"]])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def shown(self) -> list[Unit]:
        return [unit for unit in self.units if unit.value is not None]

    def figure(self, title: str) -> FunnelFigure:
        return FunnelFigure(title, [unit._point for unit in self.shown], self.lines)


def clinicians_since() -> date | None:
    """From when on directors may see clinicians' numbers; None where they may not."""
    return policies.since(POLICY)


def _parts(period: Period, by: str, scope: Scope) -> list[Part]:
    known = residuals()
    if known is None:
        return []
    rows = known.filter(closed_on__gte=period.start, closed_on__lte=period.end, **scope.of())
    if by == CLINICIAN:
        since = clinicians_since()
        rows = rows.none() if since is None else rows.filter(first_session_on__gte=since)
    found = (
        rows.order_by().values(unit=F(by), who=F("clinician"))
        .annotate(n=Count("pk"), total=Sum("r"), squares=Sum(F("r") * F("r")))
        .values_list("unit", "who", "n", "total", "squares")
    )  # fmt: skip
    return [Part(*row) for row in found]


def funnel_of(parts: Iterable[Part], names: dict[int, str], icc: float, *, lines: bool) -> Funnel:
    """Units of which at least FEWEST ended, against one another; `names` gives their order.

    A unit of several clinicians may differ by as much as the mean of so many does.
    """
    units: dict[int, list[Part]] = defaultdict(list)
    for part in parts:
        units[part.unit].append(part)
    sizes = {unit: sum(part.n for part in held) for unit, held in units.items()}
    shown = {unit for unit, n in sizes.items() if n >= FEWEST and unit in names}
    held = [part for unit in shown for part in units[unit]]
    n = sum(part.n for part in held)
    if not n:
        return Funnel([Unit(name) for pk, name in names.items() if pk in units], None, [])
    mean = sum(part.total for part in held) / n
    variance = max(1e-9, sum(part.squares for part in held) / n - mean**2)
    within, between = (1 - icc) * variance, icc * variance

    def limits(size: int, clinicians: float) -> tuple[float, float]:
        inner, outer = (
            float(funnel_limits(size, within=within, between=between / clinicians, level=level))
            for level in (INNER, OUTER)
        )
        return inner, outer

    found = []
    for pk, name in names.items():
        if pk not in units:
            continue
        if pk not in shown:
            found.append(Unit(name))
            continue
        own, size = units[pk], sizes[pk]
        clinicians = size**2 / sum(part.n**2 for part in own)
        value = sum(part.total for part in own) / size - mean
        found.append(Unit(name, size, value, *limits(size, clinicians)))
    drawn = []
    if lines:
        most = 1.12 * max(sizes[unit] for unit in shown)
        drawn = [(float(at), *limits(at, 1.0)) for at in np.geomspace(5, most, DRAWN)]
    return Funnel(found, mean, drawn)


def places(by: str) -> dict[int, str]:
    """Programmes or sites, by name."""
    rows = (Site if by == "site" else Programme).objects.order_by("name", "pk")
    return dict(rows.values_list("pk", "name"))


def count(period: Period, by: str, scope: Scope) -> Funnel:
    """Of programmes or sites; call as the system."""
    return funnel_of(_parts(period, by, scope), places(by), figures.spread().icc, lines=False)


def of_clinicians(period: Period) -> tuple[Funnel, list[Clinician]]:
    """Of the whole clinic's, under codes of this period, and whose numbers are shown.

    Call as the system. Codes say nothing of who it is, and stand in no order but their own.
    """
    parts = _parts(period, CLINICIAN, CLINIC)
    there = {part.unit for part in parts}
    order = sorted(there, key=lambda pk: salted_hmac("funnel", f"{period} {pk}").hexdigest())
    names = {pk: _letters(place) for place, pk in enumerate(order)}
    found = funnel_of(parts, names, figures.spread().icc, lines=True)
    shown = {unit.name for unit in found.shown}
    seen = [pk for pk, name in names.items() if name in shown]
    return found, list(Clinician.objects.filter(pk__in=seen))


def _letters(place: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    word = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        word = chr(ord("A") + rest) + word
    return word
