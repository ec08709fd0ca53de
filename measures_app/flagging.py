"""Flags of the clinic as of a day: raised where a rule speaks, lapsed where its reason is gone.

One live flag per (episode, rule, series). After a decision a rule is silent until the follow-up
or newer evidence that is worse. The same facts give the same flags, in any order, run twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from measures_app.histories import (
    EpisodeFacts,
    alliance_series,
    history_of,
    is_stale_import,
    model_numbers,
    reading_key,
    unconfirmed_clinicians,
)
from measures_app.models import Flag, FlagEvent, FlagRuleSet
from measures_app.psychometrics import rules
from measures_app.psychometrics.rules import Constants, LastDecision, Reason
from measures_app.series import series_key
from sessions_app import clinic_time, policies
from sessions_app.context import current_actor

REVIEW_RULES = (
    "not_on_track", "deteriorated", "no_progress", "at_risk_of_stopping", "overdue",
    "lost_in_transfer", "ready_to_finish",
)  # fmt: skip
PROMPT_RULES = ("alliance_low", "alliance_falling", "checkpoint")
REASON_GONE = "the reason is gone"
EPISODE_ENDED = "the episode has ended"
FlagKey = tuple[int, str, str]  # episode, rule, series


@dataclass(frozen=True)
class Spoken:
    """A rule that speaks of an episode, with what a flag row needs."""

    facts: EpisodeFacts
    reason: Reason
    series: str
    measure_id: int | None = None
    respondent_id: int | None = None
    model_id: int | None = None
    history: Any = None

    @property
    def key(self) -> FlagKey:
        return (self.facts.episode.pk, self.reason.code, self.series)

    @property
    def kind(self) -> str:
        prompt = self.reason.code in PROMPT_RULES
        return Flag.Kind.PROMPT if prompt else Flag.Kind.REVIEW


@dataclass
class FlagReport:
    """What a night did with the flags, by rule."""

    raised: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)
    lapsed: Counter[str] = field(default_factory=Counter)
    close_these: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "raised": dict(sorted(self.raised.items())),
            "open": dict(sorted(self.open.items())),
            "lapsed": dict(sorted(self.lapsed.items())),
        }


def current_rule_set(as_of: date) -> FlagRuleSet:
    """The rules in force on a day: the newest version, made from the policies when they change."""
    in_force = policies.all_on(as_of)
    wanted = {
        "first_checkpoint": int(in_force["first_checkpoint"]),
        "second_checkpoint": int(in_force["second_checkpoint"]),
        "overdue_factor": float(in_force["overdue_factor"]),
    }
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


def speak(
    facts: EpisodeFacts, as_of: date, constants: Constants, *, unconfirmed: bool = False
) -> list[Spoken]:
    """Every rule that has something to say about an episode, series by series."""
    today = as_of.toordinal()
    spoken: list[Spoken] = []
    for reading in facts.readings:
        if reading.series.criteria is None:
            continue
        history, model = history_of(facts, reading), model_numbers(reading)
        about_scores = (
            rules.deteriorated(history, constants),
            rules.not_on_track(history, model, constants),
            rules.no_progress(history, constants),
            rules.ready_to_finish(history, constants),
            rules.checkpoint(history, constants),
        )
        spoken += [
            Spoken(
                facts,
                reason,
                reading_key(reading),
                reading.series.measure.pk,
                reading.series.respondent_id,
                reading.model.pk if reading.model and reason.code == "not_on_track" else None,
                history,
            )
            for reason in about_scores
            if reason is not None
        ]
    # Attendance rules, too, wait for two scores: those of the longest series.
    scored = [reading for reading in facts.readings if reading.series.criteria is not None]
    longest = max(scored, key=lambda reading: len(reading.series.scores), default=None)
    attendance = history_of(facts, longest, unconfirmed=unconfirmed)
    spoken += [
        Spoken(facts, reason, "", history=attendance)
        for reason in (
            rules.overdue(attendance, today, constants),
            rules.lost_in_transfer(attendance, today, constants),
        )
        if reason is not None
    ]
    for respondent_id, series in facts.alliance.items():
        history = rules.History(
            criteria=attendance.criteria,
            purpose=attendance.purpose,
            alliance=alliance_series(series),
        )
        spoken += [
            Spoken(
                facts,
                reason,
                series_key(series.measure.code, respondent_id),
                series.measure.pk,
                respondent_id,
                history=history,
            )
            for reason in (
                rules.alliance_low(history, None, constants),
                rules.alliance_falling(history, None, constants),
            )
            if reason is not None
        ]
    return spoken


def _numbers(reason: Reason) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in reason.numbers.items()
    }


def _last_decisions(episode_ids: Iterable[int]) -> dict[FlagKey, LastDecision]:
    """The newest decision about each rule and series of these episodes."""
    found: dict[FlagKey, LastDecision] = {}
    rows = (
        Flag.objects.filter(episode__in=list(episode_ids), state=Flag.State.DECIDED)
        .select_related("review")
        .order_by("closed_at", "pk")
    )
    for row in rows:
        follow_up = row.review.follow_up_on if row.review else None
        found[row.episode_id, row.rule, row.series] = LastDecision(
            t=row.session_number or 0,
            score=float(row.evidence.get("last", 0.0)),
            follow_up_day=follow_up.toordinal() if follow_up else None,
        )
    return found


def _event(flag: Flag, before: str, why: str = "") -> FlagEvent:
    return FlagEvent(
        flag=flag,
        episode_id=flag.episode_id,
        actor=str(current_actor()),
        from_state=before,
        to_state=flag.state,
        why=why,
        evidence=flag.evidence,
    )


def _lapse(flag: Flag, as_of: date, why: str) -> FlagEvent:
    before = flag.state
    flag.state = Flag.State.LAPSED
    flag.closed_on = as_of
    flag.closed_at = clinic_time.now()
    flag.close_reason = why
    return _event(flag, before, why)


CHANGEABLE = ["state", "evidence", "closed_on", "closed_at", "close_reason", "session_number"]


def _new_flag(spoken: Spoken, as_of: date, rule_set: FlagRuleSet) -> Flag:
    return Flag(
        client_id=spoken.facts.episode.client_id,
        episode=spoken.facts.episode,
        rule=spoken.reason.code,
        kind=spoken.kind,
        series=spoken.series,
        measure_id=spoken.measure_id,
        respondent_id=spoken.respondent_id,
        model_id=spoken.model_id,
        rule_set=rule_set,
        evidence=_numbers(spoken.reason),
        session_number=spoken.facts.sessions,
        raised_on=as_of,
    )


def _may_raise(spoken: Spoken, decision: LastDecision | None, as_of: date, c: Constants) -> bool:
    return rules.may_raise(
        spoken.history,
        decision,
        today=as_of.toordinal(),
        sessions=spoken.facts.sessions,
        constants=c,
    )


def refresh_flags(
    facts: dict[int, EpisodeFacts], as_of: date, *, only: Iterable[int] | None = None
) -> FlagReport:
    """Bring the flags of these episodes (of all, when `only` is None) to what the facts say.

    A flag somebody has taken up stays theirs when its reason goes; it lapses with its episode.
    """
    rule_set = current_rule_set(as_of)
    constants = constants_of(rule_set)
    waiting = unconfirmed_clinicians(as_of)
    report = FlagReport()
    wanted: dict[FlagKey, Spoken] = {}
    for known in facts.values():
        if is_stale_import(known, as_of):
            report.close_these.append(known.episode.client_id)
            continue
        for spoken in speak(known, as_of, constants, unconfirmed=known.lead_id in waiting):
            wanted[spoken.key] = spoken
    live = Flag.objects.live().exclude(kind=Flag.Kind.ITEM)
    if only is not None:
        live = live.filter(episode__in=list(only))
    there = {(flag.episode_id, flag.rule, flag.series): flag for flag in live}
    decisions = _last_decisions(facts)
    changed: list[Flag] = []
    events: list[FlagEvent] = []
    for key, flag in there.items():
        spoken = wanted.pop(key, None)
        if spoken is not None:
            numbers = _numbers(spoken.reason)
            if numbers != flag.evidence:
                flag.evidence, flag.session_number = numbers, spoken.facts.sessions
                changed.append(flag)
                events.append(_event(flag, flag.state, "newer numbers"))
        elif key[0] not in facts or flag.state == Flag.State.OPEN:
            why = REASON_GONE if key[0] in facts else EPISODE_ENDED
            changed.append(flag)
            events.append(_lapse(flag, as_of, why))
            report.lapsed[flag.rule] += 1
            continue
        report.open[flag.rule] += 1
    new = [
        _new_flag(spoken, as_of, rule_set)
        for key, spoken in sorted(wanted.items(), key=lambda pair: pair[0])
        if _may_raise(spoken, decisions.get(key), as_of, constants)
    ]
    Flag.objects.bulk_update(changed, CHANGEABLE, batch_size=1000)
    Flag.objects.bulk_create(new, batch_size=1000)
    FlagEvent.objects.bulk_create(events + [_event(flag, "", "raised") for flag in new])
    for flag in new:
        report.raised[flag.rule] += 1
        report.open[flag.rule] += 1
    return report
