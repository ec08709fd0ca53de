"""Flags of the clinic as of a day: raised where a rule speaks, lapsed where its reason is gone.

One live flag per (episode, rule, series). After a decision a rule is silent until the follow-up
or newer evidence that is worse. The same facts give the same flags, in any order, run twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Q

from measures_app.expected import Reading, key_of
from measures_app.fitting import ModelKey, limits_of
from measures_app.histories import (
    EpisodeFacts,
    alliance_series,
    attendance_of,
    history_of,
    is_stale_import,
    model_numbers,
    unconfirmed_clinicians,
)
from measures_app.models import ExpectedChangeModel, Flag, FlagEvent, FlagRuleSet
from measures_app.psychometrics import rules
from measures_app.psychometrics.rules import (
    Constants,
    History,
    LastDecision,
    ModelNumbers,
    Reason,
)
from measures_app.series import Ids, Series, within
from sessions_app import bulk, clinic_time, policies
from sessions_app.context import current_actor
from sessions_app.models import Client

REVIEW_RULES = (
    "not_on_track", "deteriorated", "no_progress", "at_risk_of_stopping", "overdue",
    "lost_in_transfer", "ready_to_finish",
)  # fmt: skip
PROMPT_RULES = ("alliance_low", "alliance_falling", "checkpoint")
ATTENDANCE_RULES = ("overdue", "lost_in_transfer", "at_risk_of_stopping")
MODEL_RULES = ("not_on_track", "alliance_low", "alliance_falling")
REASON_GONE = "the reason is gone"
EPISODE_ENDED = "the episode has ended"
TO_BE_CLOSED = "not seen for long: to be closed"
NOBODY_TOOK_IT = "nobody took it up"
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


@dataclass
class FlagReport:
    """What a night did with the flags, by rule."""

    raised: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)
    lapsed: Counter[str] = field(default_factory=Counter)
    close_these: set[int] = field(default_factory=set)  # clients

    def as_dict(self) -> dict[str, Any]:
        return {
            "raised": dict(sorted(self.raised.items())),
            "open": dict(sorted(self.open.items())),
            "lapsed": dict(sorted(self.lapsed.items())),
        }

    def codes_to_close(self) -> list[str]:
        found = Client.objects.filter(pk__in=self.close_these).order_by("code")
        return list(found.values_list("code", flat=True))


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
            yield Spoken(facts, reason, history, reading.series, used)


def _about_attendance(
    facts: EpisodeFacts, history: History, as_of: date, constants: Constants
) -> Iterator[Spoken]:
    today = as_of.toordinal()
    for reason in (
        rules.overdue(history, today, constants),
        rules.lost_in_transfer(history, today, constants),
        rules.at_risk_of_stopping(history, ModelNumbers(p_stopping=facts.p_stopping), constants),
    ):
        if reason is not None:
            yield Spoken(facts, reason, history)


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


def _last_decisions(episode_ids: Ids) -> dict[FlagKey, Flag]:
    """The newest decided flag of each rule and series of these episodes.

    One that nobody took up counts as decided without a follow-up: raised again the next night,
    it would never have left.
    """
    over = Q(state=Flag.State.DECIDED) | Q(
        state=Flag.State.LAPSED, close_reason__startswith=NOBODY_TOOK_IT
    )
    rows = (
        Flag.objects.filter(over, within("episode_id", episode_ids))
        .select_related("review")
        .order_by("closed_at", "pk")
    )
    return {(row.episode_id, row.rule, row.series): row for row in rows}


def _decision(flag: Flag, history: History) -> LastDecision:
    """What was decided, and the score it was decided on."""
    t = flag.session_number or 0
    score = flag.evidence.get("last")
    if score is None:
        # Attendance rules give no score: the newest one of that day.
        seen = [score for at, score in zip(history.t, history.scores, strict=True) if at <= t]
        score = (seen or list(history.scores) or [0.0])[-1 if seen else 0]
    follow_up = flag.review.follow_up_on if flag.review else None
    return LastDecision(
        t=t, score=float(score), follow_up_day=follow_up.toordinal() if follow_up else None
    )


def _may_raise(spoken: Spoken, decided: Flag | None, as_of: date, c: Constants) -> bool:
    return rules.may_raise(
        spoken.history,
        _decision(decided, spoken.history) if decided else None,
        today=as_of.toordinal(),
        sessions=spoken.facts.sessions,
        constants=c,
    )


def _event(flag: Flag, before: str, why: str, basis: dict[str, Any]) -> FlagEvent:
    return FlagEvent(
        flag=flag,
        episode_id=flag.episode_id,
        actor=str(current_actor()),
        from_state=before,
        to_state=flag.state,
        why=why,
        evidence=flag.evidence,
        basis=basis,
    )


CHANGEABLE = [
    "state", "evidence", "model_id", "rule_set_id", "closed_on", "closed_at", "close_reason",
    "session_number",
]  # fmt: skip


class _Writer:
    """Gathers what becomes of flags, and writes it in a few statements."""

    def __init__(self, as_of: date, rule_set: FlagRuleSet, report: FlagReport) -> None:
        self.as_of, self.rule_set, self.report = as_of, rule_set, report
        self.now = clinic_time.now()
        self.changed: list[Flag] = []
        self.new: list[Flag] = []
        self.events: list[FlagEvent] = []

    def raise_(self, spoken: Spoken) -> None:
        flag = Flag(
            client_id=spoken.facts.episode.client_id,
            episode=spoken.facts.episode,
            rule=spoken.reason.code,
            kind=spoken.kind,
            series=spoken.series,
            measure=spoken.about.measure if spoken.about else None,
            respondent_id=spoken.about.respondent_id if spoken.about else None,
            model=spoken.model,
            rule_set=self.rule_set,
            evidence=spoken.numbers,
            session_number=spoken.facts.sessions,
            raised_on=self.as_of,
        )
        self.new.append(flag)
        self.events.append(_event(flag, "", "raised", spoken.basis(self.as_of, self.rule_set)))
        self.report.raised[flag.rule] += 1
        self.report.open[flag.rule] += 1

    def refresh(self, flag: Flag, spoken: Spoken) -> None:
        self.report.open[flag.rule] += 1
        numbers = spoken.numbers
        if numbers == flag.evidence:
            return
        flag.evidence, flag.session_number = numbers, spoken.facts.sessions
        flag.model, flag.rule_set = spoken.model, self.rule_set
        self.changed.append(flag)
        basis = spoken.basis(self.as_of, self.rule_set)
        self.events.append(_event(flag, flag.state, "newer numbers", basis))

    def lapse(self, flag: Flag, why: str) -> None:
        before = flag.state
        flag.state, flag.close_reason = Flag.State.LAPSED, why
        flag.closed_on, flag.closed_at = max(self.as_of, flag.raised_on), self.now
        self.changed.append(flag)
        basis = {"as_of": self.as_of.isoformat(), "rules": self.rule_set.version}
        self.events.append(_event(flag, before, why, basis))
        self.report.lapsed[flag.rule] += 1

    def write(self) -> None:
        if self.changed:
            rows = ([flag.pk, *(getattr(flag, n) for n in CHANGEABLE)] for flag in self.changed)
            bulk.update_rows(Flag, CHANGEABLE, rows)
        Flag.objects.bulk_create(self.new, batch_size=1000)
        FlagEvent.objects.bulk_create(self.events, batch_size=1000)


def _wanted(
    facts: Iterable[EpisodeFacts],
    quiet: Mapping[int, EpisodeFacts],
    scores: Mapping[int, int],
    as_of: date,
    constants: Constants,
    models: Models,
    report: FlagReport,
) -> dict[FlagKey, Spoken]:
    waiting = unconfirmed_clinicians(as_of)
    wanted: dict[FlagKey, Spoken] = {}
    for known in facts:
        if is_stale_import(known, as_of):
            report.close_these.add(known.episode.client_id)
            continue
        silent = known.lead_id in waiting
        for spoken in speak(known, as_of, constants, models=models, unconfirmed=silent):
            wanted[spoken.key] = spoken
    for pk, known in quiet.items():
        silent = known.lead_id in waiting
        for spoken in speak_of_attendance(
            known, as_of, constants, scores=scores.get(pk, 0), unconfirmed=silent
        ):
            wanted[spoken.key] = spoken
    return wanted


def _untaken_for(flag: Flag, as_of: date) -> int:
    """Days that a review flag has stood open with nobody's name on it, put-off ones not counted."""
    if flag.state != Flag.State.OPEN or flag.kind != Flag.Kind.REVIEW:
        return 0
    return (as_of - max(flag.raised_on, flag.snoozed_until or flag.raised_on)).days


def refresh_flags(
    facts: Mapping[int, EpisodeFacts],
    as_of: date,
    episode_ids: Ids = None,
    *,
    models: Models | None = None,
    quiet: Mapping[int, EpisodeFacts] | None = None,
    scores: Mapping[int, int] | None = None,
    leave: Iterable[int] = (),
) -> FlagReport:
    """Bring the flags of these episodes (None: of all) to what the facts say.

    A flag somebody has taken up stays theirs when its reason goes; it lapses with its episode.

    Parameters
    ----------
    facts : mapping
        Open episodes by id, with attendance and series.
    quiet : mapping
        Open episodes in which nothing changed but the day: only attendance is looked at.
        `scores` says how many scores the longest series of each has.
    leave : iterable of int
        Episodes whose flags are of a later day than this: not touched.
    """
    rule_set = current_rule_set(as_of)
    constants, quiet, left = constants_of(rule_set), quiet or {}, set(leave)
    report = FlagReport()
    wanted = _wanted(facts.values(), quiet, scores or {}, as_of, constants, models or {}, report)
    # Locked, so that a decision taken this moment isn't overwritten; decisions are read after.
    live = (
        Flag.objects.live()
        .exclude(kind=Flag.Kind.ITEM)
        .filter(within("episode_id", episode_ids))
        .order_by("pk")
        .select_for_update(of=("self",))
    )
    there = {(flag.episode_id, flag.rule, flag.series): flag for flag in live}
    decided = _last_decisions(episode_ids)
    writer = _Writer(as_of, rule_set, report)
    longest = int(policies.get("open_flag_days", as_of))
    for key, flag in there.items():
        spoken = wanted.pop(key, None)
        if key[0] not in left and _untaken_for(flag, as_of) > longest:
            writer.lapse(flag, f"{NOBODY_TOOK_IT} in {longest} days")
            continue
        untouched = key[0] in quiet and flag.rule not in ATTENDANCE_RULES
        if spoken is not None:
            writer.refresh(flag, spoken)
        elif key[0] in left or untouched:
            report.open[flag.rule] += 1
        elif key[0] not in facts and key[0] not in quiet:
            writer.lapse(flag, EPISODE_ENDED)
        elif flag.state == Flag.State.OPEN:
            stale = key[0] in facts and is_stale_import(facts[key[0]], as_of)
            writer.lapse(flag, TO_BE_CLOSED if stale else REASON_GONE)
        else:
            report.open[flag.rule] += 1
    for key, spoken in sorted(wanted.items(), key=lambda pair: pair[0]):
        if _may_raise(spoken, decided.get(key), as_of, constants):
            writer.raise_(spoken)
    writer.write()
    return report
