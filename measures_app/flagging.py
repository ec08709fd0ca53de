"""Flags of the clinic as of a day: raised where a rule speaks, lapsed where its reason is gone.

One standing flag per (episode, rule, series). A review rule's reason whose benefit of looking lies
below the clinic's line waits, climbs with every week, and is raised when it crosses it: that is
how all rules share one weekly budget. After a decision a rule is silent until the follow-up or
newer evidence that is worse. The same facts give the same flags, in any order, run twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import Q

from measures_app.histories import EpisodeFacts, is_stale_import, unconfirmed_clinicians
from measures_app.models import Flag, FlagEvent, FlagRuleSet
from measures_app.models.flags import WAITED
from measures_app.psychometrics import budget, rules
from measures_app.psychometrics.rules import Constants, History, LastDecision
from measures_app.rule_sets import (
    constants_of,
    current_rule_set,
    for_clinician,
    own_checkpoints,
)
from measures_app.series import Ids, within
from measures_app.speaking import (
    ATTENDANCE_RULES,
    PROMPT_RULES,
    REVIEW_RULES,
    FlagKey,
    Models,
    Spoken,
    speak,
    speak_of_attendance,
)
from measures_app.weekly_lines import line_on
from sessions_app import bulk, clinic_time, policies
from sessions_app.context import current_actor
from sessions_app.models import Client

__all__ = [
    "ATTENDANCE_RULES",
    "NOBODY_TOOK_IT",
    "PROMPT_RULES",
    "REVIEW_RULES",
    "FlagKey",
    "FlagReport",
    "Models",
    "Spoken",
    "constants_of",
    "current_rule_set",
    "refresh_flags",
    "speak",
]

REASON_GONE = "the reason is gone"
EPISODE_ENDED = "the episode has ended"
TO_BE_CLOSED = "not seen for long: to be closed"
NOBODY_TOOK_IT = "nobody took it up"


@dataclass
class FlagReport:
    """What a night did with the flags, by rule."""

    raised: Counter[str] = field(default_factory=Counter)
    open: Counter[str] = field(default_factory=Counter)
    lapsed: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    close_these: set[int] = field(default_factory=set)  # clients

    def as_dict(self) -> dict[str, Any]:
        return {
            "raised": dict(sorted(self.raised.items())),
            "open": dict(sorted(self.open.items())),
            "lapsed": dict(sorted(self.lapsed.items())),
            "waiting": dict(sorted(self.waiting.items())),
        }

    def codes_to_close(self) -> list[str]:
        found = Client.objects.filter(pk__in=self.close_these).order_by("code")
        return list(found.values_list("code", flat=True))


def _last_decisions(episode_ids: Ids) -> dict[FlagKey, Flag]:
    """The newest decided flag of each rule and series of these episodes.

    One that nobody took up counts as decided without a follow-up: raised again the next night,
    it would never have left. So does one whose reason went: a score that swings about a line
    would be raised with every swing. A new gap, in contrast, is a new reason.
    """
    lapsed = Q(close_reason__startswith=NOBODY_TOOK_IT) | (
        Q(close_reason=REASON_GONE, kind=Flag.Kind.REVIEW) & ~Q(rule__in=ATTENDANCE_RULES)
    )
    over = Q(state=Flag.State.DECIDED) | Q(lapsed, state=Flag.State.LAPSED)
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


def _event(flag: Flag, before: str, why: str, basis: dict[str, Any]) -> dict[str, Any]:
    """A `FlagEvent`'s values: a night after much news has thousands."""
    return {
        "flag": flag,
        "episode_id": flag.episode_id,
        "actor": str(current_actor()),
        "from_state": before,
        "to_state": flag.state,
        "why": why,
        "evidence": flag.evidence,
        "basis": basis,
    }


CHANGEABLE = [
    "state", "evidence", "model_id", "rule_set_id", "closed_on", "closed_at", "close_reason",
    "session_number", "benefit", "raised_on",
]  # fmt: skip
EVENT_FIELDS = [
    "flag_id", "episode_id", "actor", "from_state", "to_state", "why", "evidence", "basis",
]  # fmt: skip
MANY = 50  # events that a copy writes sooner than an insert


class _Writer:
    """Gathers what becomes of flags, and writes it in a few statements."""

    def __init__(self, as_of: date, rule_set: FlagRuleSet, report: FlagReport) -> None:
        self.as_of, self.rule_set, self.report = as_of, rule_set, report
        self.now = clinic_time.now()
        self.line = line_on(rule_set, as_of)
        self.changed: list[Flag] = []
        self.new: list[Flag] = []
        self.events: list[dict[str, Any]] = []

    def passes(self, benefit: float | None, days: int = 0) -> bool:
        """Whether a reason is raised at once; prompts cost nobody's week."""
        return benefit is None or budget.passes(benefit, days, self.line)

    def raise_(self, spoken: Spoken) -> None:
        """A new flag: open, or waiting where the week has no room for it."""
        waits = not self.passes(spoken.benefit)
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
            benefit=spoken.benefit,
            state=Flag.State.WAITING if waits else Flag.State.OPEN,
        )
        self.new.append(flag)
        basis = spoken.basis(self.as_of, self.rule_set)
        if spoken.benefit is not None and constants_of(self.rule_set).notice_above:
            basis["line"] = self.line
        self.events.append(_event(flag, "", "waits for room" if waits else "raised", basis))
        if waits:
            self.report.waiting[flag.rule] += 1
            return
        self.report.raised[flag.rule] += 1
        self.report.open[flag.rule] += 1

    def wait(self, flag: Flag, spoken: Spoken | None) -> None:
        """A flag that waited: raised once it has climbed over the line, else it waits on."""
        if spoken is not None and spoken.numbers != flag.evidence:
            self._renew(flag, spoken)
        if not self.passes(flag.benefit, (self.as_of - flag.raised_on).days):
            self.report.waiting[flag.rule] += 1
            return
        since = flag.raised_on
        flag.state, flag.raised_on = Flag.State.OPEN, self.as_of
        if flag not in self.changed:
            self.changed.append(flag)
        basis = {
            "as_of": self.as_of.isoformat(),
            "rules": self.rule_set.version,
            "waited_since": since.isoformat(),
            "benefit": flag.benefit,
            "line": self.line,
        }
        self.events.append(_event(flag, Flag.State.WAITING, "raised", basis))
        self.report.raised[flag.rule] += 1
        self.report.open[flag.rule] += 1

    def refresh(self, flag: Flag, spoken: Spoken) -> None:
        self.report.open[flag.rule] += 1
        if spoken.numbers != flag.evidence:
            self._renew(flag, spoken)

    def _renew(self, flag: Flag, spoken: Spoken) -> None:
        flag.evidence, flag.session_number = spoken.numbers, spoken.facts.sessions
        flag.benefit = spoken.benefit
        flag.model, flag.rule_set = spoken.model, self.rule_set
        self.changed.append(flag)
        basis = spoken.basis(self.as_of, self.rule_set)
        self.events.append(_event(flag, flag.state, "newer numbers", basis))

    def lapse(self, flag: Flag, why: str) -> None:
        before = flag.state
        if before == Flag.State.WAITING:
            why = f"{WAITED}: {why}"
        flag.state, flag.close_reason = Flag.State.LAPSED, why
        flag.closed_on, flag.closed_at = max(self.as_of, flag.raised_on), self.now
        self.changed.append(flag)
        basis = {"as_of": self.as_of.isoformat(), "rules": self.rule_set.version}
        self.events.append(_event(flag, before, why, basis))
        if before != Flag.State.WAITING:
            self.report.lapsed[flag.rule] += 1

    def write(self) -> None:
        if self.changed:
            rows = ([flag.pk, *(getattr(flag, n) for n in CHANGEABLE)] for flag in self.changed)
            bulk.update_rows(Flag, CHANGEABLE, rows)
        Flag.objects.bulk_create(self.new, batch_size=1000)
        if len(self.events) < MANY:
            FlagEvent.objects.bulk_create(FlagEvent(**event) for event in self.events)
            return
        # A flag that is new had no number yet when its event was made.
        rows = ([e["flag"].pk, *(e[name] for name in EVENT_FIELDS[1:])] for e in self.events)
        bulk.copy_rows(FlagEvent, EVENT_FIELDS, rows, {"at": self.now})


def _wanted(
    facts: Iterable[EpisodeFacts],
    quiet: Mapping[int, EpisodeFacts],
    scores: Mapping[int, int],
    as_of: date,
    constants: Constants,
    models: Models,
    report: FlagReport,
    waiting: Collection[int],
) -> dict[FlagKey, Spoken]:
    own = own_checkpoints(as_of)
    wanted: dict[FlagKey, Spoken] = {}
    for known in facts:
        if is_stale_import(known, as_of):
            report.close_these.add(known.episode.client_id)
            continue
        silent = known.lead_id in waiting
        theirs = for_clinician(constants, own.get(known.lead_id or 0))
        for spoken in speak(known, as_of, theirs, models=models, unconfirmed=silent):
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
    unconfirmed: Collection[int] | None = None,
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
    unconfirmed : collection of int
        `histories.unconfirmed_clinicians`, where the caller has them.
    """
    rule_set = current_rule_set(as_of)
    constants, quiet, left = constants_of(rule_set), quiet or {}, set(leave)
    report = FlagReport()
    waiting = unconfirmed_clinicians(as_of) if unconfirmed is None else unconfirmed
    wanted = _wanted(
        facts.values(), quiet, scores or {}, as_of, constants, models or {}, report, waiting
    )
    # Locked, so that a decision taken this moment isn't overwritten; decisions are read after.
    live = (
        Flag.objects.standing()
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
        if flag.state == Flag.State.WAITING and (spoken is not None or untouched):
            writer.wait(flag, spoken)
        elif flag.state == Flag.State.WAITING and key[0] in left:
            report.waiting[flag.rule] += 1
        elif spoken is not None:
            writer.refresh(flag, spoken)
        elif key[0] in left or untouched:
            report.open[flag.rule] += 1
        elif key[0] not in facts and key[0] not in quiet:
            writer.lapse(flag, EPISODE_ENDED)
        elif flag.state in (Flag.State.WAITING, Flag.State.OPEN):
            stale = key[0] in facts and is_stale_import(facts[key[0]], as_of)
            writer.lapse(flag, TO_BE_CLOSED if stale else REASON_GONE)
        else:
            report.open[flag.rule] += 1
    for key, spoken in sorted(wanted.items(), key=lambda pair: pair[0]):
        if _may_raise(spoken, decided.get(key), as_of, constants):
            writer.raise_(spoken)
    writer.write()
    return report
