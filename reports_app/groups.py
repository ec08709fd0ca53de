"""The same outcomes by the groups that the clinic records: who is helped, and who less?

Read from summaries in one query. Groups too small are blank, with as many others as it takes that
subtraction from the total finds none; the groups stand in their own order, never by outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from django.utils.translation import gettext_lazy as _

from measures_app import measures
from measures_app.psychometrics.rates import BoundedRate, improvement_rate
from measures_app.psychometrics.suppression import Sum, publish
from measures_app.strata import AGE_BANDS, age_band
from reports_app.extract import CLINIC, OUTSIDE_OUTCOME, Scope
from reports_app.metrics import main_measures
from reports_app.models import EpisodeSummary
from reports_app.periods import Period
from sessions_app.models import Client, Referral

NOT_RECORDED = "not recorded"
COLUMNS = [
    "programme__name", "site__name", "funder", "gender", "age_at_opening", "measure__code",
    "started_clinical", "outcome_class", "ending", "mid_care", "attended", "client__attributes",
    "episode__referral__source",
]  # fmt: skip
# What a summary doesn't hold is read only where a table is made by it.
BESIDE = {"client__attributes": "attribute", "episode__referral__source": "source"}
DIMENSIONS: dict[str, Any] = {
    "programme": _("programme"),
    "site": _("site"),
    "age": _("age when care began"),
    "gender": _("gender"),
    "severity": _("where they started"),
    "funder": _("funder"),
    "source": _("who referred"),
}
SOURCES = dict(Referral.Source.choices)
GENDERS = dict(Client.Gender.choices)
ATTRIBUTE = "attribute:"


@dataclass(frozen=True)
class Group:
    """One group's endings with a measure; numbers are None where they are withheld."""

    name: str
    ended: int | None
    improved: BoundedRate | None
    stopped: BoundedRate | None
    mean_sessions: float | None


@dataclass(frozen=True)
class Table:
    """One measure's groups, and everybody."""

    measure: str
    everybody: Group
    groups: list[Group]


def attribute_names() -> list[str]:
    """Coded attributes that the clinic records of its clients, by name."""
    rows = Client.objects.exclude(attributes={}).values_list("attributes", flat=True)
    return sorted({name for row in rows.distinct()[:5000] for name in row})


def _severity(clinical: Any) -> str:
    if clinical is None or pd.isna(clinical):
        return NOT_RECORDED
    return "on the clinical side" if clinical else "on the functional side"


def _labels(rows: pd.DataFrame, by: str) -> pd.Series[Any]:
    """Each row's group."""
    said: dict[str, tuple[str, Callable[[Any], str]]] = {
        "programme": ("programme__name", str),
        "site": ("site__name", str),
        "age": ("age_at_opening", age_band),
        "gender": ("gender", lambda g: str(GENDERS.get(g, NOT_RECORDED))),
        "severity": ("started_clinical", _severity),
        "funder": ("funder", lambda f: f or NOT_RECORDED),
        "source": ("episode__referral__source", lambda s: str(SOURCES.get(s or "", NOT_RECORDED))),
    }
    if by.startswith(ATTRIBUTE):
        name = by.removeprefix(ATTRIBUTE)
        return rows["client__attributes"].map(lambda a: str((a or {}).get(name, NOT_RECORDED)))
    column, words = said[by]
    return rows[column].map(words)


def _order(name: str) -> tuple[int, str]:
    bands = [band for band, _low, _high in AGE_BANDS]
    return (bands.index(name) if name in bands else len(bands) + (name == NOT_RECORDED), name)


def _group(name: str, rows: pd.DataFrame, shown: bool) -> Group:
    if not shown:
        return Group(name, None, None, None, None)
    measured = rows["outcome_class"] != ""
    better = rows["outcome_class"].isin(["recovered", "improved"])
    known = rows["ending"] != "unknown"
    stopped = rows["ending"] == "client_stopped"
    n = len(rows)
    return Group(
        name,
        n,
        improvement_rate(int(better.sum()), int(measured.sum()), n) if measured.any() else None,
        # Known or not, out of all that ended: the worst is that every unknown one stopped.
        improvement_rate(int(stopped.sum()), int(known.sum()), n) if known.any() else None,
        float(rows["attended"].mean()),
    )


def _shown(rows: pd.DataFrame, names: list[str], limit: int) -> set[str]:
    """Groups to show: rates of none rest on a few, and nor does what is left over of everybody."""
    measured = rows[rows["outcome_class"] != ""]
    counts = [int((measured["group"] == name).sum()) for name in names]
    cells = publish(
        [*counts, sum(counts)], [Sum(len(counts), tuple(range(len(counts))))], limit=limit
    )
    return {name for name, cell in zip(names, cells[:-1], strict=True) if not np.isnan(cell)}


def tables(period: Period, by: str, limit: int, scope: Scope = CLINIC) -> list[Table]:
    """Endings of a period by a dimension, a table a measure: rates are never pooled over them.

    Call within a unit of work that may see the clinic's aggregates.
    """
    found = EpisodeSummary.objects.filter(
        closed_on__gte=period.start, closed_on__lte=period.end, mid_care=False, **scope.of()
    ).exclude(ending__in=OUTSIDE_OUTCOME)
    kind = by.partition(":")[0]
    columns = [name for name in COLUMNS if BESIDE.get(name, kind) == kind]
    rows = pd.DataFrame.from_records(found.order_by().values_list(*columns), columns=columns)
    if rows.empty:
        return []
    rows["group"] = _labels(rows, by)
    titles = measures.titles()
    made = []
    for code, part in rows.groupby(main_measures(rows), sort=True):
        names = sorted(part["group"].unique(), key=_order)
        shown = _shown(part, names, limit)
        made.append(
            Table(
                titles.get(str(code), str(code)),
                _group("", part, len(part) >= limit),
                [_group(name, part[part["group"] == name], name in shown) for name in names],
            )
        )
    return made
