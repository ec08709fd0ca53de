"""Prompts about the alliance: for the clinician, in the session, and never a review flag."""

from __future__ import annotations

from .norms import direction
from .rule_inputs import Constants, History, ModelNumbers, Reason

_DEFAULTS = Constants()


def alliance_low(
    history: History, model: ModelNumbers | None = None, constants: Constants = _DEFAULTS
) -> Reason | None:
    """Prompt: the last alliance score is below the cutoff, or below the clinic's 10th centile.

    One score is enough; ``first`` is 1 where it is the first, which is useful feedback and
    nothing else.

    Parameters
    ----------
    history : History
    model : ModelNumbers or None
        Its `alliance_limits`, where known, replace the cutoff.
    constants : Constants
        Uses `alliance_cutoff` where the series states none.

    Returns
    -------
    Reason or None
        Code ``alliance_low``.
    """
    series = history.alliance
    if not series.scores or history.purpose != "change":
        return None
    own = model.alliance_limits if model is not None else None
    stated = constants.alliance_cutoff if series.cutoff is None else series.cutoff
    limit = stated if own is None else own.low
    if direction(series.better) * (limit - series.scores[-1]) <= 1e-9:
        return None
    return Reason(
        "alliance_low",
        {
            "t": series.t[-1],
            "last": series.scores[-1],
            "limit": limit,
            "by": "cutoff" if own is None else "centile",
            "first": int(len(series.scores) == 1),
        },
    )


def alliance_falling(
    history: History, model: ModelNumbers | None = None, constants: Constants = _DEFAULTS
) -> Reason | None:
    """Prompt: the alliance fell by more than the measure's own error since the last score.

    With the clinic's own limits: the score is below the 5th centile of what follows a last score
    like this one's.

    Parameters
    ----------
    history : History
    model : ModelNumbers or None
        Its `alliance_limits`, where known, replace the measurement error.
    constants : Constants
        Uses `alliance_error` where the series states none; without either the rule is silent.

    Returns
    -------
    Reason or None
        Code ``alliance_falling``; ``limit`` is the score below which it speaks.
    """
    series = history.alliance
    if len(series.scores) < 2 or history.purpose != "change":
        return None
    sign = direction(series.better)
    before, now = series.scores[-2:]
    own = model.alliance_limits if model is not None else None
    error = constants.alliance_error if series.error is None else series.error
    if own is not None:
        limit = own.next_low_after(before)
    elif error is not None:
        limit = before - sign * error
    else:
        return None
    drop = sign * (before - now)
    if drop <= 0 or sign * (limit - now) <= 1e-9:
        return None
    return Reason(
        "alliance_falling",
        {
            "t": series.t[-1],
            "last": now,
            "previous": before,
            "drop": round(drop, 6),
            "limit": round(limit, 6),
            "by": "error" if own is None else "centile",
        },
    )
