"""Who is seen more seldom ends elsewhere than the scores so far say: one number, and bounded."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from measures_app.psychometrics.backtest import Backtest
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.growth import GrowthModel
from measures_app.psychometrics.hazards import fit_hazards
from measures_app.psychometrics.outlook import look_ahead
from measures_app.psychometrics.pace import NO_PACE, Pace, fit_pace, pace_of

CRITERIA = ChangeCriteria("lower", 6, rc_inclusive=True, lowest=0, highest=60)
WHO = np.arange(4000)
MODEL = GrowthModel(
    clients=812, rows=7000, intake_centre=28.0, beta=(27.0, 0.75, -4.0, -0.15),
    D=((30.0, -7.0), (-7.0, 4.0)), phi=0.6, ar_variance=9.0, noise_variance=6.0,
    beta_covariance=((0.0,) * 4,) * 4, minus_2_reml=0.0, se={},
)  # fmt: skip


def test_pace_is_the_log_of_the_mean_time_between_sessions():
    found = pace_of([14.0, 42.0, 0.0, 7.0], [2, 2, 3, 0])
    assert found[:2] == pytest.approx(np.log([7.0, 21.0]))
    assert np.isnan(found[2:]).all()  # no time went by; nobody came again


def test_the_unit_of_time_makes_no_difference():
    random = np.random.default_rng(1)
    days, t = random.uniform(5, 90, 300), random.integers(2, 9, 300).astype(float)
    error = 0.2 * days + random.normal(0, 5, 300)
    in_days, in_weeks = (
        fit_pace(pace_of(d, t - 1), t, error, WHO[:300], 300) for d in (days, days / 7)
    )
    assert in_weeks.points == pytest.approx(in_days.points)
    assert in_weeks.shift(pace_of(days / 7, t - 1), t) == pytest.approx(
        in_days.shift(pace_of(days, t - 1), t)
    )


def looks(effect: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pace, session and error of looks at clients of whom each has four."""
    random = np.random.default_rng(2)
    t = np.tile([2.0, 3, 6, 8], n // 4)
    z = np.repeat(random.normal(0, 0.5, n // 4), 4)
    error = effect * z + np.repeat(random.normal(0, 3, n // 4), 4) + random.normal(0, 3, n)
    return 2.0 - 0.2 * np.log(t) + z, t, error


def test_what_pace_adds_is_found():
    pace, t, error = looks(3.0)
    found = fit_pace(pace, t, error, WHO // 4, clients=1000)
    assert found.points / found.scale == pytest.approx(3.0, rel=0.12)
    assert found.centre == pytest.approx((2.0, -0.2), abs=0.05)
    assert found.shift(2.0 - 0.2 * np.log(t), t) == pytest.approx(np.zeros(4000), abs=0.15)


def test_what_may_be_chance_is_drawn_to_nothing():
    nothing = [fit_pace(*looks(0.0, n), WHO[:n] // 4, n // 4).points for n in (400, 1600, 4000)]
    assert max(map(abs, nothing)) < 0.5
    assert nothing[1:] == [0.0, 0.0]
    pace, t, error = looks(0.6)
    # A client's looks share much: read as those of so many clients they would seem more certain.
    ours, apart = (fit_pace(pace, t, error, who, 1000).points for who in (WHO // 4, WHO))
    assert 0 < ours < apart < 0.6


def test_it_adds_two_deviations_at_most_and_nothing_where_it_is_not_known():
    pace = Pace(points=1.5, centre=(2.0, 0.0), scale=0.5, clients=300)
    assert pace.shift([2.0, 2.5, 9.0, -9.0, np.nan], [3] * 5) == pytest.approx(
        [0, 1.5, 3.0, -3.0, 0]
    )
    assert Pace.from_dict(json.loads(json.dumps(asdict(pace)))) == pace


@pytest.mark.parametrize(
    ("pace", "clients"),
    [([1.0, 2, 3, 1], 99), ([2.0] * 4, 300), ([np.nan] * 4, 300)],
    ids=["too few", "all at one pace", "no times"],
)
def test_where_nothing_can_be_learnt_pace_adds_nothing(pace: list[float], clients: int):
    error = np.array([1.0, -1, 2, 0])
    assert fit_pace(np.array(pace), np.full(4, 3.0), error, WHO[:4], clients) == NO_PACE


def courses(
    slower_is_worse: float,
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """180 courses on a symptom scale; from session 4 on pace counts, by so many points."""
    random = np.random.default_rng(3)
    labels, client, t, score, moment = [], [], [], [], []
    for number in range(180):
        length = int(random.integers(5, 12))
        slow = random.normal(0, 0.5)
        at = np.arange(1, length + 1)
        course = random.normal(28, 6) - random.normal(5, 2) * np.log(at)
        course += slower_is_worse * slow * (at > 3) + random.normal(0, 2.5, length)
        labels.append(f"c{number}")
        client += [number] * length
        t += at.tolist()
        score += np.clip(np.rint(course), 0, 60).tolist()
        moment += np.cumsum(np.r_[0.0, np.exp(slow + random.normal(2, 0.2, length - 1))]).tolist()
    return (labels, np.array(client), np.array(t, float), np.array(score), np.array(moment))


def test_out_of_fold_it_helps_where_pace_counts():
    def error(*, times: bool) -> float:
        labels, client, t, score, moment = courses(6.0)
        test = Backtest(
            labels, client, t, score, CRITERIA, step=1.0, folds=3,
            moment=moment if times else None,
        )  # fmt: skip
        test.paths = 200
        found = test.predictions((3,))[3]
        came = np.isfinite(found.mean)
        return float(np.sqrt(((found.mean - test.last)[came] ** 2).mean()))

    assert error(times=True) < error(times=False) - 0.1


def test_it_moves_the_draws_and_with_them_band_and_chances():
    model, hazard = MODEL, fit_hazards([1, 2, 3, 4] * 60, [0, 0, 0, 1] * 60, causes=("ended",))
    rows = np.zeros(3, dtype=np.int64), np.array([1.0, 2, 3]), np.array([30.0, 28, 27])
    still, moved = (
        look_ahead(model, hazard, *rows, CRITERIA, step=1.0, shift=shift)
        for shift in (None, np.array([2.0]))
    )
    for name in ("mean", "low80", "high80"):
        assert getattr(moved, name)[0] - getattr(still, name)[0] == pytest.approx(2, abs=0.2)
    assert moved.p_not_improved[0] > still.p_not_improved[0] + 0.05


def test_no_look_knows_when_later_sessions_were():
    labels, client, t, score, moment = courses(6.0)
    later = np.where(t > 3, moment + 1000.0, moment)
    looks = [
        Backtest(labels, client, t, score, CRITERIA, step=1.0, folds=3, moment=times)
        for times in (moment, later)
    ]
    who, rows = looks[0].seen_at(np.ones(180, dtype=bool), 3)
    assert looks[0].pace(who, rows) == pytest.approx(looks[1].pace(who, rows))
