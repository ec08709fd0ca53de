"""How long until half were offered, were seen, or had ended, with everybody who still waits.

What of a product-limit estimate may be shown: nothing of few, and of the curve only days between
which at least as many as the clinic's limit had the event. How many it is of is rounded: the exact
number less those seen, which stand beside it, would say how few still wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app.charts import RemainingFigure, RemainingPoint
from measures_app.psychometrics.suppression import rounded
from measures_app.psychometrics.survival import Survival

# What is said of everybody: where half have, and where not half have so far.
SAID = {
    "offer_all": (
        gettext_lazy(
            "Of about %(n)d people who waited for a first offer, half had one by day %(days)s "
            "after their referral (95 %%: %(between)s)."
        ),
        gettext_lazy(
            "Of about %(n)d people who waited for a first offer, about %(events)d had one: too few "
            "to say when half will."
        ),
    ),
    "seen_all": (
        gettext_lazy(
            "Of about %(n)d people who waited to be seen, half were by day %(days)s after their "
            "referral (95 %%: %(between)s)."
        ),
        gettext_lazy(
            "Of about %(n)d people who waited to be seen, about %(events)d were: too few to say "
            "when half will be."
        ),
    ),
    "length": (
        gettext_lazy(
            "Of about %(n)d courses of care, half had ended by day %(days)s after the first "
            "session (95 %%: %(between)s)."
        ),
        gettext_lazy(
            "Of about %(n)d courses of care, about %(events)d ended: too few to say when half "
            "will have."
        ),
    ),
}


TITLES = {
    "offer_all": gettext_lazy("Still without an offer, by days since the referral"),
    "seen_all": gettext_lazy("Still waiting, by days since the referral"),
    "length": gettext_lazy("Still in care, by days since the first session"),
}
FEWEST_POINTS = 3  # of a curve that says more than its middle does
MOST_POINTS = 40  # that can be told apart, and read in a table


@dataclass(frozen=True)
class Length:
    """A median with its interval in days (infinite where nobody knows), of about so many."""

    n: int
    events: int
    value: float
    low: float
    high: float
    points: list[RemainingPoint]

    @property
    def half(self) -> float | None:
        return None if isinf(self.value) else self.value

    @classmethod
    def from_json(cls, row: dict[str, Any] | None) -> Length | None:
        if row is None:
            return None
        points = [RemainingPoint(**point) for point in row["points"]]
        ends = {name: float(row[name]) for name in ("value", "low", "high")}
        return cls(**row | ends | {"points": points})

    @property
    def between(self) -> str:
        return between_days(self.low, self.high)

    def words(self, of: str) -> str:
        """In a sentence, of one of SAID."""
        half, not_half = SAID[of]
        said = half if self.half is not None else not_half
        return str(said) % {
            "n": self.n,
            "events": self.events,
            "days": day_words(self.value),
            "between": self.between,
        }

    def figure(self, title: str) -> RemainingFigure:
        return RemainingFigure(title, self.points, self.half)


def day_words(day: float) -> str:
    """A day as it is written; an infinite one is one that nobody knows."""
    return _("not known") if isinf(day) else f"{day:.1f}".removesuffix(".0")


def between_days(low: float | None, high: float | None) -> str:
    """An interval of days; one without an end says from when on, or nothing."""
    ends = [None if end is None or isinf(end) else day_words(end) for end in (low, high)]
    if ends[0] is None:
        return _("too few to say how sure that is")
    if ends[1] is None:
        return _("%(low)s or later") % {"low": ends[0]}
    return f"{ends[0]} – {ends[1]}"


def _about(count: Any) -> int:
    return int(rounded([count])[0])


def length_of(found: Survival, limit: int, *, curve: bool = False) -> Length | None:
    """What may be shown of it; None where fewer than the limit had the event."""
    if found.events < max(limit, 1):
        return None
    value, low, high = found.quantile(0.5)
    drawn = found.drawn(max(limit, 1, found.events // MOST_POINTS)) if curve else []
    if len(drawn) < FEWEST_POINTS:
        drawn = []
    points = [
        RemainingPoint(
            float(found.days[i]), float(found.share[i]), float(found.low[i]),
            float(found.high[i]), _about(found.at_risk[i]),
        )
        for i in drawn
    ]  # fmt: skip
    return Length(_about(found.n), _about(found.events), value, low, high, points)
