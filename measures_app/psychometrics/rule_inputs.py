"""What the flag rules are given: one client's history, the model's numbers, the constants.

Days are whole numbers counted from any fixed day, so that the core needs no clock and no
calendar; the caller turns dates into them (``date.toordinal()``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

from .alliance import AllianceLimits
from .change import ChangeClass, ChangeCriteria, classify_one
from .norms import Better

Number: TypeAlias = float | int | str
Purpose: TypeAlias = Literal["change", "stay_well", "assess", "crisis"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule spoke: its code, and the numbers the application makes a sentence of."""

    code: str
    numbers: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class AllianceSeries:
    """Alliance scores of one respondent, oldest first.

    Attributes
    ----------
    t : tuple of int
        Number of attended sessions up to each score.
    scores : tuple of float
        In the measure's units.
    cutoff : float or None
        The measure's own cutoff; None falls back on ``Constants.alliance_cutoff``.
    error : float or None
        Greatest drop that measurement error explains (the measure's reliable change); None falls
        back on ``Constants.alliance_error``.
    better : {"higher", "lower"}
        The measure's direction.
    """

    t: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    cutoff: float | None = None
    error: float | None = None
    better: Better = "higher"

    def __post_init__(self) -> None:
        """Refuse a series whose parts don't belong together."""
        if len(self.t) != len(self.scores):
            raise ValueError("an alliance series needs one t a score")


@dataclass(frozen=True, slots=True)
class History:
    """All that was known about one series of one episode on one day.

    Attributes
    ----------
    criteria : ChangeCriteria
        Direction, thresholds and range of the outcome measure.
    t : tuple of int
        Number of attended treatment sessions up to each score, intake 1; increasing.
    scores : tuple of float
        Outcome scores in the measure's units, oldest first, none missing.
    purpose : {"change", "stay_well", "assess", "crisis"}
        What the episode is for.
    mid_care : bool
        True if measuring began after the second attended session: the first score is then the
        series' own baseline and no intake.
    attended_days : tuple of int
        Days of attended treatment sessions, measured or not; in any order.
    arrived_days : tuple of int
        Days on which the client came and was not seen by us: never held against the client.
    pauses : tuple of (int, int)
        Gaps the clinic caused, first and last day included.
    unconfirmed_sessions : bool
        True while the clinician still has past sessions without an attendance.
    transferred_on : int or None
        Day of the last transfer to another clinician.
    seen_since_transfer : bool
        True once the receiving clinician has seen the client.
    alliance : AllianceSeries
        Alliance of the same respondent.
    """

    criteria: ChangeCriteria
    t: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    purpose: Purpose = "change"
    mid_care: bool = False
    attended_days: tuple[int, ...] = ()
    arrived_days: tuple[int, ...] = ()
    pauses: tuple[tuple[int, int], ...] = ()
    unconfirmed_sessions: bool = False
    transferred_on: int | None = None
    seen_since_transfer: bool = False
    alliance: AllianceSeries = field(default_factory=AllianceSeries)

    def __post_init__(self) -> None:
        """Refuse a history that would be judged silently wrong."""
        if len(self.t) != len(self.scores):
            raise ValueError("a history needs one t a score")
        if any(math.isnan(score) for score in self.scores):
            raise ValueError("a history holds no missing scores: leave the session out")
        if any(later <= earlier for earlier, later in pairwise(self.t)):
            raise ValueError("t must increase from score to score")

    @property
    def first(self) -> float:
        """Baseline: the intake score, or the first one measured."""
        return self.scores[0]

    @property
    def last(self) -> float:
        """Newest score."""
        return self.scores[-1]

    def class_at(self, position: int) -> ChangeClass | None:
        """Class of the change from the baseline to the score at a position."""
        return classify_one(self.first, self.scores[position], self.criteria)

    @property
    def can_improve(self) -> bool:
        """Whether the scale has room for a reliable improvement over the baseline."""
        return self.criteria.can_improve(self.first)

    @property
    def deterioration_only(self) -> bool:
        """Whether the series may only be asked if it got worse."""
        return self.criteria.side(self.first) == "functional" or not self.can_improve

    @property
    def guarded(self) -> bool:
        """Whether the first score was so good that it may not have been the whole story."""
        return self.criteria.side(self.first) == "functional" and not self.can_improve


@dataclass(frozen=True, slots=True)
class Constants:
    """Thresholds of one version of the rules.

    Attributes
    ----------
    fewest_scores : int
        Below it no review flag and no checkpoint, whatever the rule.
    first_checkpoint, second_checkpoint : int
        Sessions at which reliable improvement is asked for: as a prompt, and for review.
    not_improved_above, deteriorated_above : float
        Thresholds tau1 and tau2 of `not_on_track`; starting values until a back-test sets them
        from the review budget.
    stopping_above : float
        Threshold of `at_risk_of_stopping`; a starting value likewise.
    overdue_factor : float
        Multiple of the client's own rhythm without a session.
    rhythm_gaps : int
        Number of latest gaps whose median is the rhythm.
    shortest_rhythm_days : int
        Several sessions in a few days are no rhythm: at least this many days.
    transfer_limit_days : int
        Days within which a transferred client is to be seen.
    stable_sessions : int
        Scores that must agree where recovery isn't possible.
    alliance_cutoff : float
        For alliance measures that state none: 36 of 40.
    alliance_error : float or None
        For alliance measures that state none; None keeps `alliance_falling` silent.
    silent_sessions : int
        Sessions after a decision during which its rule stays silent.
    notice_above : float
        Expected benefit of looking above which a review rule's reason becomes a flag at once
        (`budget.line_for`); 0 lets every reason through.
    line_follows_count : bool
        Whether each week's line moves with the flags raised so far (`steering.followed`).
    """

    fewest_scores: int = 2
    first_checkpoint: int = 3
    second_checkpoint: int = 6
    not_improved_above: float = 0.65
    deteriorated_above: float = 0.25
    stopping_above: float = 0.40
    overdue_factor: float = 2.0
    rhythm_gaps: int = 5
    shortest_rhythm_days: int = 7
    transfer_limit_days: int = 28
    stable_sessions: int = 3
    alliance_cutoff: float = 36.0
    alliance_error: float | None = None
    silent_sessions: int = 4
    notice_above: float = 0.0
    line_follows_count: bool = False

    def __post_init__(self) -> None:
        """Refuse rules that would judge a client on one score."""
        if self.fewest_scores < 2:
            raise ValueError("rules need at least two scores")
        if not self.first_checkpoint < self.second_checkpoint:
            raise ValueError("the second checkpoint comes after the first")


@dataclass(frozen=True, slots=True)
class ModelNumbers:
    """What the expected-change and stopping models say about one history.

    Attributes
    ----------
    expected, low80, high80 : sequence of float
        Expected response and its 80 % band at each t of the history, in the measure's units;
        empty where there is no model, NaN where it says nothing (the intake).
    p_not_improved, p_deteriorated : float or None
        Probabilities of ending care without reliable improvement, and reliably worse.
    p_stopping : float or None
        Probability that the next four weeks bring no session.
    alliance_limits : AllianceLimits or None
        The clinic's own limits, from 300 pairs of alliance scores on.
    """

    expected: Sequence[float] = ()
    low80: Sequence[float] = ()
    high80: Sequence[float] = ()
    p_not_improved: float | None = None
    p_deteriorated: float | None = None
    p_stopping: float | None = None
    alliance_limits: AllianceLimits | None = None


@dataclass(frozen=True, slots=True)
class LastDecision:
    """The newest decision about one rule's flag.

    Attributes
    ----------
    t : int
        Attended sessions when it was taken.
    score : float
        Newest outcome score then, in the measure's units.
    follow_up_day : int or None
        Day agreed for looking again.
    """

    t: int
    score: float
    follow_up_day: int | None = None
