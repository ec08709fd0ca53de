"""The back-test: predictions of clients that the models haven't seen."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest

from measures_app.psychometrics.backtest import Backtest
from measures_app.psychometrics.challenger import fit_challenger
from measures_app.psychometrics.change import ChangeCriteria
from measures_app.psychometrics.deals import fold_of, over_deals
from measures_app.psychometrics.files import read_long
from measures_app.psychometrics.growth import NotEnoughData

from .oracles import reference_file
from .simulated import scores

CRITERIA = ChangeCriteria("lower", 7.59, rc_inclusive=True, lowest=0, highest=63)


def ended(clients=180, *, seed=12, longest=12):
    """Courses of 3 to 12 sessions on whole points from 0 to 63."""
    client, t, score = scores(clients, longest, seed=seed)
    lengths = np.random.default_rng(seed).integers(3, longest + 1, clients)
    kept = t <= lengths[client]
    return client[kept], t[kept], np.clip(score[kept], 0, 63).round()


def labels(clients):
    return [f"c{i}" for i in range(clients)]


@pytest.fixture(scope="module")
def rows():
    return ended()


@pytest.fixture(scope="module")
def predicted(rows):
    return Backtest(labels(180), *rows, CRITERIA, step=1.0, folds=3).predictions((2, 6))


def test_folds_are_those_that_anybody_can_redo():
    assert fold_of(["a", "17"], 10).tolist() == [zlib.crc32(b"a") % 10, zlib.crc32(b"17") % 10]
    assert fold_of(["a", "17"], 10, deal=2).tolist() == [
        zlib.crc32(b"2:a") % 10,
        zlib.crc32(b"2:17") % 10,
    ]


def test_another_deal_tells_chance_from_difference():
    rows_of = ended(60, seed=4)
    first, second = (
        Backtest(labels(60), *rows_of, CRITERIA, step=1.0, folds=3, deal=deal).run((3, 40))
        for deal in (0, 1)
    )
    found = over_deals([first, second])
    both = [first[0]["growth"]["rmse"], second[0]["growth"]["rmse"]]
    assert both[0] != both[1]
    assert found[0]["growth"]["rmse"]["mean"] == pytest.approx(np.mean(both))
    assert found[0]["growth"]["rmse"]["sd"] == pytest.approx(abs(both[0] - both[1]) / np.sqrt(2))
    # Nobody came a 41st time, and one deal alone says nothing of another.
    assert found[1]["growth"]["rmse"] == {"mean": None, "sd": None}
    assert over_deals([first])[0]["growth"]["auc"]["sd"] is None


@pytest.mark.parametrize(("clients", "paths"), [(60, 4000), (3000, 400), (100_000, 200)])
def test_a_small_file_is_drawn_often_and_a_large_one_seldom(clients, paths):
    each = np.arange(clients).repeat(2)
    test = Backtest(
        labels(clients), each, np.tile([1.0, 2], clients), each * 0.0, CRITERIA, step=1.0
    )
    assert test.paths == paths


def test_changing_a_folds_future_changes_nothing_that_was_said_of_it(rows, predicted):
    client, t, score = rows
    changed = score.copy()
    mine = fold_of(labels(180), 3) == 1
    future = mine[client] & (t > 2)
    changed[future] = np.where(changed[future] > 30, 0, 60)
    again = Backtest(labels(180), client, t, changed, CRITERIA, step=1.0, folds=3)
    found = again.predictions((2, 6))[2]
    for name in (
        "mean",
        "curve_mean",
        "low",
        "high",
        "raw",
        "p",
        "challenger_mean",
        "challenger_p",
        "now",
    ):
        then, now = getattr(predicted[2], name), getattr(found, name)
        assert np.array_equal(then[mine], now[mine], equal_nan=True), name
        if name != "now":  # what was seen by then is the same for all
            assert not np.array_equal(then[~mine], now[~mine], equal_nan=True), name


def test_only_clients_who_came_again_are_predicted(rows, predicted):
    client, t, _ = rows
    last_t = np.array([t[client == i].max() for i in range(180)])
    assert np.isfinite(predicted[6].mean).tolist() == (last_t > 6).tolist()


def test_the_summary_holds_what_was_predicted(rows):
    client, t, score = rows
    test = Backtest(labels(180), client, t, score, CRITERIA, step=1.0, folds=3)
    rows_of = test.run((2, 6, 40))
    assert json.dumps(rows_of, allow_nan=False)
    assert [row["session"] for row in rows_of] == [2, 6, 40]
    second = rows_of[0]
    assert second["n"] == 180
    assert 0.05 < second["base_rate"] < 0.6
    assert second["growth"]["rmse"] < second["static"]["rmse"] < second["last"]["rmse"]
    assert second["growth"]["auc"] > 0.6
    assert second["growth"]["brier_skill"] > 0
    assert 0.8 < second["growth"]["at_or_below_upper90"] <= 1
    assert 0.8 < second["growth"]["at_or_above_lower10"] <= 1
    assert sum(row[0] for row in second["growth"]["calibration_table"]) <= 180
    # Here the curve is the truth: the challenger adds nothing and is given no weight.
    assert second["growth"]["rmse"] == second["curve"]["rmse"] < second["last"]["rmse"]
    # Nobody came a 41st time: no numbers, and no NaN.
    assert rows_of[2]["n"] == 0
    assert rows_of[2]["growth"]["rmse"] is None
    assert rows_of[2]["base_rate"] is None


def test_higher_may_be_better():
    client, t, score = ended(90, seed=3)
    up = ChangeCriteria("higher", 7.59, rc_inclusive=True, lowest=0, highest=63)
    down = Backtest(labels(90), client, t, score, CRITERIA, step=1.0, folds=3).run((3,))[0]
    mirrored = Backtest(labels(90), client, t, 63 - score, up, step=1.0, folds=3).run((3,))[0]
    assert mirrored["base_rate"] == down["base_rate"]
    assert mirrored["growth"]["rmse"] == pytest.approx(down["growth"]["rmse"], rel=0.02)
    assert mirrored["challenger"]["rmse"] == pytest.approx(down["challenger"]["rmse"])
    assert mirrored["challenger"]["auc"] == pytest.approx(down["challenger"]["auc"])


def test_under_100_clients_probabilities_stay_as_the_model_says():
    client, t, score = ended(60, seed=4)
    test = Backtest(labels(60), client, t, score, CRITERIA, step=1.0, folds=3)
    found = test.predictions((3,))[3]
    known = np.isfinite(found.raw)
    assert found.p[known] == pytest.approx(found.raw[known])


def test_one_course_alone_at_a_session_has_no_challenger():
    client, t, score = ended(60, seed=4)
    longest = int(t.max())
    who = client[t == longest]
    keep = (t < longest) | (client == who[0])
    test = Backtest(labels(60), client[keep], t[keep], score[keep], CRITERIA, step=1.0, folds=3)
    found = test.run((longest - 1,))[0]
    assert found["n"] == 1
    assert found["challenger"]["rmse"] is None
    assert found["growth"]["auc"] is None


def test_what_is_no_back_test_is_refused(rows):
    with pytest.raises(ValueError, match="two folds"):
        Backtest(labels(180), *rows, CRITERIA, step=1.0, folds=1)
    few = ended(1, seed=1)
    with pytest.raises(NotEnoughData, match="one fold"):
        Backtest(labels(1), *few, CRITERIA, step=1.0).run()
    with pytest.raises(ValueError, match="two clients"):
        fit_challenger(np.zeros((1, 3)), np.zeros(1))


def test_the_challenger_finds_a_line():
    random = np.random.default_rng(2)
    features = random.normal(20, 5, (2000, 3))
    target = 3 + 0.6 * features[:, 1] + random.normal(0, 2, 2000)
    model = fit_challenger(features, target)
    assert model.slopes / model.scale == pytest.approx([0, 0.6, 0], abs=0.03)
    assert model.sd == pytest.approx(2, rel=0.05)
    assert model.below(features, model.predict(features)) == pytest.approx(0.5)


def test_the_trial_is_predicted_as_well_as_the_best_method_tried():
    # Bounds are the best numbers that were asked for, of ten folds; here five learn from fewer.
    path = reference_file("data", "enrichd_cbt_bdi_odd.csv")
    data = read_long(path, client="ID", session="time", score="BDI")
    rows = data.codes, data.t, data.score
    test = Backtest(data.clients, *rows, CRITERIA, step=1.0, folds=5, moment=data.moment)
    for row, rmse, auc in zip(
        test.run((3, 6, 8)), (5.71, 4.96, 4.62), (0.721, 0.757, 0.793), strict=True
    ):
        growth, n = row["growth"], row["n"]
        assert growth["rmse"] < rmse
        assert growth["rmse"] < row["curve"]["rmse"] + 0.01
        assert growth["rmse"] < row["static"]["rmse"] < row["last"]["rmse"] + 1
        assert growth["auc"] > auc
        assert abs(growth["at_or_below_upper90"] - 0.9) < 2 * np.sqrt(0.09 / n)
        assert abs(growth["at_or_above_lower10"] - 0.9) < 2 * np.sqrt(
            0.09 / growth["lower10_above_floor"]
        )
        assert 0.7 < growth["calibration_slope"] < 1.3
        assert abs(growth["calibration_slope"] - 1) < 1.645 * growth["calibration_slope_se"]
