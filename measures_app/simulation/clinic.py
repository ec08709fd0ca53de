"""The whole synthetic clinic as tables, ready to be stored. Knows no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from measures_app.simulation import courses, diary, forms, people, referrals
from measures_app.simulation.courses import Courses, Plan
from measures_app.simulation.truth import ADULT, Truth

SITES = ("Harbour Street", "Mill Lane", "Station Square", "Old Library")
PROGRAMMES = (
    ("Talking therapy", False),
    ("Young people and families", False),
    ("Groups", False),
    ("Substance use treatment", True),
)
TALKING, YOUNG, GROUPS, RESTRICTED = range(4)
DAYS_A_MONTH = 30.4375
GROUP_SIZE = 8
CODES = 9  # keeps the codes' draws apart from the courses'
ENDINGS = (
    "", "agreed", "client_stopped", "clinic_ended", "circumstances", "referred", "transferred",
    "died", "assessment_only",
)  # fmt: skip


@dataclass
class SimulatedClinic:
    """Tables whose keys are row numbers; days are day numbers (0: none), times minutes."""

    seed: int
    until: int
    truth: Truth
    sites: tuple[str, ...]
    programmes: tuple[tuple[str, bool], ...]
    teams: tuple[str, ...]
    clinicians: pd.DataFrame
    clients: pd.DataFrame
    respondents: pd.DataFrame
    episodes: pd.DataFrame
    assignments: pd.DataFrame
    meetings: pd.DataFrame
    sessions: pd.DataFrame
    administrations: pd.DataFrame
    referrals: pd.DataFrame = field(default_factory=pd.DataFrame)

    def codes(self, taken: frozenset[str]) -> list[str]:
        """The clients' codes: the seed's own, others only where those are taken."""
        rng = np.random.default_rng([self.seed, len(self.clients), CODES])
        return people.codes(len(self.clients), taken, rng)

    def counts(self) -> dict[str, int]:
        tables = ("clinicians", "clients", "episodes", "sessions", "administrations")
        return {name: len(getattr(self, name)) for name in tables}

    def truth_document(self) -> dict[str, Any]:
        """What a test or a study compares its estimates with."""
        return {
            "seed": self.seed,
            "until": str(np.datetime64(self.until, "D")),
            "parameters": self.truth.to_dict(),
            "clinicians": {
                row.code: {"slope": row.slope, "alliance": row.warmth}
                for row in self.clinicians.itertuples()
            },
            "counts": self.counts(),
        }


def _clinicians(count: int, prescribers: int, sites: int, seed: int, truth: Truth, rng: Any) -> Any:
    n = count + prescribers
    gender = rng.choice(3, n, p=[0.66, 0.31, 0.03])
    leads = np.arange(n) < count
    return pd.DataFrame(
        {
            "name": people.names(gender, rng),
            "code": [f"sim-{seed}-{number:03d}" for number in range(1, n + 1)],
            "site": np.arange(n) % sites,
            "team": np.arange(n) % 2,
            "trainee": (rng.random(n) < 0.12) & leads,
            "leads": leads,
            "slope": truth.clinician_slope_sd * rng.standard_normal(n) * leads,
            "warmth": truth.alliance_sd[0] * rng.standard_normal(n) * leads,
        }
    )


def _shared(
    group: np.ndarray, first_day: np.ndarray, share: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Couples and groups: (number or -1, partner or -1, is a group); aligns the first days."""
    n = len(group)
    shared = np.full(n, -1, dtype=np.int64)
    partner = np.full(n, -1, dtype=np.int64)
    in_group = np.zeros(n, dtype=bool)
    if not share:
        return shared, partner, in_group
    adults = np.flatnonzero(group == ADULT)
    draw = rng.random(len(adults))
    paired = adults[draw < 0.05]
    left, right = paired[0::2][: len(paired) // 2], paired[1::2]
    shared[left] = shared[right] = np.arange(len(left))
    partner[left], partner[right] = right, left
    first_day[right] = first_day[left]
    together = adults[(draw >= 0.05) & (draw < 0.12)]
    together = together[np.argsort(first_day[together], kind="stable")]
    number = np.arange(len(together)) // GROUP_SIZE
    in_group[together] = True
    shared[together] = len(left) + number
    # Every member's first day falls on the group's own day of the week.
    at = courses.weekday(first_day[together])
    first_day[together] += number % 5 - at
    return shared, partner, in_group


def _plan(
    truth: Truth,
    group: np.ndarray,
    first_day: np.ndarray,
    site: np.ndarray,
    clinicians: pd.DataFrame,
    rng: np.random.Generator,
    share: bool = True,
) -> tuple[Plan, np.ndarray]:
    """Episodes as they are planned, and which of them are groups."""
    n = len(group)
    shared, partner, in_group = _shared(group, first_day, share, rng)
    leads = [
        np.flatnonzero(clinicians["leads"] & (clinicians["site"] == s))
        for s in range(clinicians["site"].max() + 1)
    ]
    size = np.array([len(of) for of in leads])[site]
    base = np.array([of[0] for of in leads])[site]
    step = clinicians["site"].max() + 1
    pick = (rng.random(n) * size).astype(np.int64)
    following = (pick + 1 + (rng.random(n) * np.maximum(size - 1, 1)).astype(np.int64)) % size
    clinician, following = base + step * pick, base + step * following
    one = shared >= 0
    _numbers, head = np.unique(shared[one], return_index=True)
    of_head = np.flatnonzero(one)[head]
    clinician[one] = clinician[of_head[shared[one]]]
    transfer = np.where(
        (rng.random(n) < truth.transfer) & ~one & (following != clinician),
        rng.integers(4, 11, n),
        0,
    )
    assess = np.where((rng.random(n) < 0.06) & ~one, rng.integers(1, 4, n), 0)
    z = np.clip(rng.standard_normal(n), -2.6, 2.8)
    intake = truth.centre(group) + np.asarray(truth.intake_sd)[group] * z
    plan = Plan(
        first_day=first_day,
        rhythm=rng.choice([7, 7, 7, 14], n),
        group=group,
        intake=intake,
        clinician=clinician,
        next_clinician=following,
        transfer_at=transfer,
        before=np.zeros(n, dtype=np.int64),
        assess=assess,
        shared=shared,
        partner=partner,
    )
    return plan, in_group


def _closing(done: Courses, until: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(day recorded as the end or 0, ending as it is recorded)."""
    n = len(done.ending)
    lag = np.where(done.ending == courses.STOPPED, rng.integers(21, 50, n), rng.integers(0, 10, n))
    closed = done.last_day + lag
    known = (done.ending != courses.OPEN) & (closed <= until)
    words = np.array(ENDINGS, dtype=object)[done.ending]
    unsaid = (done.ending == courses.STOPPED) & (rng.random(n) < 0.08)
    words[unsaid] = "unknown"
    return np.where(known, closed, 0), np.where(known, words, "")


def _returning(
    plan: Plan, done: Courses, closed: np.ndarray, until: int, truth: Truth, rng: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Clients who come back, and the first day of their next episode."""
    may = np.isin(done.ending, [courses.AGREED, courses.STOPPED, courses.CIRCUMSTANCES])
    back = np.flatnonzero(
        may & (closed > 0) & (plan.shared < 0) & (rng.random(len(closed)) < truth.returns)
    )
    day = courses.to_workday(closed[back] + rng.integers(70, 320, len(back)))
    return back[day < until], day[day < until]


def _episodes(
    plan: Plan,
    done: Courses,
    client: np.ndarray,
    site: np.ndarray,
    in_group: np.ndarray,
    until: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    n = len(client)
    closed, ending = _closing(done, until, rng)
    wait = np.where(plan.before > 0, 0, rng.integers(0, 15, n))
    programme = np.select(
        [plan.group != ADULT, in_group, (rng.random(n) < 0.09) & (plan.shared < 0)],
        [YOUNG, GROUPS, RESTRICTED],
        TALKING,
    )
    problem = np.empty(n, dtype=object)
    for group, named in people.PROBLEMS.items():
        chosen = np.flatnonzero(plan.group == group)
        problem[chosen] = rng.choice(named, len(chosen))
    problem[programme == RESTRICTED] = "alcohol or drugs"
    other = rng.random(n)
    purpose = np.select(
        [plan.assess > 0, other < 0.03, other > 0.97], ["assess", "stay_well", "crisis"], "change"
    )
    couple = (plan.shared >= 0) & ~in_group
    return pd.DataFrame(
        {
            "client": client,
            "programme": programme,
            "site": site,
            "purpose": purpose.astype(object),
            "problem": np.where(couple, "relationship", problem),
            "funder": rng.choice(people.FUNDERS, n, p=[0.5, 0.27, 0.13, 0.1]).astype(object),
            "opened_on": np.minimum(plan.first_day - wait, until),
            "care_began_on": np.where(plan.before > 0, plan.first_day - 9 * plan.before, 0),
            "sessions_before": plan.before,
            "closed_on": closed,
            "ending": ending,
            "group": plan.group,
            "format": np.select([in_group, couple], ["group", "couple"], "individual"),
            "shared": plan.shared,
        }
    )


def _joined(first: Courses, second: Courses, shift: int) -> Courses:
    both = {}
    for name, values in vars(first).items():
        more = getattr(second, name)
        both[name] = np.concatenate([values, more + shift if name == "episode" else more])
    return Courses(**both)


def generate(
    clients: int,
    seed: int,
    until: int,
    months: int = 24,
    truth: Truth | None = None,
    clinicians: int | None = None,
    sites: tuple[str, ...] | None = None,
    teams: tuple[str, ...] = ("East team", "West team"),
) -> SimulatedClinic:
    """A clinic's history up to a day, drawn from one seed: the same seed, the same clinic.

    Parameters
    ----------
    clients : int
        At least 1.
    until : int
        Day number (days since 1970) of the last day; what lies on it is booked, not held.
    months : int
        How long the clinic has been measuring.
    clinicians : int, optional
        Who lead; else as many as the clients need. With a number given nobody prescribes.
    """
    truth = truth or Truth()
    rng = np.random.default_rng([seed, clients, months])
    sites = sites or SITES[: 2 if clients < 1000 else 4]
    leads = clinicians or max(2 * len(sites), round(clients / max(months, 6) / 3.5))
    prescribers = 0 if clinicians else max(1, leads // 10)
    staff = _clinicians(leads, prescribers, len(sites), seed, truth, rng)
    group = rng.choice(3, clients, p=[0.74, 0.15, 0.11])
    site = rng.integers(0, len(sites), clients)
    start = until - round(months * DAYS_A_MONTH)
    first_day = courses.to_workday(rng.integers(start, until, clients))
    plan, in_group = _plan(truth, group, first_day, site, staff, rng)
    early = (plan.first_day < start + 75) & (plan.shared < 0) & (rng.random(clients) < 0.4)
    plan.before = np.where(early & (plan.assess == 0), rng.integers(1, 13, clients), 0)
    slopes, warmth = staff["slope"].to_numpy(), staff["warmth"].to_numpy()
    done = courses.run(plan, truth, slopes, warmth, until, rng)
    person = people.clients(group, plan.first_day - 15, site, rng)
    table = _episodes(plan, done, np.arange(clients), site, in_group, until, rng)

    back, day = _returning(plan, done, table["closed_on"].to_numpy(), until, truth, rng)
    if len(back):
        age = people.age_on(day, person["birth"].to_numpy()[back])
        again, grouped = _plan(truth, people.age_group(age), day, site[back], staff, rng, False)
        second = courses.run(again, truth, slopes, warmth, until, rng)
        more = _episodes(again, second, back, site[back], grouped, until, rng)
        # Nobody is registered for a return before they have left.
        more["opened_on"] = np.maximum(more["opened_on"], table["closed_on"].to_numpy()[back] + 61)
        table = pd.concat([table, more], ignore_index=True)
        done = _joined(done, second, clients)
        leading = np.concatenate([plan.clinician, again.clinician])
        following = np.concatenate([plan.next_clinician, again.next_clinician])
    else:
        leading, following = plan.clinician, plan.next_clinician

    died = np.flatnonzero(table["ending"] == "died")
    person.loc[table["client"].to_numpy()[died], "deceased_on"] = table["closed_on"].to_numpy()[
        died
    ]
    answering = people.respondents(person, group, rng)
    apart = np.random.default_rng([seed, clients, months, referrals.REFERRALS])
    held = diary.build(table, done, staff, until, rng)
    asked = forms.build(table, person, answering, held.sessions, done, truth, rng)
    return SimulatedClinic(
        seed=seed,
        until=until,
        truth=truth,
        sites=sites,
        programmes=PROGRAMMES,
        teams=teams,
        clinicians=staff,
        clients=person,
        respondents=answering,
        episodes=table,
        assignments=diary.assignments(table, done, leading, following, held.prescriber),
        meetings=held.meetings,
        sessions=held.sessions,
        administrations=asked,
        referrals=referrals.build(table, person["source"].to_numpy(), until, apart),
    )
