"""The synthetic clinic is what its truth says. Nothing here touches a database."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from measures_app.psychometrics.growth import fit
from measures_app.simulation import Truth, courses, generate
from measures_app.simulation.forms import HIGHEST, ITEMS, MEASURES, TOP, split
from measures_app.simulation.people import age_on

UNTIL = 20_781  # 24 November 2026, a Tuesday
TABLES = (
    "clinicians", "clients", "respondents", "episodes", "assignments", "meetings", "sessions",
    "administrations",
)  # fmt: skip


@pytest.fixture(scope="module")
def clinic():
    return generate(2000, 11, UNTIL)


@pytest.fixture(scope="module")
def held(clinic):
    """Attended treatment sessions with the course's numbers."""
    rows = clinic.sessions
    return rows[(rows["status"] == "attended") & (rows["kind"] == "treatment")]


def test_the_same_seed_gives_the_same_clinic_codes_too(clinic):
    again = generate(2000, 11, UNTIL)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(clinic, name), getattr(again, name))
    assert clinic.codes(frozenset()) == again.codes(frozenset())


def test_another_seed_gives_another_clinic(clinic):
    other = generate(2000, 12, UNTIL)
    assert not clinic.clients["name"].equals(other.clients["name"])
    assert set(clinic.codes(frozenset())) != set(other.codes(frozenset()))


def test_codes_are_unique_and_step_aside_for_those_taken(clinic):
    codes = clinic.codes(frozenset())
    assert len(set(codes)) == len(codes) == 2000
    taken = frozenset(codes[:7])
    others = clinic.codes(taken)
    assert len(set(others)) == 2000
    assert not taken & set(others)


def test_items_add_up_to_the_total(clinic):
    rows = clinic.administrations
    items = rows[[f"item_{number}" for number in range(ITEMS)]].to_numpy()
    complete = rows["complete"].to_numpy()
    assert (items[complete].sum(axis=1) == rows["total"].to_numpy()[complete]).all()
    assert ((items[complete] >= 0) & (items[complete] <= TOP)).all()
    assert ((items[~complete] == -1).sum(axis=1) == 1).all()
    assert 0 < (~complete).sum() < 0.02 * len(rows)


@pytest.mark.parametrize("total", [0, 1, 3, 200, 397, 399, 400])
def test_marks_at_the_ends_of_the_lines_add_up_too(total):
    marks = split(np.full(500, total), 3.0, np.random.default_rng(1))
    assert (marks.sum(axis=1) == total).all()
    assert marks.min() >= 0
    assert marks.max() <= HIGHEST // ITEMS


def test_clients_stop_after_poor_progress_and_a_poor_alliance():
    """Hazards of stopping by what was seen: in the worst third at least half again the best's."""
    truth = Truth()
    rng = np.random.default_rng(5)
    n = 2000
    plan = courses.Plan(
        first_day=np.full(n, 10_000),
        rhythm=np.full(n, 7),
        group=np.zeros(n, dtype=np.int64),
        intake=rng.normal(19, 6.8, n),
        clinician=np.zeros(n, dtype=np.int64),
        next_clinician=np.zeros(n, dtype=np.int64),
        transfer_at=np.zeros(n, dtype=np.int64),
        before=np.zeros(n, dtype=np.int64),
        assess=np.zeros(n, dtype=np.int64),
        shared=np.full(n, -1),
        partner=np.full(n, -1),
    )
    done = courses.run(plan, truth, np.zeros(1), np.zeros(1), 12_000, rng)
    came = (done.status == courses.ATTENDED) & (done.t >= 3) & done.outcome_taken
    last = came & (done.t == done.attended[done.episode])
    stopped = last & (done.ending[done.episode] == courses.STOPPED)
    group = np.zeros(came.sum(), dtype=np.int64)
    gain = done.outcome[came] / 10 - truth.expected(
        plan.intake[done.episode[came]] - 19.0, done.t[came], group
    )
    for seen in (gain, done.alliance[came].astype(float)):
        low, high = np.quantile(seen, [1 / 3, 2 / 3])
        worst = stopped[came][seen <= low].mean()
        best = stopped[came][seen >= high].mean()
        assert worst > 1.5 * best
    assert 0.2 < (done.ending == courses.STOPPED).mean() < 0.5


def test_a_fit_finds_the_truth_again():
    """The product's own model, fitted to what was seen, gives back what it was drawn with."""
    # Far from the scale's ends, which the model knows nothing of.
    truth = Truth(intake_mean=(20.0, 20.0, 20.0), intake_sd=(4.0, 4.0, 4.0))
    one = generate(4000, 3, UNTIL, truth=truth, clinicians=200, sites=("One",))
    rows = one.administrations
    rows = rows[(rows["measure"] < 3) & (rows["not_taken"] == "") & rows["complete"]]
    scores = pd.DataFrame(
        {
            "client": rows["episode"],
            "t": one.sessions["t"].to_numpy()[rows["session"]],
            "score": rows["total"] / 10,
        }
    )
    fresh = one.episodes["sessions_before"].to_numpy()[scores["client"]] == 0
    scores = scores[fresh & (scores.groupby("client")["t"].transform("min") == 1)]
    scores = scores.sort_values(["client", "t"])
    model = fit(*(scores[name].to_numpy() for name in ("client", "t", "score")))
    # About three standard errors each (twelve seeds showed no bias).
    assert model.beta[0] == pytest.approx(truth.beta[0], abs=0.4)
    assert model.beta[1] == pytest.approx(truth.beta[1], abs=0.1)
    assert model.beta[2] == pytest.approx(truth.beta[2], abs=0.3)
    assert model.phi == pytest.approx(truth.phi, abs=0.08)
    assert model.D[1][1] == pytest.approx(truth.random_sd[1] ** 2, abs=1.4)
    assert model.ar_variance + model.noise_variance == pytest.approx(17.0, rel=0.1)


def test_clinicians_carry_the_share_that_was_asked_for():
    truth = Truth()
    at = np.asarray(8.0)
    share = (truth.clinician_slope_sd * np.log(8.0)) ** 2 / truth.variance(at)
    assert share == pytest.approx(truth.icc)
    slopes = generate(9000, 2, UNTIL).clinicians
    slopes = slopes.loc[slopes["leads"], "slope"]
    assert slopes.std() == pytest.approx(truth.clinician_slope_sd, rel=0.25)


def test_sessions_lie_on_workdays_within_their_episode(clinic):
    rows = clinic.sessions
    held = rows[rows["status"] != "booked"]
    assert (courses.weekday(rows["day"].to_numpy()) < courses.SATURDAY).all()
    assert (held["day"] < UNTIL).all()
    assert (rows.loc[rows["status"] == "booked", "day"] >= UNTIL).all()
    episode = clinic.episodes.loc[rows["episode"]]
    assert (rows["day"].to_numpy() >= episode["opened_on"].to_numpy()).all()
    closed = episode["closed_on"].to_numpy()
    assert ((closed == 0) | (rows["day"].to_numpy() <= closed)).all()


def test_nobody_is_in_two_places_at_once(clinic):
    assert not clinic.meetings.duplicated(["clinician", "day", "minute"]).any()
    assert not clinic.sessions.duplicated(["meeting", "episode"]).any()


def test_all_kinds_of_care_are_there(clinic, held):
    """What other rooms must cope with: each kind often enough to be met."""
    episodes, sessions = clinic.episodes, clinic.sessions
    endings = set(generate(8000, 4, UNTIL).episodes["ending"])
    assert endings >= {
        "", "agreed", "client_stopped", "clinic_ended", "circumstances", "transferred",
        "referred", "died", "assessment_only", "unknown",
    }  # fmt: skip
    assert set(sessions["status"]) == {
        "attended", "no_show", "late_cancel", "clinic_cancel", "not_seen_by_us", "booked",
    }  # fmt: skip
    assert (episodes["closed_on"] == 0).sum() > 50
    assert (episodes["sessions_before"] > 0).sum() > 10
    assert episodes["client"].duplicated().sum() > 30
    assert (clinic.assignments["why"] != "").sum() > 20
    assert (sessions["kind"] == "medication").sum() > 50
    assert clinic.meetings["telehealth"].mean() == pytest.approx(0.23, abs=0.03)
    assert set(clinic.administrations["measure"]) == set(range(len(MEASURES)))
    for kind in ("couple", "group"):
        together = held[held["format"] == kind].groupby("meeting").size()
        assert together.max() >= 2


def test_obstacles_and_reasons_belong_to_what_did_not_happen(clinic):
    rows = clinic.sessions
    away = rows["status"].isin(["no_show", "late_cancel"])
    assert (rows.loc[~away, "obstacle"] == "").all()
    assert 0.4 < (rows.loc[away, "obstacle"] != "").mean() < 0.7


def test_variants_go_by_the_age_on_the_day(clinic):
    rows = clinic.administrations[clinic.administrations["measure"] < 3]
    birth = clinic.clients["birth"].to_numpy()[rows["client"]]
    age = age_on(rows["day"].to_numpy(), birth)
    assert (rows["measure"].to_numpy() == np.select([age >= 18, age >= 13], [0, 1], 2)).all()
    assert (age == rows["age"].to_numpy()).all()


def test_ages_turn_on_the_birthday():
    birth = np.array(["2000-02-29", "2000-11-24", "2000-11-25"], dtype="datetime64[D]")
    day = np.full(3, UNTIL)
    assert age_on(day, birth.astype(np.int64)).tolist() == [26, 26, 25]


@pytest.mark.parametrize("clients", [1, 2, 7])
def test_a_handful_of_clients_is_a_clinic_too(clients):
    for seed in range(5):
        clinic = generate(clients, seed, UNTIL, months=3)
        assert len(clinic.clients) == clients
        assert clinic.episodes["client"].nunique() == clients
