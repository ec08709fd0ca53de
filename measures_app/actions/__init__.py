"""Writes about measures, scores and flags: keyword-only, `by=`, atomic, audited."""

from measures_app.actions.administrations import (
    correct_administration,
    record_administration,
    void_administration,
)
from measures_app.actions.alerts import (
    close_alert,
    raise_alert,
    see_alert,
    show_alert,
    tell_of_alert,
)
from measures_app.actions.flags import (
    DecidedMeanwhile,
    decide,
    hand_over_cases,
    hand_to,
    put_off,
    take_up,
)
from measures_app.actions.norms import add_norm_row
from measures_app.actions.plans import set_plan_line
from measures_app.actions.rules import (
    answer_rule_proposal,
    propose_rule_change,
    set_own_checkpoint,
)
from measures_app.actions.sessions import close_with_last_measures, record_session_with_measures

__all__ = [
    "DecidedMeanwhile",
    "add_norm_row",
    "answer_rule_proposal",
    "close_alert",
    "close_with_last_measures",
    "correct_administration",
    "decide",
    "hand_over_cases",
    "hand_to",
    "propose_rule_change",
    "put_off",
    "raise_alert",
    "record_administration",
    "record_session_with_measures",
    "see_alert",
    "set_own_checkpoint",
    "set_plan_line",
    "show_alert",
    "take_up",
    "tell_of_alert",
    "void_administration",
]
