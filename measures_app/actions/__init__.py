"""Writes about measures, scores and flags: keyword-only, `by=`, atomic, audited."""

from measures_app.actions.administrations import (
    correct_administration,
    record_administration,
    void_administration,
)
from measures_app.actions.flags import (
    DecidedMeanwhile,
    decide,
    hand_to,
    put_off,
    take_up,
)
from measures_app.actions.norms import add_norm_row
from measures_app.actions.plans import set_plan_line
from measures_app.actions.sessions import record_session_with_measures

__all__ = [
    "DecidedMeanwhile",
    "add_norm_row",
    "correct_administration",
    "decide",
    "hand_to",
    "put_off",
    "record_administration",
    "record_session_with_measures",
    "set_plan_line",
    "take_up",
    "void_administration",
]
