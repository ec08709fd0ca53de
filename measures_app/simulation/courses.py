"""Courses of care, one planned appointment of everybody at a time.

Every appointment is kept, every score too whether it was asked or not; what was measured is
decided here as well, because clients stop after what their clinicians could see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from measures_app.simulation.truth import HIGHEST, TENTHS, Truth

ATTENDED, NO_SHOW, LATE_CANCEL, CLINIC_CANCEL, NOT_SEEN, BOOKED = range(6)
OPEN, AGREED, STOPPED, CLINIC_ENDED, CIRCUMSTANCES, REFERRED, TRANSFERRED, DIED, ASSESSED = range(9)
OTHERS = (CLINIC_ENDED, CIRCUMSTANCES, REFERRED, TRANSFERRED, DIED)
MAX_APPOINTMENTS = 90
MAX_SESSIONS = 45
BOOKED_AHEAD = 21
SATURDAY = 5


@dataclass
class Plan:
    """Episodes before they happen; one row each. Days are numpy day numbers."""

    first_day: np.ndarray
    rhythm: np.ndarray
    group: np.ndarray
    intake: np.ndarray  # points, before rounding
    clinician: np.ndarray
    next_clinician: np.ndarray
    transfer_at: np.ndarray  # session from which the next clinician leads; 0: never
    before: np.ndarray  # sessions before measuring began
    assess: np.ndarray  # sessions an assessment takes; 0: treatment
    shared: np.ndarray  # number of the couple or group; -1: individual
    partner: np.ndarray  # the other one of a couple; -1: none


@dataclass
class Courses:
    """What happened: a row per appointment, and how each episode stands at the end."""

    episode: np.ndarray
    day: np.ndarray
    status: np.ndarray
    t: np.ndarray  # attended sessions up to and with this one
    lead: np.ndarray
    outcome: np.ndarray  # tenths; -1 where not attended
    alliance: np.ndarray
    outcome_taken: np.ndarray
    alliance_taken: np.ndarray
    ending: np.ndarray
    last_day: np.ndarray
    attended: np.ndarray
    residual: np.ndarray  # last seen residual, in SDs; 0 before the second score
    transferred_on: np.ndarray  # day number; 0: never


def _round(points: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(points * TENTHS), 0, HIGHEST).astype(np.int64)


def _logistic(logit: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logit)))


def weekday(day: np.ndarray) -> np.ndarray:
    return (day + 3) % 7  # day 0 was a Thursday


def to_workday(day: np.ndarray) -> np.ndarray:
    """Saturday becomes the Friday before, Sunday the Monday after."""
    at = weekday(day)
    return day - (at == SATURDAY) + (at > SATURDAY)


class _State:
    """Where everybody is, advanced by one appointment a step."""

    def __init__(
        self,
        plan: Plan,
        truth: Truth,
        slopes: np.ndarray,
        warmth: np.ndarray,
        until: int,
        rng: np.random.Generator,
    ) -> None:
        n = len(plan.first_day)
        self.plan, self.truth, self.slopes, self.warmth = plan, truth, slopes, warmth
        self.until, self.rng = until, rng
        self.day = plan.first_day.copy()
        self.lead = plan.clinician.copy()
        self.t = np.zeros(n, dtype=np.int64)
        self.ending = np.zeros(n, dtype=np.int64)
        self.last_day = np.zeros(n, dtype=np.int64)
        self.transferred_on = np.zeros(n, dtype=np.int64)
        self.no_shows = np.zeros(n, dtype=np.int64)
        self.residual = np.zeros(n)
        self.seen_outcome = np.full(n, -1, dtype=np.int64)
        self.seen_alliance = np.full(n, int(truth.alliance_mean * TENTHS), dtype=np.int64)
        first = _round(plan.intake)
        self.x = first / TENTHS - truth.centre(plan.group)
        self.first = first
        common = rng.standard_normal(n)
        own = rng.standard_normal(n)
        # The clinicians' part of the slope has nothing to do with u0: the clients' part bears it.
        rho = truth.random_correlation * truth.random_sd[1] / truth.client_slope_sd
        self.u0 = truth.random_sd[0] * common
        slope = rho * common + np.sqrt(1 - rho**2) * own
        self.u1 = truth.client_slope_sd * slope
        tie = truth.alliance_to_slope
        self.bond = truth.alliance_sd[1] * (
            tie * own + np.sqrt(1 - tie**2) * rng.standard_normal(n)
        )
        self.carried = np.zeros(n)  # what the leads so far added
        self.ar = np.sqrt(truth.ar_variance) * rng.standard_normal(n)
        # Missing measures cluster: some clients are seldom asked.
        self.seldom = rng.random(n) < 0.04

    def step(self, active: np.ndarray) -> dict[str, np.ndarray]:
        """One appointment of each active episode; rows of what happened."""
        truth, rng = self.truth, self.rng
        draw = rng.random(len(active))
        limits = np.cumsum(
            [truth.no_show, truth.late_cancel, truth.clinic_cancel, truth.not_seen_by_us]
        )
        status = np.select(
            [draw < limit for limit in limits],
            [NO_SHOW, LATE_CANCEL, CLINIC_CANCEL, NOT_SEEN],
            ATTENDED,
        )
        came = active[status == ATTENDED]
        self.t[came] += 1
        outcome, taken = self._outcome(came)
        alliance, told = self._alliance(came)
        self._see(came, outcome, taken, alliance, told)
        self.last_day[active] = self.day[active]
        self.no_shows[active[status == NO_SHOW]] += 1
        self._end(came, active[status == NO_SHOW])
        rows = {
            "episode": active,
            "day": self.day[active].copy(),
            "status": status,
            "t": self.t[active].copy(),
            "lead": self.lead[active].copy(),
        }
        for name, values, empty in (
            ("outcome", outcome, -1),
            ("alliance", alliance, -1),
            ("outcome_taken", taken, False),
            ("alliance_taken", told, False),
        ):
            full = np.full(len(active), empty, dtype=values.dtype)
            full[status == ATTENDED] = values
            rows[name] = full
        self._next_day(active)
        return rows

    def _outcome(self, came: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        truth, plan, rng = self.truth, self.plan, self.rng
        t = self.t[came] + plan.before[came]
        moves = (plan.transfer_at[came] > 0) & (self.t[came] == plan.transfer_at[came])
        self.lead[came[moves]] = plan.next_clinician[came[moves]]
        self.transferred_on[came[moves]] = self.day[came[moves]]
        log_t = np.log(t)
        # Sessions before measuring began were led by the first clinician too.
        log_before = np.where(self.t[came] > 1, np.log(np.maximum(t - 1, 1)), 0.0)
        self.carried[came] += self.slopes[self.lead[came]] * (log_t - log_before)
        shock = rng.standard_normal(len(came)) * np.sqrt(truth.ar_variance * (1 - truth.phi**2))
        self.ar[came] = np.where(t > 2, truth.phi * self.ar[came] + shock, self.ar[came])
        noise = rng.standard_normal(len(came)) * np.sqrt(truth.noise_variance)
        y = (
            truth.expected(self.x[came], t, plan.group[came])
            + self.u0[came]
            + self.u1[came] * log_t
            + self.carried[came]
            + self.ar[came]
            + noise
        )
        score = np.where(t == 1, self.first[came], _round(y))
        missing = np.where(self.seldom[came], 0.6, truth.outcome_not_taken)
        missing = np.where(self.t[came] == 1, missing / 2, missing)
        return score, rng.random(len(came)) >= missing

    def _alliance(self, came: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        truth, rng = self.truth, self.rng
        mean = np.minimum(
            truth.alliance_mean + truth.alliance_drift * self.t[came], truth.alliance_highest_mean
        )
        y = (
            mean
            + self.warmth[self.lead[came]]
            + self.bond[came]
            + truth.alliance_sd[2] * rng.standard_normal(len(came))
        )
        missing = np.where(self.seldom[came], 0.7, truth.alliance_not_taken)
        return _round(y), rng.random(len(came)) >= missing

    def _see(
        self,
        came: np.ndarray,
        outcome: np.ndarray,
        taken: np.ndarray,
        alliance: np.ndarray,
        told: np.ndarray,
    ) -> None:
        """What the clinic knows from now on: only what was measured."""
        who, y = came[taken], outcome[taken]
        t = self.t[who] + self.plan.before[who]
        modelled = t > 1
        who_m, t_m = who[modelled], t[modelled]
        expected = self.truth.expected(self.x[who_m], t_m, self.plan.group[who_m])
        sd = np.sqrt(self.truth.variance(t_m))
        self.residual[who_m] = (y[modelled] / TENTHS - expected) / sd
        self.seen_outcome[who] = y
        self.seen_alliance[came[told]] = alliance[told]

    def _end(self, came: np.ndarray, absent: np.ndarray) -> None:
        truth, rng, plan = self.truth, self.rng, self.plan
        t, z = self.t[came], self.residual[came]
        cutoff = np.asarray(truth.cutoff)[plan.group[came]] * TENTHS
        over = (self.seen_outcome[came] >= cutoff) & (t >= 3)
        a, b, c, d, e = truth.stop
        bond = (self.seen_alliance[came] / TENTHS - truth.alliance_mean) / 4
        stops = _logistic(a + b * z + c * bond + d * self.no_shows[came] / 2 + e * (t == 1))
        a, b, c, d = truth.agree
        agrees = np.where(t >= 3, _logistic(a + b * t + c * over + d * z), 0.0)
        chances = [stops, agrees, *np.broadcast_to(truth.other_endings, (len(came), 5)).T]
        limits = np.cumsum(chances, axis=0)
        draw = rng.random(len(came))
        how = np.select([draw < limit for limit in limits], [STOPPED, AGREED, *OTHERS], OPEN)
        how = np.where((how == OPEN) & (t >= MAX_SESSIONS), AGREED, how)
        assessed = plan.assess[came]
        how = np.where(assessed > 0, np.where(t >= assessed, ASSESSED, OPEN), how)
        self.ending[came] = how
        gone = absent[rng.random(len(absent)) < truth.stop_after_no_show]
        self.ending[gone] = STOPPED
        # A couple comes together and ends together.
        ended = np.concatenate([came, gone])
        ended = ended[(self.ending[ended] != OPEN) & (plan.partner[ended] >= 0)]
        other = plan.partner[ended]
        still = self.ending[other] == OPEN
        known = np.where(self.ending[ended] == DIED, CIRCUMSTANCES, self.ending[ended])
        self.ending[other[still]] = known[still]

    def _next_day(self, active: np.ndarray) -> None:
        rng, plan = self.rng, self.plan
        jitter = rng.choice([-1, 0, 0, 0, 0, 1, 2], len(active))
        pause = rng.random(len(active))
        wait = plan.rhythm[active] + jitter + 7 * rng.integers(1, 4, len(active)) * (pause < 0.06)
        wait = wait + 190 * (pause > 0.9995)
        alone = to_workday(self.day[active] + wait)
        self.day[active] = np.where(plan.shared[active] >= 0, self.day[active] + 7, alone)


def run(
    plan: Plan,
    truth: Truth,
    slopes: np.ndarray,
    warmth: np.ndarray,
    until: int,
    rng: np.random.Generator,
) -> Courses:
    """Let all courses happen up to a day; appointments from that day on are booked.

    Parameters
    ----------
    slopes, warmth : arrays by clinician
        Effects on the outcome's slope and on the alliance, in points.
    until : int
        Day number of the last day: what lies on it or after it hasn't happened yet.
    """
    state = _State(plan, truth, slopes, warmth, until, rng)
    rows: list[dict[str, np.ndarray]] = []
    active = np.arange(len(plan.first_day))
    for _step in range(MAX_APPOINTMENTS):
        coming = active[state.day[active] >= until]
        near = coming[state.day[coming] <= until + BOOKED_AHEAD]
        rows.append(_booked(state, near))
        active = active[state.day[active] < until]
        if not len(active):
            break
        rows.append(state.step(active))
        active = active[state.ending[active] == OPEN]
    whole = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    # A partner's ending reaches appointments that were booked already.
    kept = (whole["status"] != BOOKED) | (state.ending[whole["episode"]] == OPEN)
    order = np.lexsort((whole["day"][kept], whole["episode"][kept]))
    return Courses(
        **{name: values[kept][order] for name, values in whole.items()},
        ending=state.ending,
        last_day=np.where(state.last_day > 0, state.last_day, plan.first_day),
        attended=state.t,
        residual=state.residual,
        transferred_on=state.transferred_on,
    )


def _booked(state: _State, who: np.ndarray) -> dict[str, np.ndarray]:
    none = np.full(len(who), -1, dtype=np.int64)
    return {
        "episode": who,
        "day": state.day[who].copy(),
        "status": np.full(len(who), BOOKED),
        "t": state.t[who].copy(),
        "lead": state.lead[who].copy(),
        "outcome": none,
        "alliance": none,
        "outcome_taken": np.zeros(len(who), dtype=bool),
        "alliance_taken": np.zeros(len(who), dtype=bool),
    }
