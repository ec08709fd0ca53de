"""Writes about measures, scores and flags: keyword-only, `by=`, atomic, audited."""

from measures_app.actions.administrations import (
    correct_administration,
    record_administration,
    void_administration,
)
from measures_app.actions.flags import DecidedMeanwhile, decide, take_up
from measures_app.actions.sessions import record_session_with_measures

__all__ = [
    "DecidedMeanwhile",
    "correct_administration",
    "decide",
    "record_administration",
    "record_session_with_measures",
    "take_up",
    "void_administration",
]
