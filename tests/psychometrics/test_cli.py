"""The core's command line: its JSON, its plain words, its refusals."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys

import pytest

from measures_app.psychometrics.__main__ import main

from .oracles import reference_file, rows_of

ROWS = "client,session,score\na,1,20\na,2,30\nb,1,18\nb,2,10\nc,1,30\nc,1,31\nd,1,9\nd,2,\n"
CLASSIFY = ["--better", "higher", "--cutoff", "25", "--reliable-change", "6.6"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(ROWS, encoding="utf-8")
    return str(path)


def run(capsys, *args):
    status = main(list(args))
    output = capsys.readouterr()
    return status, output.out, output.err


def test_classify_prints_the_counts(capsys, file):
    status, out, _ = run(capsys, "classify", file, *CLASSIFY, "--json")
    assert status == 0
    assert json.loads(out) == {
        "clients": 3,
        "one_score": 1,
        "cutoff": 25.0,
        "reliable_change": 6.6,
        "recovered": 1,
        "improved": 0,
        "unchanged": 1,
        "deteriorated": 1,
        "started_functional": 1,
        "crossed_into_clinical": 0,
        "ties": 1,
        "missing_scores": 1,
    }


def test_classify_says_it_in_words_without_json(capsys, file):
    status, out, err = run(capsys, "classify", file, *CLASSIFY)
    assert status == 0
    assert "3 clients with two scores; 1 with one score" in out
    assert ["recovered", "1", "33.3%"] in [line.split() for line in out.splitlines()]
    assert "reliably worse" in out
    assert "deteriorated" not in out
    assert "functional side" in out
    assert "1 rows share a session" in err
    assert "1 rows without a score" in err


def test_a_file_without_pairs_gives_no_shares(capsys, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("client,session,score\na,1,20\n", encoding="utf-8")
    status, out, err = run(capsys, "classify", str(path), *CLASSIFY)
    assert (status, err) == (0, "")
    assert "0 clients with two scores; 1 with one score" in out


def test_effect_size_prints_its_numbers(capsys, file):
    status, out, _ = run(capsys, "effect-size", file, "--better", "higher", "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["clients"], found["one_score"], found["ties"]) == (3, 1, 1)
    assert found["low"] < found["g"] < found["high"]
    status, out, _ = run(capsys, "effect-size", file, "--better", "higher")
    assert "effect size g" in out


@pytest.mark.parametrize(
    ("kind", "extra", "counts"),
    [
        ("a", [], (10, 9, 10, 1)),
        ("b", [], (13, 6, 10, 1)),
        ("b", ["--b-sd", "functional"], (7, 12, 10, 1)),
        ("c", [], (14, 5, 10, 1)),
        (None, [], (14, 5, 10, 1)),
        ("c", ["--sd", "11.825661", "--clinical-mean", "81.583333"], (14, 5, 10, 1)),
    ],
)
def test_jacobson_1989_is_classed_in_the_files_order(capsys, kind, extra, counts):
    path = reference_file("data", "cs_jacobson_1989.csv")
    status, out, _ = run(
        capsys,
        "classify",
        str(path),
        *("--client", "subject", "--score", "das", "--better", "higher", "--reliability", ".88"),
        *("--functional-mean", "114.8", "--functional-sd", "17.8", *extra, "--json"),
        *(["--cutoff-type", kind] if kind else []),
    )
    found = json.loads(out)
    assert status == 0
    names = ("recovered", "improved", "unchanged", "deteriorated")
    assert tuple(found[name] for name in names) == counts


@pytest.mark.parametrize(
    ("options", "cutoff"),
    [
        (["--cutoff-type", "a"], 19.25 + 2 * 7.5),
        (["--cutoff-type", "b", "--functional-mean", "40"], 40 - 2 * 7.5),
        (
            [
                *("--cutoff-type", "b", "--functional-mean", "40"),
                *("--functional-sd", "6", "--b-sd", "functional"),
            ],
            40 - 2 * 6,
        ),
        (
            ["--clinical-mean", "20", "--functional-mean", "40", "--functional-sd", "7.5"],
            30.0,
        ),
    ],
)
def test_a_cutoff_is_computed_from_the_norms_given(capsys, tmp_path, options, cutoff):
    path = tmp_path / "scores.csv"
    firsts = [12, 18, 21, 26]  # mean 19.25
    path.write_text(
        "client,score\n" + "".join(f"{i},{v}\n{i},30\n" for i, v in enumerate(firsts)),
        encoding="utf-8",
    )
    norms = ("--better", "higher", "--reliability", ".8", "--sd", "7.5")
    status, out, _ = run(capsys, "classify", str(path), *norms, *options, "--json")
    assert status == 0
    assert json.loads(out)["cutoff"] == pytest.approx(cutoff)


@pytest.mark.parametrize(
    ("options", "share"),
    [([], 0.402), (["--rc-strict", "--at-cutoff", "functional"], 0.338)],
)
def test_reading_at_the_thresholds_matters_on_reframed(capsys, options, share):
    path = reference_file("data", "reframed_phq9.csv")
    status, out, _ = run(
        capsys,
        "classify",
        str(path),
        *("--client", "patient", "--session", "month", "--score", "phq9", "--better", "lower"),
        *("--cutoff", "10", "--reliable-change", "6", *options, "--json"),
    )
    found = json.loads(out)
    assert status == 0
    better = found["recovered"] + found["improved"]
    assert better / found["clients"] == pytest.approx(share, abs=5e-4)


def test_claus_2020_is_classed_as_in_the_reference(capsys, tmp_path):
    kept = {}
    for row in rows_of("data", "cs_claus_2020.csv"):
        if row["time"] in "14" and row["bdi"] not in ("", "NA"):
            kept.setdefault(row["id"], []).append(f"{row['id']},{row['time']},{row['bdi']}")
    path = tmp_path / "claus.csv"
    lines = [line for rows in kept.values() if len(rows) == 2 for line in rows]
    path.write_text("\n".join(["client,session,score", *lines]), encoding="utf-8")
    status, out, _ = run(
        capsys,
        "classify",
        str(path),
        *("--better", "lower", "--reliability", ".8", "--functional-mean", "8"),
        *("--functional-sd", "7", "--cutoff-type", "c", "--json"),
    )
    found = json.loads(out)
    assert (status, found["clients"]) == (0, 40)
    assert found["cutoff"] == pytest.approx(20.687481, abs=1e-6)
    assert (found["recovered"], found["improved"], found["unchanged"]) == (10, 8, 22)


@pytest.mark.parametrize(
    ("content", "args", "line"),
    [
        ("client,session,score\na,1,x\n", CLASSIFY, "row 2, column score: 'x' is not a number"),
        ("client,score\na,1\n", [*CLASSIFY, "--session", "day"], "row 1, column day"),
        ("client,score\na,1\n", [*CLASSIFY, "--t", "value"], "row 1, column session"),
        (
            "client,score\na,1\n",
            ["--better", "higher", "--cutoff", "5", "--reliability", ".8"],
            "two clients with two scores",
        ),
        (
            "client,score\na,1\n",
            ["--better", "higher", "--reliable-change", "5", "--cutoff-type", "a"],
            "two clients with two scores",
        ),
        (
            "client,score\na,1\n",
            ["--better", "higher", "--reliable-change", "5", "--cutoff-type", "a", "--sd", "3"],
            "takes clients with two scores",
        ),
        (
            ROWS,
            ["--better", "higher", "--cutoff", "5", "--reliability", "1.8"],
            "reliability must lie",
        ),
    ],
)
def test_a_malformed_file_gets_one_line_and_status_2(capsys, tmp_path, content, args, line):
    path = tmp_path / "scores.csv"
    path.write_text(content, encoding="utf-8")
    status, out, err = run(capsys, "classify", str(path), *args)
    assert (status, out) == (2, "")
    assert line in err
    assert err.startswith(str(path))
    assert err.count("\n") == 1


def test_an_effect_size_of_one_client_is_refused_in_one_line(capsys, tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("client,score\na,1\na,2\n", encoding="utf-8")
    status, _, err = run(capsys, "effect-size", str(path), "--better", "higher")
    assert status == 2
    assert "two clients" in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "COMMAND"),
        (["--cutoff", "25"], "--reliable-change"),
        (["--reliable-change", "5"], "give --cutoff"),
        (["--reliable-change", "5", "--cutoff-type", "c"], "--functional-mean"),
        (["--reliable-change", "5", "--functional-mean", "30"], "--functional-sd"),
        (
            [
                *("--reliable-change", "5", "--functional-mean", "30"),
                *("--cutoff-type", "b", "--b-sd", "functional"),
            ],
            "--functional-sd",
        ),
    ],
)
def test_options_that_leave_a_threshold_open_are_a_usage_error(capsys, file, args, words):
    with pytest.raises(SystemExit) as left:
        main(["classify", file, "--better", "higher", *args] if args else [])
    assert left.value.code == 2
    assert words in capsys.readouterr().err


def test_the_core_runs_as_a_module(monkeypatch, capsys, file):
    monkeypatch.setattr(sys, "argv", ["psychometrics", "classify", file, *CLASSIFY, "--json"])
    monkeypatch.delitem(sys.modules, "measures_app.psychometrics.__main__")
    with pytest.raises(SystemExit) as left:
        runpy.run_module("measures_app.psychometrics", run_name="__main__")
    assert left.value.code == 0
    assert json.loads(capsys.readouterr().out)["clients"] == 3


def test_the_command_line_takes_one_thread_for_its_small_matrices():
    # What numpy finds in the environment when it is first imported.
    look = (
        "import os, runpy, sys\n"
        "class Look:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'numpy':\n"
        "            sys.exit(os.environ.get('OPENBLAS_NUM_THREADS', 'not said'))\n"
        "sys.meta_path.insert(0, Look())\n"
        "runpy.run_module('measures_app.psychometrics', run_name='__main__')\n"
    )
    without = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", look], env=without, capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "1"
