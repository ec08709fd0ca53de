"""A clinician's own numbers: whom they help, against what was expected, and what was practised.

Read as the system and of one clinician alone: the numbers are counts of ended episodes, of which
most lie outside what a clinician may still open.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app.models import Measure, NormRow
from measures_app.psychometrics.multilevel import clinician_effects
from measures_app.psychometrics.norms import TWO_SIDED_95
from measures_app.psychometrics.rates import improvement_rate, wilson
from measures_app.strata import AGE_BANDS, age_band
from reports_app import figures
from reports_app.extract import OUTSIDE_OUTCOME
from reports_app.models import EpisodeSummary, PracticeEntry, SessionMonth
from reports_app.still_looking import BETTER
from sessions_app import clinic_time, policies
from sessions_app.context import speaking_as, system
from sessions_app.models import CaseReview, Clinician, Episode

TOO_FEW = 15
QUARTERS = 8
BEFORE = timedelta(days=182)
READING = system("practice")


@dataclass(frozen=True)
class Group:
    """Ended episodes of one kind; shares are None where they are too few to say."""

    label: str
    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Year:
    """Expected against seen in the episodes that ended in a year, in units of first scores' SD."""

    year: int
    n: int
    reference: str
    seen: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Quarter:
    """Contact hours a week, and how those fared whose care ended in the quarter."""

    start: date
    hours: float
    improved: Group


@dataclass(frozen=True)
class Effect:
    """Observed minus expected, drawn towards the clinic's by how little is known."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    weight: float = 0.0


@dataclass(frozen=True)
class Course:
    """A skill's pattern in the half-year before it was first practised, and since."""

    skill: str
    label: str
    pattern: str
    since: date
    before: Group
    after: Group
    hours: float
    sessions: int


def _ended() -> Any:
    return EpisodeSummary.objects.filter(closed_on__isnull=False, mid_care=False).exclude(
        ending__in=OUTSIDE_OUTCOME
    )


def _rate(label: str, count: int, n: int) -> Group:
    if n < TOO_FEW:
        return Group(label, n)
    ends = wilson(count, n)
    return Group(label, n, count / n, ends.low, ends.high)


def _improved(label: str, rows: list[dict[str, Any]]) -> Group:
    """Reliable improvement of ended episodes, with the interval that holds those unmeasured."""
    measured = [row for row in rows if row["outcome_class"]]
    if len(rows) < TOO_FEW or not measured:
        return Group(label, len(rows))
    better = sum(row["outcome_class"] in BETTER for row in measured)
    rate = improvement_rate(better, len(measured), len(rows))
    return Group(label, len(rows), rate.rate, rate.low, rate.high)


def ended_rows(clinician: Clinician) -> list[dict[str, Any]]:
    """The clinician's ended episodes, as values."""
    return list(
        _ended().filter(clinician=clinician).order_by("episode").values(
            "episode", "outcome_class", "ending", "age_at_opening", "problem", "closed_on",
            "started_clinical", "first_alliance", "first_score", "last_score",
            "expected_last", "measure", "reference__label",
            "reference__reference_year",
        )
    )  # fmt: skip


def _alliance_cutoff() -> float | None:
    norms = NormRow.objects.filter(measure__purpose=Measure.Purpose.ALLIANCE)
    return norms.exclude(cutoff=None).order_by("-from_on").values_list("cutoff", flat=True).first()


def for_whom(rows: list[dict[str, Any]]) -> list[tuple[str, list[Group]]]:
    """Improvement by age, problem, where they started and the first alliance; fixed orders."""
    cutoff = _alliance_cutoff()

    def split(key: Callable[[dict[str, Any]], str], order: list[str] | None = None) -> list[Group]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            found[key(row)].append(row)
        names = [n for n in order if n in found] if order else sorted(found)
        return [_improved(name, found[name]) for name in names]

    unknown = _("not known")
    starts = {True: _("in the clinical range"), False: _("beyond it"), None: unknown}

    def alliance(row: dict[str, Any]) -> str:
        if row["first_alliance"] is None or cutoff is None:
            return unknown
        return _("good from the start") if row["first_alliance"] >= cutoff else _("lower at first")

    return [
        (
            _("Age"),
            split(
                lambda row: age_band(row["age_at_opening"]),
                [*(name for name, _low, _high in AGE_BANDS), age_band(None)],
            ),
        ),
        (_("Problem"), split(lambda row: row["problem"] or unknown)),
        (
            _("Where they started"),
            split(lambda row: starts[row["started_clinical"]], list(starts.values())),
        ),
        (_("Alliance"), split(alliance)),
    ]


def _residual(row: dict[str, Any], units: dict[int, float]) -> float | None:
    """Last score minus the expected one; None where either isn't known."""
    if row["expected_last"] is None or not row["outcome_class"] or row["measure"] not in units:
        return None
    return float(units[row["measure"]] * (row["last_score"] - row["expected_last"]))


def own_effect(clinician: Clinician, rows: list[dict[str, Any]]) -> Effect:
    """The shrunken difference from what was expected, in SDs of first scores, better positive."""
    spread = figures.spread()
    units = spread.units
    own = [value for row in rows if (value := _residual(row, units)) is not None]
    if len(own) < TOO_FEW:
        return Effect(len(own))
    found = clinician_effects(
        own, np.zeros(len(own), dtype=int), 1, icc=spread.icc, between=spread.between
    )
    return Effect(
        len(own), float(found.effect[0]), float(found.low[0]), float(found.high[0]),
        float(found.weight[0]),
    )  # fmt: skip


def over_time(rows: list[dict[str, Any]]) -> list[Year]:
    """Expected against seen by year of ending, each against its own year's frozen reference."""
    units = figures.spread().units
    years: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["reference__reference_year"] and _residual(row, units) is not None:
            years[row["closed_on"].year].append(row)
    found = []
    for year, held in sorted(years.items()):
        label = held[-1]["reference__label"]
        if len(held) < TOO_FEW:
            found.append(Year(year, len(held), label))
            continue
        values = np.array([_residual(row, units) for row in held], dtype=float)
        gains = [units[row["measure"]] * (row["last_score"] - row["first_score"]) for row in held]
        half = TWO_SIDED_95 * float(values.std(ddof=1)) / math.sqrt(len(values))
        mean = float(values.mean())
        found.append(
            Year(year, len(held), label, float(np.mean(gains)), mean, mean - half, mean + half)
        )
    return found


def _quarter_of(day: date) -> date:
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)


def hours_and_outcome(clinician: Clinician, rows: list[dict[str, Any]]) -> list[Quarter]:
    """The last quarters that are over: hours a week beside the outcome, expecting nothing."""
    starts = [_quarter_of(clinic_time.today())]
    for _i in range(QUARTERS):
        starts.append(_quarter_of(starts[-1] - timedelta(days=1)))
    months = SessionMonth.objects.filter(clinician=clinician, month__gte=starts[-1])
    minutes: Counter[date] = Counter()
    for month, spent in months.values_list("month", "minutes"):
        minutes[_quarter_of(month)] += spent
    ended: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        ended[_quarter_of(row["closed_on"])].append(row)
    found = []
    for after, start in pairwise(starts):
        if minutes[start] or ended[start]:
            weeks = (after - start).days / 7
            found.append(Quarter(start, minutes[start] / 60 / weeks, _improved("", ended[start])))
    return found[::-1]


PATTERNS = {
    PracticeEntry.Skill.MOVING_ON: gettext_lazy(
        "past the checkpoint without a clear change, and decided on"
    ),
    PracticeEntry.Skill.ENDING: gettext_lazy("endings in which the client stopped coming"),
    PracticeEntry.Skill.MEASURING: gettext_lazy("sessions with both measures"),
}


def _moving_on(clinician: Clinician) -> list[tuple[date, bool]]:
    """Courses past the checkpoint without a reliable improvement: (last session, decided on)."""
    checkpoint = int(policies.get("second_checkpoint"))
    rows = EpisodeSummary.objects.filter(
        clinician=clinician, purpose=Episode.Purpose.CHANGE, mid_care=False, scores__gte=2,
        attended__gt=checkpoint,
    ).exclude(Q(outcome_class__in=BETTER) | Q(class_so_far__in=BETTER))  # fmt: skip
    held = list(rows.exclude(last_session_on=None).values_list("episode", "last_session_on"))
    decided = set(
        CaseReview.objects.filter(episode__in=[pk for pk, _day in held]).values_list(
            "episode", flat=True
        )
    )
    return [(day, pk in decided) for pk, day in held]


def courses(clinician: Clinician, entries: list[PracticeEntry],
            rows: list[dict[str, Any]]) -> list[Course]:  # fmt: skip
    """What each practised skill's pattern was before, and has been since. Says nothing of why."""
    found = []
    for skill, pattern in PATTERNS.items():
        noted = [entry for entry in entries if entry.skill == skill]
        if not noted:
            continue
        since = min(entry.on for entry in noted)
        start = since - BEFORE
        if skill == PracticeEntry.Skill.MEASURING:
            before, after = _both_measures(clinician, start, since)
        else:
            if skill == PracticeEntry.Skill.MOVING_ON:
                seen = _moving_on(clinician)
            else:
                seen = [(row["closed_on"], row["ending"] == "client_stopped") for row in rows]
            earlier = [yes for day, yes in seen if start <= day < since]
            later = [yes for day, yes in seen if day >= since]
            before = _rate(_("before"), sum(earlier), len(earlier))
            after = _rate(_("since"), sum(later), len(later))
        label = PracticeEntry.Skill(skill).label
        hours = float(sum(entry.hours for entry in noted))
        sessions = sum(entry.sessions_reviewed for entry in noted)
        found.append(Course(skill, str(label), str(pattern), since, before, after, hours, sessions))
    return found


def _both_measures(clinician: Clinician, start: date, since: date) -> tuple[Group, Group]:
    """By whole months: the month in which it began counts as since."""
    turn = since.replace(day=1)
    months = list(
        SessionMonth.objects.filter(
            clinician=clinician, month__gte=start.replace(day=1)
        ).values_list("month", "both_measures", "attended")
    )
    parts = []
    for label, wanted in ((_("before"), False), (_("since"), True)):
        held = [(both, n) for month, both, n in months if (month >= turn) is wanted]
        parts.append(_rate(label, sum(both for both, _n in held), sum(n for _both, n in held)))
    return parts[0], parts[1]


def read(clinician: Clinician, entries: list[PracticeEntry]) -> dict[str, Any]:
    """Everything the practice page says, of one clinician; who may see it is asked before."""
    with speaking_as(READING):
        rows = ended_rows(clinician)
        classes = Counter(row["outcome_class"] for row in rows if row["outcome_class"])
        stopped = sum(row["ending"] == "client_stopped" for row in rows)
        return {
            "rows_ended": rows,
            "classes": classes,
            "measured": sum(classes.values()),
            "total": len(rows),
            "stopped": stopped,
            "stopped_rate": _rate("", stopped, len(rows)),
            "effect": own_effect(clinician, rows),
            "for_whom": for_whom(rows),
            "years": over_time(rows),
            "quarters": hours_and_outcome(clinician, rows),
            "courses": courses(clinician, entries, rows),
        }
