"""The core's command line: fit, forecast and backtest."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from measures_app.psychometrics import backtest, commands_backtest, commands_model
from measures_app.psychometrics.__main__ import main
from measures_app.psychometrics.files import read_long
from measures_app.psychometrics.forecast import forecast_each
from measures_app.psychometrics.growth import GrowthModel, NotConverged, fit

from .simulated import scores
from .test_backtest import ended

LOWER = ("--better", "lower")


def written(path, client, t, score, *, header="client,session,score", day=None):
    lines = [header]
    for who, session, value in zip(client, t, score, strict=True):
        when = int(session) if day is None else day(int(who), int(session))
        lines.append(f"c{who},{when},{value:g}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("courses")


@pytest.fixture(scope="module")
def file(folder):
    client, t, score = scores(40, 7, skip=0.2, decimals=0)
    return written(folder / "scores.csv", client, t, np.clip(score, 0, 63))


@pytest.fixture(scope="module")
def stored(folder, file):
    path = folder / "model.json"
    assert main(["fit", file, *LOWER, "--output", str(path)]) == 0
    return str(path)


def run(capsys, *args):
    capsys.readouterr()
    status = main(list(args))
    output = capsys.readouterr()
    return status, output.out, output.err


def test_fit_prints_the_model(capsys, file):
    status, out, err = run(capsys, "fit", file, *LOWER, "--json")
    found = json.loads(out)
    data = read_long(file)
    model = fit(data.codes, data.t, data.score)
    assert (status, err) == (0, "")
    assert found["beta"] == pytest.approx(list(model.beta))
    assert found["minus_2_reml"] == pytest.approx(model.minus_2_reml)
    assert (found["clients"], found["rows"]) == (model.clients, model.rows)
    assert set(found) >= {"intake_centre", "D", "phi", "ar_variance", "noise_variance", "seconds"}
    assert set(found["se"]) == {"beta", "log_variances", "logit_phi"}
    assert found["label"] == f"provisional (own data n = {model.clients})"


def test_fit_without_autocorrelation(capsys, file):
    found = json.loads(run(capsys, "fit", file, *LOWER, "--no-ar", "--json")[1])
    assert (found["phi"], found["ar_variance"]) == (0, 0)


def test_fit_says_it_in_words(capsys, file):
    status, out, _ = run(capsys, "fit", file, *LOWER)
    assert status == 0
    assert out.startswith("provisional (own data n = ")
    assert "REML criterion" in out


def test_large_data_is_called_own_data(capsys, folder):
    path = written(folder / "large.csv", *scores(55, 4))
    assert run(capsys, "fit", path, *LOWER)[1].startswith("own data (n = 55)")


def test_a_stored_model_serves_as_prior(capsys, folder, stored):
    path = written(folder / "two.csv", *scores(2, 3))
    assert run(capsys, "fit", path, *LOWER)[0] == 2
    status, out, _ = run(capsys, "fit", path, *LOWER, "--prior", stored, "--json")
    assert status == 0
    assert json.loads(out)["label"] == "provisional (own data n = 2)"


def test_forecast_gives_a_row_a_client(capsys, file, stored):
    status, out, _ = run(capsys, "forecast", stored, file, "--at", "9", "--json")
    rows = json.loads(out)
    data = read_long(file)
    model = GrowthModel.from_dict(json.loads(Path(stored).read_text(encoding="utf-8")))
    band = forecast_each(model, data.codes, data.t, data.score, 9.0)
    assert status == 0
    assert [row["client"] for row in rows] == list(data.clients)
    assert [row["seen"] for row in rows] == data.counts.tolist()
    assert [row["mean"] for row in rows] == pytest.approx(band.mean[:, 0].tolist())
    assert set(rows[0]) == {"client", "seen", "mean", "sd", "low80", "high80"}


def test_forecast_adds_the_probability_of_reliable_change(capsys, file, stored):
    options = ("--at", "9", "--reliable-change", "7.59", "--lowest", "0", "--highest", "63")
    rows = json.loads(run(capsys, "forecast", stored, file, *options, "--json")[1])
    asked = [row["p_improved"] for row in rows if row["p_improved"] is not None]
    assert 0 < min(asked) < max(asked) < 1
    assert all(0 <= row["p_deteriorated"] <= 1 for row in rows)
    # (A band that ends at the floor may lie below the mean of the censored score.)
    assert all(0 <= row["low80"] <= row["high80"] <= 63 for row in rows)
    assert all(row["low80"] <= row["mean"] <= 63 for row in rows)
    # Higher better: the same change is the other way.
    up = json.loads(
        run(capsys, "forecast", stored, file, *options, "--better", "higher", "--json")[1]
    )
    assert up[0]["p_deteriorated"] > rows[0]["p_deteriorated"]
    status, out, _ = run(capsys, "forecast", stored, file, "--at", "9")
    assert status == 0
    assert "score at session 9" in out


def test_forecast_from_an_intake_alone_and_where_no_change_is_attainable(capsys, folder, stored):
    path = folder / "intakes.csv"
    path.write_text("client,score\na,3\nb,20\n", encoding="utf-8")
    options = ("--at", "5", "--reliable-change", "6", "--lowest", "0", "--highest", "21")
    rows = json.loads(run(capsys, "forecast", stored, str(path), *options, "--json")[1])
    assert rows[0]["p_improved"] is None
    assert rows[1]["p_deteriorated"] == 0
    assert [row["seen"] for row in rows] == [1, 1]


def test_forecast_needs_a_direction_for_probabilities(capsys, folder, file, stored):
    content = json.loads(Path(stored).read_text(encoding="utf-8"))
    del content["better"]
    path = folder / "no-direction.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert run(capsys, "forecast", str(path), file, "--at", "9", "--json")[0] == 0
    with pytest.raises(SystemExit) as left:
        main(["forecast", str(path), file, "--at", "9", "--reliable-change", "6"])
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("{", "row 1, column 2: is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"phi": 0.5}', "a prior needs intake_centre"),
        (b"\xff\xfe\xfa", "is not text in UTF-8"),
        ({"phi": 2}, "phi lies"),
        ({"beta_covariance": [[1]]}, "is not a model that fit wrote"),
        ({"beta_covariance": None}, "is not a model that fit wrote"),
        (None, "no such file"),
    ],
)
def test_what_is_no_model_gets_one_line(capsys, folder, file, stored, change, line):
    path = folder / "wrong.json"
    path.unlink(missing_ok=True)
    if isinstance(change, dict):
        content = json.loads(Path(stored).read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, **change}), encoding="utf-8")
    elif isinstance(change, bytes):
        path.write_bytes(change)
    elif change is not None:
        path.write_text(change, encoding="utf-8")
    status, out, err = run(capsys, "forecast", str(path), file, "--at", "9")
    assert (status, out) == (2, "")
    assert err.startswith(str(path))
    assert line in err
    assert err.count("\n") == 1
    if line.startswith("row 1"):
        assert run(capsys, "fit", file, *LOWER, "--prior", str(path))[2] == err


COURSE = "client,session,score\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (COURSE + "a,1,20\n", "0 clients with 0 scores"),
        (COURSE + "a,1,20\na,2,19\n", "1 client "),
        (COURSE + "a,1,20\na,2,19\nb,1,3\nb,2,2\n", "2 clients"),
        (
            COURSE + "".join(f"{c},{s},12\n" for c in "abcdef" for s in (1, 2, 3, 4)),
            "all scores are equal",
        ),
        (COURSE + "".join(f"{c},{s},0\n" for c in "abcdef" for s in (1, 2, 3, 4)), "equal"),
        (
            COURSE + "".join(f"{c},{s},{3 * s}\n" for c in "abcdef" for s in (1, 2, 3, 4)),
            "too much alike",
        ),
    ],
    ids=["one score", "one client", "two clients", "equal", "floor", "one start"],
)
@pytest.mark.parametrize("command", ["fit", "backtest"])
def test_too_little_data_is_said_in_one_line(capsys, tmp_path, command, content, line):
    path = tmp_path / "few.csv"
    path.write_text(content, encoding="utf-8")
    more = ("--reliable-change", "6") if command == "backtest" else ()
    status, out, err = run(capsys, command, str(path), *LOWER, *more, "--json")
    assert (status, out) == (2, "")
    assert err.startswith(f"{path}: not enough data yet: ")
    assert command == "backtest" or line in err
    assert err.count("\n") == 1


def test_sessions_out_of_order_years_apart_or_on_one_day_are_read_as_they_are(capsys, folder):
    client, t, score = scores(12, 6, decimals=0)
    began = date(1999, 1, 1)

    def day(who, session):
        # Years between some sessions; sessions 3 and 4 on one day.
        return began + timedelta(
            days=37 * who + (900 * session if session > 4 else min(session, 3))
        )

    order = np.random.default_rng(1).permutation(len(t))
    tidy = written(folder / "tidy.csv", client, t, score, day=day)
    mixed = written(folder / "mixed.csv", client[order], t[order], score[order])
    by_day, by_number = (
        json.loads(run(capsys, "fit", path, *LOWER, "--json")[1]) for path in (tidy, mixed)
    )
    assert by_day["ties"] == 12
    assert by_day["minus_2_reml"] == pytest.approx(by_number["minus_2_reml"])


def test_a_score_that_is_no_score_is_refused(capsys, tmp_path):
    path = tmp_path / "huge.csv"
    path.write_text(COURSE + "a,1,3\na,2,1e200\n", encoding="utf-8")
    status, _, err = run(capsys, "fit", str(path), *LOWER)
    assert status == 2
    assert "row 3, column score: '1e200' lies outside -1e+09 to 1e+09" in err


def test_a_score_beyond_the_named_ends_of_the_scale_is_refused(capsys, file, stored):
    for line in (
        ("forecast", stored, file, "--at", "9"),
        ("backtest", file, *LOWER, "--reliable-change", "6"),
    ):
        status, out, err = run(capsys, *line, "--lowest", "0", "--highest", "12", "--json")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "column score: " in err
        assert "lies outside 0 to 12" in err


def test_t_by_value_keeps_one_score_a_session_and_leaves_late_starters_out(capsys, folder):
    client, t, score = scores(12, 6, decimals=0)
    late = client == 3
    twice = np.r_[client, client[:6]], np.r_[t + 2 * late, t[:6]], np.r_[score, score[:6] + 9]
    path = written(folder / "value.csv", *twice)
    status, out, _ = run(capsys, "fit", path, *LOWER, "--t", "value", "--json")
    found = json.loads(out)
    assert (status, found["clients"], found["measured_late"]) == (0, 11, 1)
    # Client 0 was written twice: at intake the first counts, later the last.
    expected = score.copy()
    expected[1:6] += 9
    keep = ~late
    codes = np.unique(client[keep], return_inverse=True)[1]
    model = fit(codes, t[keep], expected[keep])
    assert found["beta"] == pytest.approx(list(model.beta), rel=1e-6)
    assert (
        "1 courses first measured after session 2"
        in run(capsys, "fit", path, *LOWER, "--t", "value")[1]
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (COURSE + "a,0,3\na,1,4\n", "column session: session numbers begin at 1"),
        (COURSE + "a,5,3\na,6,4\n", "no course is measured"),
    ],
)
def test_t_by_value_refuses_what_is_no_session_number(capsys, tmp_path, content, line):
    path = tmp_path / "value.csv"
    path.write_text(content, encoding="utf-8")
    status, _, err = run(capsys, "fit", str(path), *LOWER, "--t", "value")
    assert status == 2
    assert line in err


@pytest.fixture
def seldom_drawn(monkeypatch):
    monkeypatch.setattr(backtest, "MOST_PATHS", 100)


@pytest.mark.usefixtures("seldom_drawn")
def test_backtest_prints_its_sessions(capsys, folder):
    path = written(folder / "ended.csv", *ended(60))
    options = (*LOWER, "--reliable-change", "7.59", "--folds", "3")
    status, out, _ = run(capsys, "backtest", path, *options, "--json")
    found = json.loads(out)
    assert (status, found["clients"], found["folds"]) == (0, 60, 3)
    assert found["sessions"][2]["growth"]["auc_se"] > 0
    assert [row["session"] for row in found["deals"]] == [1, 2, 3, 4, 6, 8]
    assert found["deals"][2]["growth"]["rmse"]["mean"] == found["sessions"][2]["growth"]["rmse"]
    assert [row["session"] for row in found["sessions"]] == [1, 2, 3, 4, 6, 8]
    assert found["lowest"] == 0
    status, out, _ = run(
        capsys, "backtest", path, *options, "--rc-strict", "--lowest", "0", "--highest", "63"
    )
    assert "60 clients, 3 folds" in out
    assert len(out.splitlines()) == 8


@pytest.mark.usefixtures("seldom_drawn")
def test_backtest_deals_the_folds_again(capsys, folder):
    path = written(folder / "few.csv", *ended(40))
    options = (*LOWER, "--reliable-change", "7.59", "--folds", "2", "--deals", "2")
    status, out, _ = run(capsys, "backtest", path, *options)
    assert status == 0
    assert "over 2 ways of dealing clients to folds" in out
    assert len(out.splitlines()) == 16


def test_a_model_that_is_not_found_is_said_in_one_line(capsys, folder, file, monkeypatch):
    def astray(*_args, **_options):
        raise NotConverged("no start led to a finite criterion")

    monkeypatch.setattr(commands_model, "fit", astray)
    monkeypatch.setattr(commands_backtest.Backtest, "run", astray)
    assert "no model was found" in run(capsys, "fit", file, *LOWER)[2]
    status, _, err = run(capsys, "backtest", file, *LOWER, "--reliable-change", "6")
    assert status == 2
    assert "no model was found" in err


def test_a_model_that_cannot_be_written_is_said_in_one_line(capsys, folder, file):
    status, _, err = run(capsys, "fit", file, *LOWER, "--output", str(folder / "no" / "m.json"))
    assert (status, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "args",
    [
        ("forecast", "m", "f", "--at", "1"),
        ("backtest", "f", *LOWER, "--reliable-change", "0"),
        ("backtest", "f", *LOWER, "--reliable-change", "6", "--folds", "1"),
        ("backtest", "f", *LOWER, "--reliable-change", "6", "--deals", "0"),
        ("backtest", "f", *LOWER, "--reliable-change", "6", "--deals", "two"),
        ("backtest", "f", *LOWER, "--reliable-change", "inf"),
        ("backtest", "f", *LOWER, "--reliable-change", "6", "--lowest", "nan"),
        ("backtest", "f", *LOWER, "--reliable-change", "6", "--lowest", "9", "--highest", "3"),
        ("forecast", "m", "f", "--at", "nine"),
    ],
)
def test_options_out_of_range_are_a_usage_error(capsys, file, stored, args):
    args = [{"m": stored, "f": file}.get(word, word) for word in args]
    with pytest.raises(SystemExit) as left:
        main(args)
    assert left.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_fractions_of_a_session_need_no_autocorrelation(capsys, folder):
    client, t, score = scores(20, 6, decimals=0)
    path = folder / "fractions.csv"
    lines = (f"c{c},{1 + (n - 1) / 7:.4f},{y:g}" for c, n, y in zip(client, t, score, strict=True))
    path.write_text("\n".join(["client,session,score", *lines]), encoding="utf-8")
    found = json.loads(
        run(capsys, "fit", str(path), *LOWER, "--t", "value", "--no-ar", "--json")[1]
    )
    assert found["phi"] == 0
    assert np.isfinite(found["minus_2_reml"])


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (errno.EPIPE, 1, ""),
        (errno.ENOSPC, 2, "the output can't be written: no space left on device\n"),
    ],
)
def test_an_output_that_takes_no_more_is_said_in_one_line(
    capsys, monkeypatch, file, stored, number, status, said
):
    class Full(io.StringIO):
        def write(self, _):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["forecast", stored, file, "--at", "9"]) == status
    assert capsys.readouterr().err == said


def test_the_table_has_a_dash_where_there_is_nothing():
    assert commands_backtest._cell(None) == "-"
