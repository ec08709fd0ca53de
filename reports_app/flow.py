"""How people come in and how care ends, by programme and by who referred.

Into care: from the referral to the first offer to the first session, with those who still wait.
Out of care: opened, ended, agreed, stopped, sessions to which nobody came, length of care. And, of
everybody to whom it could happen: when half were offered, were seen, had ended. Groups too small
are blank, with as many others as it takes that subtraction finds none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from measures_app.psychometrics.rates import BoundedRate, Interval, wilson
from measures_app.psychometrics.suppression import Sum, publish
from measures_app.psychometrics.survival import Survival
from measures_app.psychometrics.waits import WaitQuantile, wait_quantile
from reports_app.extract import Scope
from reports_app.groups import NOT_RECORDED, SOURCES
from reports_app.in_care import care_of, was_in_care
from reports_app.lengths import Length, length_of
from reports_app.metrics import ending_rate
from reports_app.models import EpisodeSummary
from reports_app.periods import Period
from reports_app.waiting import Waits, waits

BY: dict[str, Any] = {"programme": _("programme"), "source": _("who referred")}
COLUMNS = {
    "programme__name": "programme",
    "episode__referral__source": "source",
    "opened_on": "opened_on",
    "closed_on": "closed_on",
    "ending": "ending",
    "attended": "attended",
    "no_shows": "no_shows",
    "late_cancels": "late_cancels",
    "first_session_on": "first_session_on",
    "last_session_on": "last",
}


@dataclass(frozen=True)
class In:
    """A group's way into care; counts are None where they are withheld."""

    name: str
    referred: int | None
    offer: float | None  # median days to a first offer
    seen: int | None
    median: WaitQuantile | None
    ninth: WaitQuantile | None
    waiting: int | None
    over: int | None
    left: int | None
    offer_all: Length | None  # of everybody who waited in the period
    seen_all: Length | None


@dataclass(frozen=True)
class Out:
    """A group's way through and out of care."""

    name: str
    opened: int | None
    ended: int | None
    planned: BoundedRate | None
    stopped: BoundedRate | None
    no_show: float | None
    expected: int | None  # sessions that it is of
    no_show_between: Interval | None
    days: float | None  # mean of those who ended
    length: Length | None  # of everybody in care in the period


@dataclass(frozen=True)
class Flow:
    into: list[In]
    into_all: In
    out: list[Out]
    out_all: Out
    limit_days: int


def _shown(counts: Sequence[int], limit: int) -> list[bool]:
    """Which of the groups' counts may stand beside their sum; nobody is found in a nought."""
    some = [count for count in counts if count]
    if not some:
        return [True] * len(counts)
    cells = publish([*some, sum(some)], [Sum(len(some), tuple(range(len(some))))], limit=limit)
    open_cells = iter(~np.isnan(cells[:-1]))
    return [not count or bool(next(open_cells)) for count in counts]


def _named(by: str) -> Callable[[Any], str]:
    if by == "source":
        return lambda source: str(SOURCES.get(source or "", NOT_RECORDED))
    return str


def _order(name: str) -> tuple[bool, str]:
    return (name == NOT_RECORDED, name)


def _in(name: str, found: Waits, show: Callable[[str], bool]) -> In:
    seen, waiting, offers = found.to_seen, found.waiting, found.to_offer
    median = wait_quantile(seen, waiting, 0.5)
    return In(
        name,
        referred=found.referred if show("referred") else None,
        offer=float(offers.median()) if show("offers") and len(offers) else None,
        seen=len(seen) if show("seen") else None,
        median=median if show("seen") and len(seen) else None,
        ninth=wait_quantile(seen, waiting, 0.9) if show("seen") and len(seen) else None,
        waiting=len(waiting) if show("waiting") else None,
        over=found.over if show("waiting") and show("over") and show("within limit") else None,
        left=sum(found.left.values()) if show("left") else None,
        offer_all=None,
        seen_all=None,
    )


def _lengths(found: Sequence[Survival], limit: int) -> list[Length | None]:
    """Of each group what may stand beside everybody's: by those it happened to, and by all."""
    shown = zip(
        _shown([each.events for each in found], limit),
        _shown([each.n for each in found], limit),
        strict=True,
    )
    return [
        length_of(each, limit) if all(may) else None for each, may in zip(found, shown, strict=True)
    ]


COUNTED: dict[str, Callable[[Waits], int]] = {
    "referred": lambda w: w.referred,
    "offers": lambda w: len(w.to_offer),
    "seen": lambda w: len(w.to_seen),
    "waiting": lambda w: len(w.waiting),
    "over": lambda w: w.over,
    "within limit": lambda w: len(w.waiting) - w.over,
    "left": lambda w: sum(w.left.values()),
}


def _into(found: Waits, by: str, limit: int) -> tuple[list[In], In]:
    labels = found.table[by].map(_named(by))
    names = sorted(labels.unique(), key=_order)
    parts = [found.where(labels == name) for name in names]
    shown = {
        what: dict(zip(names, _shown([count(part) for part in parts], limit), strict=True))
        for what, count in COUNTED.items()
    }
    groups = [
        _in(name, part, lambda what, name=name: shown[what][name])  # type: ignore[misc]  # a default
        for name, part in zip(names, parts, strict=True)
    ]
    offered = _lengths([part.to_offer_of_all for part in parts], limit)
    seen = _lengths([part.to_seen_of_all for part in parts], limit)
    groups = [
        replace(group, offer_all=offer, seen_all=first)
        for group, offer, first in zip(groups, offered, seen, strict=True)
    ]
    everybody = _in("", found, lambda what: COUNTED[what](found) not in range(1, limit))
    return groups, replace(
        everybody,
        offer_all=length_of(found.to_offer_of_all, limit, curve=True),
        seen_all=length_of(found.to_seen_of_all, limit, curve=True),
    )


def _out(name: str, rows: pd.DataFrame, opened: int | None, shown: bool) -> Out:
    if not shown:
        return Out(name, opened, *[None] * 8)
    known = int((rows["ending"] != "unknown").sum())
    counts = {e: int((rows["ending"] == e).sum()) for e in ("agreed", "client_stopped")}
    rates = {e: ending_rate(e, n, known, len(rows)) for e, n in counts.items()} if known else {}
    expected = int(rows[["attended", "no_shows", "late_cancels"]].sum().sum())
    away = int(rows["no_shows"].sum())
    length = (pd.to_datetime(rows["last"]) - pd.to_datetime(rows["first_session_on"])).dt.days
    return Out(
        name,
        opened,
        len(rows),
        rates.get("agreed"),
        rates.get("client_stopped"),
        away / expected if expected else None,
        expected,
        wilson(away, expected) if expected else None,
        float(length.mean()) if length.notna().any() else None,
        None,
    )


def _out_of(rows: pd.DataFrame, period: Period, by: str, limit: int) -> tuple[list[Out], Out]:
    labels = rows[by].map(_named(by))
    first, last = pd.Timestamp(period.start), pd.Timestamp(period.end)
    began = (rows["opened_on"] >= first) & (rows["opened_on"] <= last)
    over = (rows["closed_on"] >= first) & (rows["closed_on"] <= last)
    names = sorted(labels.unique(), key=_order)
    opened = [int((began & (labels == name)).sum()) for name in names]
    ended = [int((over & (labels == name)).sum()) for name in names]
    may_open, may_end = _shown(opened, limit), _shown(ended, limit)
    groups = [
        _out(name, rows[over & (labels == name)], opened[i] if may_open[i] else None, may_end[i])
        for i, name in enumerate(names)
    ]
    care = care_of(rows, period)
    labels = care.table[by].map(_named(by))
    lengths = _lengths([care.where(labels == name).length for name in names], limit)
    groups = [replace(group, length=length) for group, length in zip(groups, lengths, strict=True)]
    everybody = _out(
        "", rows[over], sum(opened) if sum(opened) >= limit else None, sum(ended) >= limit
    )
    return groups, replace(everybody, length=length_of(care.length, limit, curve=True))


def flow(period: Period, by: str, limit: int, scope: Scope) -> Flow:
    """A period's flow by a dimension of BY; call as one who may see aggregates."""
    found = waits(period, scope)
    span = {"gte": period.start, "lte": period.end}
    rows = EpisodeSummary.objects.filter(**scope.of()).order_by()
    own = was_in_care(period)
    for name in ("opened_on", "closed_on"):
        own |= Q(**{f"{name}__{end}": day for end, day in span.items()})
    table = pd.DataFrame.from_records(
        list(rows.filter(own).values_list(*COLUMNS)), columns=list(COLUMNS.values())
    )
    for name in ("opened_on", "closed_on"):
        table[name] = pd.to_datetime(table[name])
    into, into_all = _into(found, by, limit)
    out, out_all = _out_of(table, period, by, limit)
    return Flow(into, into_all, out, out_all, found.limit)
