"""One tidy row of a report, and how counts, rates and means become one."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from measures_app.psychometrics.rates import BoundedRate, wilson


@dataclass(frozen=True)
class Metric:
    """One tidy row. None is "can't be said", and the note says why."""

    month: str
    scope: str
    measure: str
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    coverage: float | None = None
    worst: float | None = None
    best: float | None = None
    note: str = ""

    def as_row(self) -> tuple[Any, ...]:
        return astuple(self)


COLUMNS = tuple(field.name for field in fields(Metric))


class Maker:
    def __init__(self, month: str, scope: str, measure: str = "") -> None:
        self.month, self.scope, self.measure = month, scope, measure

    def __call__(self, metric: str, value: float | None = None, **rest: Any) -> Metric:
        finite = {
            name: None if isinstance(given, float) and not np.isfinite(given) else given
            for name, given in {"value": value, **rest}.items()
        }
        return Metric(self.month, self.scope, self.measure, metric, **finite)

    def share(
        self, metric: str, count: int, of: int, note: str = "", coverage: float | None = None
    ) -> Metric:
        """A plain rate with its Wilson interval; nothing of nothing is not a rate."""
        if of == 0:
            return self(metric, numerator=count, denominator=0, note=note or "nothing to count")
        interval = wilson(count, of)
        return self(
            metric,
            count / of,
            low=interval.low,
            high=interval.high,
            numerator=count,
            denominator=of,
            coverage=coverage,
            note=note,
        )

    def bounded(self, metric: str, rate: BoundedRate, note: str = "") -> Metric:
        return self(
            metric,
            rate.rate,
            low=rate.low,
            high=rate.high,
            numerator=rate.count,
            denominator=rate.measured,
            coverage=rate.coverage,
            worst=rate.worst,
            best=rate.best,
            note=note,
        )

    def mean(self, metric: str, values: pd.Series[Any], of: int, note: str = "") -> Metric:
        """A mean with its 95 % interval (normal), n and the share of episodes it rests on."""
        known = pd.to_numeric(values, errors="coerce").dropna().astype(float)
        n = len(known)
        if n == 0:
            return self(metric, denominator=0, coverage=0.0 if of else None, note="no value")
        mean = float(known.mean())
        half = 1.96 * float(known.std(ddof=1)) / n**0.5 if n > 1 else None
        return self(
            metric,
            mean,
            low=None if half is None else mean - half,
            high=None if half is None else mean + half,
            denominator=n,
            coverage=n / of if of else None,
            note=note,
        )
