"""Flag rules: each a pure function of a history, the model's numbers and the constants.

A rule returns a `Reason`, or None where it has nothing to say. Prompts are for the clinician in
the session; review flags may reach the queue; item alerts are immediate. The application turns
codes into sentences and keeps both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .norms import direction
from .rule_inputs import (
    AllianceSeries,
    Constants,
    History,
    LastDecision,
    ModelNumbers,
    Number,
    Reason,
)
from .rules_alliance import alliance_falling, alliance_low
from .rules_attendance import at_risk_of_stopping, lost_in_transfer, overdue

__all__ = [
    "AllianceSeries",
    "Constants",
    "History",
    "LastDecision",
    "ModelNumbers",
    "Number",
    "Reason",
    "alliance_falling",
    "alliance_low",
    "at_risk_of_stopping",
    "checkpoint",
    "deteriorated",
    "item_alert",
    "lost_in_transfer",
    "may_raise",
    "no_progress",
    "not_on_track",
    "not_on_track_by_band",
    "not_on_track_by_posterior",
    "overdue",
    "prompts",
    "ready_to_finish",
    "review_flags",
]

_DEFAULTS = Constants()


def _asks_for_progress(history: History, constants: Constants) -> bool:
    """Whether reliable improvement may be asked of this series at all."""
    return (
        len(history.scores) >= constants.fewest_scores
        and history.purpose == "change"
        and not history.mid_care
        and not history.deterioration_only
    )


def _improved_now(history: History) -> bool:
    return history.class_at(-1) in ("improved", "recovered")


def _numbers(history: History) -> dict[str, Number]:
    """Numbers that every rule about outcome scores gives."""
    return {
        "t": history.t[-1],
        "first": history.first,
        "last": history.last,
        "change": round(history.last - history.first, 6),
        "reliable_change": history.criteria.reliable_change,
    }


def checkpoint(history: History, constants: Constants = _DEFAULTS) -> Reason | None:
    """Prompt: the first score at or after the first checkpoint, without reliable improvement.

    Spoken once: later scores are left to `no_progress`, which reaches the review queue.

    Parameters
    ----------
    history : History
    constants : Constants
        Uses `first_checkpoint`, `second_checkpoint` and `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``checkpoint``.
    """
    if not _asks_for_progress(history, constants) or _improved_now(history):
        return None
    here, before = history.t[-1], history.t[-2]
    if not before < constants.first_checkpoint <= here < constants.second_checkpoint:
        return None
    return Reason("checkpoint", {**_numbers(history), "checkpoint": constants.first_checkpoint})


def no_progress(history: History, constants: Constants = _DEFAULTS) -> Reason | None:
    """Review: no reliable improvement by the second checkpoint.

    Parameters
    ----------
    history : History
    constants : Constants
        Uses `second_checkpoint` and `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``no_progress``; ``best`` is the best score so far, in the measure's units.
    """
    if not _asks_for_progress(history, constants) or _improved_now(history):
        return None
    if history.t[-1] < constants.second_checkpoint:
        return None
    best = max if history.criteria.better == "higher" else min
    return Reason(
        "no_progress",
        {
            **_numbers(history),
            "checkpoint": constants.second_checkpoint,
            "best": best(history.scores),
        },
    )


def deteriorated(history: History, constants: Constants = _DEFAULTS) -> Reason | None:
    """Review: reliably worse than the baseline now. Runs for every purpose and every start.

    Parameters
    ----------
    history : History
    constants : Constants
        Uses `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``deteriorated``; ``guarded`` is 1 where the first score was so good that it may
        have been guarded (the baseline is never moved), ``mid_care`` 1 where the baseline is
        the first score measured and no intake, ``crossed`` 1 where the clinical range was
        entered.
    """
    if len(history.scores) < constants.fewest_scores:
        return None
    if history.class_at(-1) != "deteriorated":
        return None
    criteria = history.criteria
    crossed = (
        criteria.side(history.first) != "clinical" and criteria.side(history.last) == "clinical"
    )
    return Reason(
        "deteriorated",
        {
            **_numbers(history),
            "guarded": int(history.guarded),
            "mid_care": int(history.mid_care),
            "crossed": int(crossed),
        },
    )


def not_on_track_by_band(
    history: History, model: ModelNumbers, constants: Constants = _DEFAULTS
) -> Reason | None:
    """Review: the last score lies worse than the worse end of the expected 80 % band.

    Parameters
    ----------
    history : History
    model : ModelNumbers
        Uses `expected`, `low80` and `high80`, one entry a score of the history.
    constants : Constants
        Uses `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``not_on_track``, ``by`` "band", ``limit`` the band's worse end.

    Raises
    ------
    ValueError
        If the band doesn't have one entry a score.
    """
    if not len(model.expected):
        return None
    lengths = {len(model.expected), len(model.low80), len(model.high80)}
    if lengths != {len(history.scores)}:
        raise ValueError("the band needs one entry a score of the history")
    if not _asks_for_progress(history, constants):
        return None
    higher = history.criteria.better == "higher"
    limit = float((model.low80 if higher else model.high80)[-1])
    short = direction(history.criteria.better) * (limit - history.last)
    if math.isnan(short) or short <= 1e-9:
        return None
    return Reason(
        "not_on_track",
        {
            **_numbers(history),
            "by": "band",
            "expected": float(model.expected[-1]),
            "limit": limit,
        },
    )


def not_on_track_by_posterior(
    history: History, model: ModelNumbers, constants: Constants = _DEFAULTS
) -> Reason | None:
    """Review: P(not reliably improved) above tau1, or P(deteriorated) above tau2.

    Series that may only be asked if they got worse, and purposes other than change, use the
    second half alone. A mid-care series has no forecast.

    Parameters
    ----------
    history : History
    model : ModelNumbers
        Uses `p_not_improved` and `p_deteriorated`, at the end of care.
    constants : Constants
        Uses `not_improved_above`, `deteriorated_above` and `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``not_on_track``, ``by`` "not_improved", "deteriorated" or "both".
    """
    if len(history.scores) < constants.fewest_scores or history.mid_care:
        return None
    by_improvement = (
        model.p_not_improved is not None
        and model.p_not_improved > constants.not_improved_above
        and _asks_for_progress(history, constants)
    )
    by_deterioration = (
        model.p_deteriorated is not None and model.p_deteriorated > constants.deteriorated_above
    )
    if not (by_improvement or by_deterioration):
        return None
    if by_improvement and by_deterioration:
        by = "both"
    else:
        by = "not_improved" if by_improvement else "deteriorated"
    numbers: dict[str, Number] = {**_numbers(history), "by": by}
    if model.p_not_improved is not None:
        numbers["p_not_improved"] = model.p_not_improved
    if model.p_deteriorated is not None:
        numbers["p_deteriorated"] = model.p_deteriorated
    return Reason("not_on_track", numbers)


def not_on_track(
    history: History, model: ModelNumbers, constants: Constants = _DEFAULTS
) -> Reason | None:
    """Review: by the posterior where probabilities are known, else by the band.

    Parameters
    ----------
    history : History
    model : ModelNumbers
    constants : Constants

    Returns
    -------
    Reason or None
        As `not_on_track_by_posterior` or `not_on_track_by_band`.
    """
    if model.p_not_improved is not None or model.p_deteriorated is not None:
        return not_on_track_by_posterior(history, model, constants)
    return not_on_track_by_band(history, model, constants)


def ready_to_finish(history: History, constants: Constants = _DEFAULTS) -> Reason | None:
    """Good news: recovered and stable.

    Recovered at the last two scores. Where recovery isn't possible (a start on the functional
    side, or no room on the scale): the last three scores on the functional side, no two of them
    reliably different, and not worse than the start.

    Parameters
    ----------
    history : History
    constants : Constants
        Uses `stable_sessions` and `fewest_scores`.

    Returns
    -------
    Reason or None
        Code ``ready_to_finish``; ``by`` is "recovered" or "stable", ``sessions`` the number of
        scores that agree.
    """
    if len(history.scores) < constants.fewest_scores or history.purpose != "change":
        return None
    if not history.deterioration_only:
        # The intake itself is never one of the two: its class from itself is "unchanged".
        if history.class_at(-1) == history.class_at(-2) == "recovered":
            return Reason(
                "ready_to_finish", {**_numbers(history), "by": "recovered", "sessions": 2}
            )
        return None
    latest = history.scores[-constants.stable_sessions :]
    stable = (
        len(latest) == constants.stable_sessions
        and all(history.criteria.side(score) == "functional" for score in latest)
        and not history.criteria.exceeds(max(latest) - min(latest))
        and history.class_at(-1) != "deteriorated"
    )
    if not stable:
        return None
    return Reason("ready_to_finish", {**_numbers(history), "by": "stable", "sessions": len(latest)})


def item_alert(
    answers: Mapping[str, float | None], thresholds: Mapping[str, float]
) -> Reason | None:
    """Item alert: an answer at or above its item's threshold. Immediate, never batched.

    Parameters
    ----------
    answers : mapping of item code to float or None
        None is an untouched item, which alerts nobody.
    thresholds : mapping of item code to float
        For the items that alert.

    Returns
    -------
    Reason or None
        Code ``item_alert``; ``items`` names them, comma between, in the order of `thresholds`,
        and each has its answer under its own code.
    """
    found: dict[str, Number] = {}
    for code, threshold in thresholds.items():
        answer = answers.get(code)
        if answer is not None and answer >= threshold:
            found[code] = answer
    if not found:
        return None
    return Reason("item_alert", {"items": ",".join(found), **found})


def prompts(
    history: History, model: ModelNumbers | None = None, constants: Constants = _DEFAULTS
) -> tuple[Reason, ...]:
    """All prompts for the clinician in the session, in the order they are to be read.

    Parameters
    ----------
    history : History
    model : ModelNumbers or None
    constants : Constants

    Returns
    -------
    tuple of Reason
    """
    spoken = (
        alliance_low(history, model, constants),
        alliance_falling(history, model, constants),
        checkpoint(history, constants),
    )
    return tuple(reason for reason in spoken if reason is not None)


def review_flags(
    history: History,
    *,
    today: int,
    model: ModelNumbers | None = None,
    constants: Constants = _DEFAULTS,
) -> tuple[Reason, ...]:
    """All review flags whose reason holds today, before budget and silence are applied.

    Parameters
    ----------
    history : History
    today : int
        Day number, as the days of the history.
    model : ModelNumbers or None
    constants : Constants

    Returns
    -------
    tuple of Reason
    """
    numbers = ModelNumbers() if model is None else model
    spoken = (
        deteriorated(history, constants),
        not_on_track(history, numbers, constants),
        no_progress(history, constants),
        at_risk_of_stopping(history, numbers, constants),
        overdue(history, today, constants),
        lost_in_transfer(history, today, constants),
        ready_to_finish(history, constants),
    )
    return tuple(reason for reason in spoken if reason is not None)


def may_raise(
    history: History,
    decision: LastDecision | None,
    *,
    today: int,
    sessions: int,
    constants: Constants = _DEFAULTS,
) -> bool:
    """Whether a rule may speak again after a decision about its last flag.

    Silent until the follow-up, or until a newer score is worse by more than measurement error;
    where no follow-up was agreed, for `silent_sessions` sessions.

    Parameters
    ----------
    history : History
    decision : LastDecision or None
        None where there was none: the rule may speak.
    today : int
        Day number, as `follow_up_day`.
    sessions : int
        Attended sessions so far, measured or not.
    constants : Constants
        Uses `silent_sessions`.

    Returns
    -------
    bool
    """
    if decision is None:
        return True
    newer = bool(history.t) and history.t[-1] > decision.t
    if newer and history.criteria.exceeds(-history.criteria.gain(decision.score, history.last)):
        return True
    if decision.follow_up_day is not None:
        return today >= decision.follow_up_day
    return sessions - decision.t >= constants.silent_sessions
