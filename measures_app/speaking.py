"""What the rules say of an episode: every reason that holds, with its numbers and their source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from measures_app.expected import Reading, key_of
from measures_app.fitting import ModelKey, limits_of
from measures_app.histories import (
    EpisodeFacts,
    alliance_series,
    attendance_of,
    history_of,
    model_numbers,
)
from measures_app.models import ExpectedChangeModel, Flag, FlagRuleSet
from measures_app.psychometrics import budget, rules
from measures_app.psychometrics.norms import direction
from measures_app.psychometrics.rules import Constants, History, ModelNumbers, Reason
from measures_app.series import Series

REVIEW_RULES = (
    "not_on_track", "deteriorated", "no_progress", "at_risk_of_stopping", "overdue",
    "lost_in_transfer", "ready_to_finish",
)  # fmt: skip
PROMPT_RULES = ("alliance_low", "alliance_falling", "checkpoint")
ATTENDANCE_RULES = ("overdue", "lost_in_transfer", "at_risk_of_stopping")
MODEL_RULES = ("not_on_track", "alliance_low", "alliance_falling")
SESSIONS_SHOWN = 12  # latest days of attendance that a flag's basis keeps
FlagKey = tuple[int, str, str]  # episode, rule, series
Models = Mapping[ModelKey, ExpectedChangeModel]


@dataclass(frozen=True)
class Spoken:
    """A rule that speaks of an episode, with what a flag row needs."""

    facts: EpisodeFacts
    reason: Reason
    history: History
    about: Series | None = None
    model: ExpectedChangeModel | None = None
    benefit: float | None = None  # of looking; None for prompts

    @property
    def level(self) -> float:
        """The newest score in units of reliable change, higher better; NaN for attendance."""
        if self.about is None or not self.history.scores:
            return float("nan")
        criteria = self.history.criteria
        return direction(criteria.better) * self.history.last / criteria.reliable_change

    @property
    def series(self) -> str:
        return self.about.key if self.about else ""

    @property
    def key(self) -> FlagKey:
        return (self.facts.episode.pk, self.reason.code, self.series)

    @property
    def kind(self) -> str:
        prompt = self.reason.code in PROMPT_RULES
        return Flag.Kind.PROMPT if prompt else Flag.Kind.REVIEW

    @property
    def numbers(self) -> dict[str, Any]:
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in self.reason.numbers.items()
        }

    def basis(self, as_of: date, rule_set: FlagRuleSet) -> dict[str, Any]:
        """What the numbers came from, so that they can be shown and checked years later."""
        made_from: dict[str, Any] = {"as_of": as_of.isoformat(), "rules": rule_set.version}
        if self.benefit is not None:
            made_from["benefit"] = round(self.benefit, 4)
        if self.model is not None:
            made_from |= {"model": self.model.pk, "model_checksum": self.model.checksum}
        if self.about is None:
            learnt = self.facts.stopping_model
            if self.reason.code == "at_risk_of_stopping" and learnt is not None:
                made_from |= {"stopping_model": learnt.pk, "stopping_checksum": learnt.checksum}
            days = [date.fromordinal(day).isoformat() for day in sorted(self.facts.attended)]
            return made_from | {"attended": days[-SESSIONS_SHOWN:], "sessions": len(days)}
        return made_from | {
            "t": list(self.about.t),
            "scores": list(self.about.scores),
            "administrations": list(self.about.ids),
        }


def _benefit(facts: EpisodeFacts, reason: Reason, model: ModelNumbers) -> float | None:
    if reason.code in PROMPT_RULES:
        return None
    return budget.benefit(reason, model, facts.sessions)


def _about_scores(facts: EpisodeFacts, reading: Reading, constants: Constants) -> Iterator[Spoken]:
    history, model = history_of(facts, reading), model_numbers(reading)
    for reason in (
        rules.deteriorated(history, constants),
        rules.not_on_track(history, model, constants),
        rules.no_progress(history, constants),
        rules.ready_to_finish(history, constants),
        rules.checkpoint(history, constants),
    ):
        if reason is not None:
            used = reading.model if reason.code in MODEL_RULES else None
            yield Spoken(
                facts, reason, history, reading.series, used, _benefit(facts, reason, model)
            )


def _about_attendance(
    facts: EpisodeFacts, history: History, as_of: date, constants: Constants
) -> Iterator[Spoken]:
    today, model = as_of.toordinal(), ModelNumbers(p_stopping=facts.p_stopping)
    for reason in (
        rules.overdue(history, today, constants),
        rules.lost_in_transfer(history, today, constants),
        rules.at_risk_of_stopping(history, model, constants),
    ):
        if reason is not None:
            yield Spoken(facts, reason, history, benefit=_benefit(facts, reason, model))


def _about_alliance(
    facts: EpisodeFacts, series: Series, models: Models, constants: Constants
) -> Iterator[Spoken]:
    history = attendance_of(facts)
    history = rules.History(
        criteria=history.criteria, purpose=history.purpose, alliance=alliance_series(series)
    )
    row = models.get(key_of(series))
    numbers = ModelNumbers(alliance_limits=limits_of(row) if row else None)
    for reason in (
        rules.alliance_low(history, numbers, constants),
        rules.alliance_falling(history, numbers, constants),
    ):
        if reason is not None:
            yield Spoken(facts, reason, history, series, row)


def speak(
    facts: EpisodeFacts,
    as_of: date,
    constants: Constants,
    *,
    models: Models | None = None,
    unconfirmed: bool = False,
) -> list[Spoken]:
    """Every rule that has something to say about an episode, series by series."""
    scored = [reading for reading in facts.readings if reading.series.criteria is not None]
    spoken = [word for reading in scored for word in _about_scores(facts, reading, constants)]
    # Attendance rules, too, wait for two scores: those of the longest series.
    longest = max(scored, key=lambda reading: len(reading.series.scores), default=None)
    attendance = history_of(facts, longest, unconfirmed=unconfirmed)
    spoken += _about_attendance(facts, attendance, as_of, constants)
    for series in facts.alliance:
        spoken += _about_alliance(facts, series, models or {}, constants)
    return spoken


def speak_of_attendance(
    facts: EpisodeFacts, as_of: date, constants: Constants, *, scores: int, unconfirmed: bool
) -> list[Spoken]:
    """The rules that the mere passing of days can move, where nothing else has changed."""
    history = attendance_of(
        facts,
        t=tuple(range(1, scores + 1)),
        scores=(0.0,) * scores,  # how many there are is all that is asked of them
        unconfirmed=unconfirmed,
    )
    return list(_about_attendance(facts, history, as_of, constants))
