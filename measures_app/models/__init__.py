from measures_app.models.administrations import Administration
from measures_app.models.alerts import ItemAlert
from measures_app.models.change import ExpectedChangeModel, StoppingModel, Trajectory
from measures_app.models.definitions import (
    Measure,
    MeasuresState,
    MeasureVersion,
    NormRow,
    Wording,
)
from measures_app.models.flags import Flag, FlagEvent, FlagRuleSet, FollowUp, WeeklyLine
from measures_app.models.imports import ImportDraft
from measures_app.models.night import NightlyRun, Step, TouchedEpisode
from measures_app.models.plans import MeasurePlan
from measures_app.models.rule_talk import OwnCheckpoint, RuleProposal

__all__ = [
    "Administration",
    "ExpectedChangeModel",
    "Flag",
    "FlagEvent",
    "FlagRuleSet",
    "FollowUp",
    "ImportDraft",
    "ItemAlert",
    "Measure",
    "MeasurePlan",
    "MeasureVersion",
    "MeasuresState",
    "NightlyRun",
    "NormRow",
    "OwnCheckpoint",
    "RuleProposal",
    "Step",
    "StoppingModel",
    "TouchedEpisode",
    "Trajectory",
    "WeeklyLine",
    "Wording",
]
