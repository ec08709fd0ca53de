"""The rules' versions: their constants from a day on, never applied to the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from django.db import connection

from measures_app.models import FlagRuleSet, OwnCheckpoint
from measures_app.psychometrics.rules import Constants
from sessions_app import policies

# The numbers of the rules that a proposal may name, each a policy with dates.
RULE_NUMBERS = (
    "first_checkpoint", "second_checkpoint", "not_improved_above", "deteriorated_above",
    "stopping_above", "overdue_factor", "notice_above", "review_budget_per_week",
)  # fmt: skip


def own_checkpoints(as_of: date) -> dict[int, int]:
    """The first checkpoints that clinicians have set for themselves, by clinician."""
    rows = OwnCheckpoint.objects.filter(from_on__lte=as_of).order_by("from_on", "pk")
    newest = dict(rows.values_list("clinician_id", "session"))
    return {clinician: session for clinician, session in newest.items() if session is not None}


def for_clinician(constants: Constants, own: int | None) -> Constants:
    """The rules as one clinician's prompts use them: an earlier checkpoint, never a later one."""
    if own is None or own >= constants.first_checkpoint:
        return constants
    return replace(constants, first_checkpoint=own)


def current_rule_set(as_of: date) -> FlagRuleSet:
    """The rules in force on a day: the newest version, made from the policies when they change."""
    in_force = policies.all_on(as_of)
    wanted = {
        "first_checkpoint": int(in_force["first_checkpoint"]),
        "second_checkpoint": int(in_force["second_checkpoint"]),
        "overdue_factor": float(in_force["overdue_factor"]),
        "not_improved_above": float(in_force["not_improved_above"]),
        "deteriorated_above": float(in_force["deteriorated_above"]),
        "stopping_above": float(in_force["stopping_above"]),
        "notice_above": float(in_force["notice_above"]),
        "line_follows_count": bool(in_force["line_follows_count"]),
    }
    newest = FlagRuleSet.objects.order_by("-version").first()
    if newest is not None and newest.rules == wanted:
        return newest
    with connection.cursor() as cursor:
        # Two that come at once make one version.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('flag rule set'))")
    newest = FlagRuleSet.objects.order_by("-version").first()
    if newest is not None and newest.rules == wanted:
        return newest
    return FlagRuleSet.objects.create(
        version=newest.version + 1 if newest else 1,
        from_on=as_of,
        rules=wanted,
        why="the clinic's policies changed" if newest else "the first rules",
    )


def constants_of(rule_set: FlagRuleSet) -> Constants:
    return Constants(**rule_set.rules)
