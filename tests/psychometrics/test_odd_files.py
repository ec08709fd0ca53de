"""Little or odd data at the command line: a sensible answer or one plain line, never a NaN."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from measures_app.psychometrics import backtest
from measures_app.psychometrics.__main__ import main
from measures_app.psychometrics.forecast import expected_response
from measures_app.psychometrics.growth import GrowthModel

from .simulated import scores
from .test_backtest import ended
from .test_cli_model import run, written

HEAD = "client,session,score\n"
LOWER = ("--better", "lower")
SCALE = ("--lowest", "0", "--highest", "63")


def courses(*values, days=None):
    """A file in which each client has one list of scores."""
    when = days or range(1, 99)
    rows = [
        f"c{who},{day},{score}"
        for who, own in enumerate(values)
        for day, score in zip(when, own, strict=False)
    ]
    return HEAD + "\n".join(rows) + "\n"


def course(k):
    return [20 + k % 9, 19 - k % 4, 18 - k % 7, 15 + k % 5]


YEARS = ("1999-01-04", "1999-01-11", "2009-03-01", "2024-05-06")
ODD = {
    "a clinic with none": HEAD,
    "a measure used once": courses([12.5]),
    "one client": courses([20, 18, 17]),
    "two clients": courses([20, 18, 17], [30, 29]),
    "all scores equal": courses(*[[20] * 4] * 8),
    "all at the floor": courses(*[[0] * 4] * 8),
    "all at the ceiling": courses(*[[63] * 4] * 8),
    "all began alike": courses(*[[20, 21, 15, 14], [20, 17, 18, 12]] * 4),
    "gaps of years": courses(*[course(k) for k in range(24)], days=YEARS),
    "two scores on one day": courses(
        *[course(k) for k in range(24)],
        days=("2024-01-01", "2024-01-08", "2024-01-08", "2024-01-15"),
    ),
    "sessions out of order": courses(*[course(k) for k in range(24)], days=(1, 4, 2, 3)),
}
COMMANDS = {
    "classify": (*LOWER, "--cutoff", "14", "--reliable-change", "6"),
    "classify, its own norms": (*LOWER, "--reliability", ".8", "--functional-mean", "8",
                                "--functional-sd", "7", "--cutoff-type", "c"),
    "effect-size": LOWER,
    "fit": LOWER,
    "fit, beside others' model": (*LOWER, "--prior", "MODEL"),
    "forecast": ("--at", "9", "--reliable-change", "6", *SCALE),
    "backtest": (*LOWER, "--reliable-change", "6", "--folds", "2", *SCALE),
}  # fmt: skip


@pytest.fixture(autouse=True)
def seldom_drawn(monkeypatch):
    monkeypatch.setattr(backtest, "MOST_PATHS", 100)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    path = folder / "model.json"
    file = written(folder / "scores.csv", *scores(40, 7, skip=0.2, decimals=0))
    assert main(["fit", file, *LOWER, "--output", str(path)]) == 0
    return str(path)


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("command", COMMANDS)
def test_odd_data_gets_a_sensible_answer_or_one_line(capsys, tmp_path, stored, command, content):
    path = tmp_path / "odd.csv"
    path.write_text(content, encoding="utf-8")
    options = [stored if option == "MODEL" else option for option in COMMANDS[command]]
    name = command.partition(",")[0]
    files = [stored, str(path)] if name == "forecast" else [str(path)]
    status, out, err = run(capsys, name, *files, *options, "--json")
    if status == 0:
        json.loads(out, parse_constant=lambda text: pytest.fail(f"{text} in {out}"))
        assert err == ""
        said = run(capsys, name, *files, *options)[1].lower()
        assert not {"nan", "inf", "none"} & set(said.replace("%", " ").split())
    else:
        assert (status, out) == (2, "")
        assert err.startswith(str(path))
        assert err.count("\n") == 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


def test_the_order_of_clients_changes_nothing_that_is_said(capsys, whole, stored):
    client, t, score = ended(24, longest=8)
    rows = np.concatenate([np.flatnonzero(client == who) for who in reversed(range(24))])
    there = written(whole / "there.csv", client, t, score)
    back = written(whole / "back.csv", client[rows], t[rows], score[rows])

    def said(name, path, *first):
        return json.loads(run(capsys, name, *first, path, *COMMANDS[name], "--json")[1])

    for name in ("classify", "effect-size"):
        one, other = said(name, there), said(name, back)
        assert one == pytest.approx(other)
    one, other = (
        {row["client"]: row for row in said("forecast", path, stored)} for path in (there, back)
    )
    assert one == other
    both = zip(said("backtest", there)["sessions"], said("backtest", back)["sessions"], strict=True)
    for one, other in list(both)[:5]:  # nobody comes after session 8
        for method in ("growth", "challenger", "static", "last"):
            assert one[method]["rmse"] == pytest.approx(other[method]["rmse"], rel=1e-3)


@pytest.mark.parametrize("constant", [-12, 30])
def test_a_constant_added_to_all_scores_moves_the_intercept_alone(capsys, whole, constant):
    client, t, score = scores(40, 6, decimals=0)
    plain = written(whole / "plain.csv", client, t, score)
    moved = written(whole / "moved.csv", client, t, score + constant)
    one, other = (
        json.loads(run(capsys, "fit", path, *LOWER, "--json")[1]) for path in (plain, moved)
    )
    assert other["beta"][0] == pytest.approx(one["beta"][0] + constant, abs=0.01)
    assert other["beta"][1:] == pytest.approx(one["beta"][1:], abs=0.01)
    assert other["intake_centre"] == pytest.approx(one["intake_centre"] + constant)
    assert other["minus_2_reml"] == pytest.approx(one["minus_2_reml"], abs=1e-3)


def test_a_forecast_with_no_scores_is_the_expected_response(capsys, whole, stored):
    path = whole / "intakes.csv"
    path.write_text(courses([25], [8], [60]), encoding="utf-8")
    options = ("--at", "9", *SCALE, "--json")
    rows = json.loads(run(capsys, "forecast", stored, str(path), *options)[1])
    model = GrowthModel.from_dict(json.loads(Path(stored).read_text(encoding="utf-8")))
    band = expected_response(model, [25, 8, 60], [9], low=0, high=63)
    assert [row["mean"] for row in rows] == pytest.approx(band.mean[:, 0].tolist())
    assert [row["low80"] for row in rows] == pytest.approx(band.low80[:, 0].tolist())
    assert [row["high80"] for row in rows] == pytest.approx(band.high80[:, 0].tolist())
