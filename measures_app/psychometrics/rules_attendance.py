"""Flag rules about coming and not coming. They run for every purpose of an episode."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from .rule_inputs import Constants, History, ModelNumbers, Reason

_DEFAULTS = Constants()


def _paused(history: History, start: int, end: int) -> int:
    """Days after `start` and up to `end` that lie in gaps the clinic caused."""
    days: set[int] = set()
    for first, last in history.pauses:
        days.update(range(max(first, start + 1), min(last, end) + 1))
    return len(days)


def rhythm_days(history: History, constants: Constants = _DEFAULTS) -> float | None:
    """The client's own rhythm: median of the latest gaps between attended sessions.

    Parameters
    ----------
    history : History
        Uses `attended_days`; days the clinic caused are taken out of each gap.
    constants : Constants
        Uses `rhythm_gaps` and `shortest_rhythm_days`.

    Returns
    -------
    float or None
        Days; None before the second day with a session.
    """
    days = sorted(set(history.attended_days))
    gaps = [late - early - _paused(history, early, late) for early, late in pairwise(days)]
    if not gaps:
        return None
    return max(float(median(gaps[-constants.rhythm_gaps :])), float(constants.shortest_rhythm_days))


def overdue(history: History, today: int, constants: Constants = _DEFAULTS) -> Reason | None:
    """Review: no attended session for more than twice the client's own rhythm, booked or not.

    A day on which the client came and wasn't seen by us counts as having come. Gaps the clinic
    caused stop the clock. The rule waits while the clinician has unconfirmed sessions.

    Parameters
    ----------
    history : History
    today : int
        Day number, as the days of the history.
    constants : Constants
        Uses `overdue_factor`, `rhythm_gaps`, `shortest_rhythm_days` and `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``overdue``; ``days`` since the client last came (pauses taken out), ``rhythm`` in
        days.
    """
    rhythm = rhythm_days(history, constants)
    if len(history.scores) < constants.fewest_scores or rhythm is None:
        return None
    if history.unconfirmed_sessions:
        return None
    last = max(history.attended_days + history.arrived_days)
    days = today - last - _paused(history, last, today)
    if days <= constants.overdue_factor * rhythm:
        return None
    return Reason("overdue", {"days": days, "rhythm": rhythm, "factor": constants.overdue_factor})


def lost_in_transfer(
    history: History, today: int, constants: Constants = _DEFAULTS
) -> Reason | None:
    """Review: handed to another clinician, and not seen within the clinic's limit.

    Parameters
    ----------
    history : History
    today : int
        Day number, as the days of the history.
    constants : Constants
        Uses `transfer_limit_days` and `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``lost_in_transfer``; ``days`` since the transfer, pauses taken out.
    """
    if len(history.scores) < constants.fewest_scores:
        return None
    if history.transferred_on is None or history.seen_since_transfer:
        return None
    since = history.transferred_on
    days = today - since - _paused(history, since, today)
    if days <= constants.transfer_limit_days:
        return None
    return Reason("lost_in_transfer", {"days": days, "limit": constants.transfer_limit_days})


def at_risk_of_stopping(
    history: History, model: ModelNumbers, constants: Constants = _DEFAULTS
) -> Reason | None:
    """Review, a weak signal: the probability of stopping unplanned is above its threshold.

    It waits, as `overdue` does, while the clinician has unconfirmed sessions.

    Parameters
    ----------
    history : History
    model : ModelNumbers
        Uses `p_stopping`.
    constants : Constants
        Uses `stopping_above` and `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``at_risk_of_stopping``.
    """
    if len(history.scores) < constants.fewest_scores or history.unconfirmed_sessions:
        return None
    if model.p_stopping is None or model.p_stopping <= constants.stopping_above:
        return None
    return Reason(
        "at_risk_of_stopping",
        {"p_stopping": model.p_stopping, "threshold": constants.stopping_above},
    )
