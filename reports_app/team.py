"""A supervisor's team at a glance: load, what was taken up, what is missing, who asks for help.

By name and by nothing else: no number orders it, and none of it is an outcome. A dozen queries,
however large the team.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q

from measures_app import followups
from measures_app.models import Administration, Measure
from reports_app.noticed import GOOD_NEWS
from reports_app.queue import for_review, live_flags
from sessions_app import absences, access, clinic_time, selectors
from sessions_app.models import (
    Absence,
    Assignment,
    CaseReview,
    Clinician,
    MeetingClinician,
    Session,
)

LATELY = timedelta(days=35)
A_WEEK = timedelta(days=7)
MISSING = timedelta(days=28)
ASKED_SINCE = timedelta(days=60)
MOST_ASKED = 12


@dataclass(frozen=True)
class Member:
    """One clinician of the team; counts of clients unless another thing is named."""

    clinician: Clinician
    away: Absence | None
    open: int
    held: float  # contact hours of this week so far; a group counts once
    booked: float
    noticed: int
    nobodys: int  # of them, with nobody's name on it
    judged: int  # flags of the last weeks that a week has passed since
    in_time: int  # of them, taken up or decided within it
    sessions: int  # attended in the last four weeks
    both: int  # of them, with outcome and alliance
    unsaid: int  # past sessions of which nobody has said whether the client came
    due: int  # decisions to look at again


@dataclass(frozen=True)
class Asked:
    """A case in which help is wanted, and why it stands here."""

    review: CaseReview
    clinician: Clinician


@dataclass(frozen=True)
class Team:
    members: list[Member]
    asked: list[Asked]
    asked_total: int


def _led(clinicians: list[Clinician]) -> dict[int, int]:
    """Open episodes that these clinicians lead: episode -> clinician."""
    rows = Assignment.objects.filter(
        clinician__in=clinicians, part=Assignment.Part.LEAD, to_on=None, episode__closed_on=None
    )
    return dict(rows.values_list("episode", "clinician"))


def _hours(clinicians: list[Clinician], today: date) -> dict[tuple[int, bool], float]:
    """Hours of the running week by (clinician, whether held)."""
    monday = today - timedelta(days=today.weekday())
    rows = MeetingClinician.objects.filter(
        clinician__in=clinicians,
        meeting__sessions__held_on__gte=monday,
        meeting__sessions__held_on__lt=monday + A_WEEK,
        meeting__sessions__status__in=[Session.Status.ATTENDED, Session.Status.BOOKED],
    ).values_list("clinician", "meeting", "meeting__minutes", "meeting__sessions__status")
    meetings: dict[tuple[int, int], tuple[int, bool]] = {}
    for clinician, meeting, minutes, status in rows:
        held = status == Session.Status.ATTENDED
        meetings[clinician, meeting] = (
            minutes, held or meetings.get((clinician, meeting), (0, False))[1],
        )  # fmt: skip
    found: dict[tuple[int, bool], float] = defaultdict(float)
    for (clinician, _meeting), (minutes, held) in meetings.items():
        found[clinician, held] += minutes / 60
    return found


def _taken_up(user: Any, led: dict[int, int], today: date) -> dict[int, list[bool]]:
    """Of each clinician's flags that a week has passed since: taken up or decided within it."""
    flags = for_review(user).noticed().exclude(rule=GOOD_NEWS)
    rows = flags.filter(raised_on__gte=today - LATELY, raised_on__lte=today - A_WEEK)
    found: dict[int, list[bool]] = defaultdict(list)
    for episode, raised_on, taken_up_at, closed_on, state in rows.values_list(
        "episode", "raised_on", "taken_up_at", "closed_on", "state"
    ):
        if episode not in led:
            continue
        acted = [clinic_time.local_date(taken_up_at)] if taken_up_at else []
        acted += [closed_on] if state == "decided" else []
        found[led[episode]].append(any(day - raised_on <= A_WEEK for day in acted))
    return found


def _measured(led: dict[int, int], today: date) -> dict[int, list[bool]]:
    """Of each clinician's sessions lately: whether outcome and alliance are both there."""
    scored = Administration.objects.scored().filter(session=OuterRef("pk"))
    alliance = Q(measure__purpose=Measure.Purpose.ALLIANCE)
    rows = Session.objects.attended().treatment().filter(
        episode__in=list(led), held_on__gte=today - MISSING
    )  # fmt: skip
    found: dict[int, list[bool]] = defaultdict(list)
    rows = rows.annotate(a=Exists(scored.filter(alliance)), o=Exists(scored.exclude(alliance)))
    for episode, a, o in rows.order_by().values_list("episode", "a", "o"):
        found[led[episode]].append(a and o)
    return found


def _by_clinician(rows: Any, led: dict[int, int]) -> Counter[int]:
    return Counter(led[episode] for episode in rows if episode in led)


def _noticed(user: Any, led: dict[int, int], today: date) -> dict[int, dict[int, bool]]:
    """Clients worth a conversation, by clinician: whether somebody's name is on one."""
    rows = live_flags(user).awake(today).exclude(rule=GOOD_NEWS)
    found: dict[int, dict[int, bool]] = defaultdict(dict)
    for episode, client, owner in rows.values_list("episode", "client", "owner"):
        if episode in led:
            clients = found[led[episode]]
            clients[client] = clients.get(client, False) or owner is not None
    return found


def _asked(user: Any, led: dict[int, int], today: date) -> list[tuple[int, int]]:
    """(review, episode) of the newest decision of a case, where it is to consult."""
    newest = CaseReview.objects.filter(episode=OuterRef("episode")).order_by("-recorded_at", "-pk")
    rows = CaseReview.objects.visible_to(user).filter(
        ~Exists(newest.filter(recorded_at__gt=OuterRef("recorded_at"))),
        episode__closed_on=None,
        decision=CaseReview.Decision.CONSULT,
        result_at=None,
        reviewed_on__gte=today - ASKED_SINCE,
    )
    found = rows.order_by("reviewed_on", "pk").values_list("pk", "episode")
    return [(review, episode) for review, episode in found if episode in led]


def team_of(user: Any) -> Team:
    """Everybody whom a person supervises today, by name; call as that person."""
    today = clinic_time.today()
    clinicians = list(access.my_clinicians(user).exclude(user=user).order_by("name", "pk"))
    led = _led(clinicians)
    hours, away = _hours(clinicians, today), absences.on(clinicians)
    noticed, taken_up = _noticed(user, led, today), _taken_up(user, led, today)
    measured, load = _measured(led, today), Counter(led.values())
    unsaid = _by_clinician(
        selectors.unconfirmed(user, today).values_list("episode", flat=True), led
    )
    due = _by_clinician(followups.due_reviews(user).values_list("episode", flat=True), led)
    asked = _asked(user, led, today)
    reviews = CaseReview.objects.select_related("client__identity", "client__key").in_bulk(
        [review for review, _episode in asked[:MOST_ASKED]]
    )
    by_pk = {clinician.pk: clinician for clinician in clinicians}
    return Team(
        [
            Member(
                clinician=c,
                away=away.get(c.pk),
                open=load[c.pk],
                held=hours.get((c.pk, True), 0.0),
                booked=hours.get((c.pk, False), 0.0),
                noticed=len(noticed.get(c.pk, {})),
                nobodys=sum(not owned for owned in noticed.get(c.pk, {}).values()),
                judged=len(taken_up.get(c.pk, ())),
                in_time=sum(taken_up.get(c.pk, ())),
                sessions=len(measured.get(c.pk, ())),
                both=sum(measured.get(c.pk, ())),
                unsaid=unsaid[c.pk],
                due=due[c.pk],
            )
            for c in clinicians
        ],
        [
            Asked(reviews[review], by_pk[led[episode]])
            for review, episode in asked[:MOST_ASKED]
            if review in reviews
        ],
        len(asked),
    )
