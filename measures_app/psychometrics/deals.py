"""How much of a back-test is the luck of the folds: the same clients, dealt in other ways.

A difference between two methods that is smaller than what another deal makes of either is none.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .patterns import IntArray

SUMMED_UP = {
    "growth": (
        "rmse",
        "auc",
        "calibration_slope",
        "at_or_below_upper90",
        "at_or_above_lower10",
    ),
    "curve": ("rmse",),
    "challenger": ("rmse", "auc"),
    "static": ("rmse", "auc"),
}


def fold_of(labels: Sequence[str], folds: int, deal: int = 0) -> IntArray:
    """Fold of each client: crc32 of its id modulo the number of folds.

    Parameters
    ----------
    labels : sequence of str
    folds : int
    deal : int
        Another way of dealing clients to folds: from 1 on, ``"1:"`` and so on stands before each
        id. What moves from deal to deal says how much of a result is chance.
    """
    before = f"{deal}:" if deal else ""
    return np.array(
        [zlib.crc32(f"{before}{label}".encode()) % folds for label in labels], dtype=np.int64
    )


def over_deals(results: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Mean and standard deviation of a back-test's numbers over several deals.

    Parameters
    ----------
    results : sequence of list of dict
        What `Backtest.run` gave for each deal, at the same sessions.

    Returns
    -------
    list of dict
        One a session: ``session``, and by method and number ``{"mean", "sd"}``. A number that
        some deal has none of is None; so is the standard deviation of one deal.
    """
    found = []
    for same in zip(*results, strict=True):
        row: dict[str, Any] = {"session": same[0]["session"]}
        for method, numbers in SUMMED_UP.items():
            row[method] = {name: _spread([one[method][name] for one in same]) for name in numbers}
        found.append(row)
    return found


def _spread(values: Sequence[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return {"mean": None, "sd": None}
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return {"mean": float(np.mean(known)), "sd": sd}
