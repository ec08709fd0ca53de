"""Files of any scores at the command line: an answer in numbers, or one plain line; never a NaN.

Drawn are clinics of nobody, of one, of some; scales of any width and step, at their floor, alike;
sessions by number, by fraction, by day, years apart, on one day, in disorder; cells that are
missing or wrong; and the forms in which spreadsheets of every country write such a table.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from measures_app.psychometrics import backtest
from measures_app.psychometrics.__main__ import main

from .simulated import scores
from .test_cli_model import written

A_FEW, MANY = 30, 3000
BEGAN = 737_791  # a day of 2021, as its number


@dataclass(frozen=True)
class Scale:
    """Ends of a scale, and how a value between 0 and 1 is written on it."""

    low: float
    high: float
    step: float

    def write(self, share: float) -> str:
        steps = round(min(max(share, 0), 1) * (self.high - self.low) / self.step)
        return f"{self.low + steps * self.step:.10g}"


SCALES = (
    Scale(0, 27, 1), Scale(0, 40, 0.1), Scale(1, 5, 0.25), Scale(0, 1, 1), Scale(-50, 50, 0.5),
    Scale(1000, 1000.001, 0.00001), Scale(0, 9e8, 1e6),
)  # fmt: skip
COURSES: dict[str, Callable[[random.Random, int, float], float]] = {
    "better": lambda r, t, start: start - 0.06 * t + r.gauss(0, 0.1),
    "noise": lambda r, t, start: r.random(),
    "at the floor": lambda r, t, start: 0 if r.random() < 0.9 else r.random() / 5,
    "all alike": lambda r, t, start: 0.5,
    "alike each": lambda r, t, start: start,
    "one start": lambda r, t, start: 0.6 if t == 1 else r.random(),
    "one line": lambda r, t, start: start - 0.03 * t,
    "wild": lambda r, t, start: start + r.gauss(0, 0.05) / (r.random() + 0.001),
}
WHEN: dict[str, Callable[[random.Random, int], Any]] = {
    "number": lambda r, t: t,
    "gaps": lambda r, t: t * t,
    "fraction": lambda r, t: round(1 + t / 7, 4),
    "late": lambda r, t: t + 3,
    "twice": lambda r, t: (t + 1) // 2,
    "far apart": lambda r, t: 10 ** min(4 * t, 300),
    "day": lambda r, t: day(BEGAN + 7 * t + r.randrange(6)),
    "years": lambda r, t: day(BEGAN + 400 * t),
    "one day": lambda r, t: day(BEGAN),
}
WRONG = ("", " ", "NA", "twelve", "1,5", "1e999", "nan", "-inf", "２", "=1+1", "1 2", '"', "\x00")


def day(number: int) -> str:
    return date.fromordinal(number).isoformat()


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, Scale]:
    """A file's bytes, and the scale that most of its scores are on."""
    r = random.Random(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from(SCALES))
    course = COURSES[draw(st.sampled_from(["better", "better", *sorted(COURSES)]))]
    when = WHEN[draw(st.sampled_from(["number", "number", "day", *sorted(WHEN)]))]
    clients = draw(st.sampled_from((30, 12, 20, 8, 5, 4, 2, 1, 0)))
    longest = draw(st.sampled_from((8, 20, 5, 3, 2, 1)))
    rows = []
    for who in range(clients):
        start = r.gauss(0.6, 0.15)
        for t in range(1, r.randint(1, longest) + 1):
            rows.append([f"c{who}", str(when(r, t)), scale.write(course(r, t, start))])
    if clients == 1 and draw(st.booleans()):
        rows = [["c0", str(t), scale.write(course(r, t, 0.6))] for t in range(1, 301)]
    if draw(st.booleans()):
        r.shuffle(rows)
    if rows and draw(st.integers(0, 9)) == 9:
        column = r.randrange(3)
        wrong = WRONG if column else WRONG[:2]  # a client may be called "nan"
        rows[r.randrange(len(rows))][column] = draw(st.sampled_from(wrong))
    header = ["client", "session", "score"]
    if draw(st.booleans()):
        header.append("note")
        rows = [[*row, "a, b"] for row in rows]
    return _bytes(draw, r, [header, *rows]), scale


def _bytes(draw: st.DrawFn, r: random.Random, rows: list[list[str]]) -> bytes:
    divider = draw(st.sampled_from(",,;\t|"))
    if divider == ";" and draw(st.booleans()):
        rows = [rows[0], *([a, b, c.replace(".", ","), *rest] for a, b, c, *rest in rows[1:])]
    quoted = draw(st.booleans())
    lines = [
        divider.join(
            f'"{cell.replace(chr(34), chr(34) * 2)}"' if quoted or divider in cell else cell
            for cell in row
        )
        for row in rows
    ]
    if draw(st.integers(0, 19)) == 19:
        lines[r.randrange(len(lines))] += divider + "more"
    text = draw(st.sampled_from(("\n", "\r\n", "\r", "\n\n"))).join([*lines, ""])
    return text.encode(draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "cp1252"))), "replace")


COMMANDS = (
    ("classify", "--cutoff", "CUTOFF", "--reliable-change", "RC"),
    ("classify", "--reliability", ".8", "--functional-mean", "CUTOFF", "--functional-sd", "RC"),
    ("classify", "--reliability", ".9", "--cutoff-type", "a"),
    ("effect-size",),
    ("fit",),
    ("fit", "--no-ar"),
    ("fit", "--prior", "MODEL"),
    ("forecast", "--at", "9", "--reliable-change", "RC", "ENDS"),
    ("forecast", "--at", "2.5"),
    ("backtest", "--reliable-change", "RC", "--folds", "2"),
    ("backtest", "--reliable-change", "RC", "--folds", "3", "ENDS"),
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models")
    path = folder / "model.json"
    file = written(folder / "scores.csv", *scores(40, 7, skip=0.2, decimals=0))
    assert main(["fit", file, "--better", "lower", "--output", str(path)]) == 0
    return str(path)


def line_of(command: tuple[str, ...], file: str, scale: Scale, model: str) -> list[str]:
    """A command's arguments, its words in capitals replaced by what the scale says."""
    width = scale.high - scale.low
    words = {
        "CUTOFF": [f"{scale.low + width / 3:g}"],
        "RC": [f"{width / 5:g}"],
        "ENDS": ["--lowest", f"{scale.low:.10g}", "--highest", f"{scale.high:.10g}"],
        "MODEL": [model],
    }
    rest = [word for option in command[1:] for word in words.get(option, [option])]
    return [command[0], *([model] if command[0] == "forecast" else []), file, *rest]


def numbers_in(said: Any) -> None:
    """All numbers of an answer that have limits keep to them."""
    if isinstance(said, list):
        for one in said:
            numbers_in(one)
    elif isinstance(said, dict):
        for name, one in said.items():
            numbers_in(one)
            if not isinstance(one, int | float):
                continue
            if name.startswith(("p_", "at_or_")) or name in ("auc", "base_rate"):
                assert 0 <= one <= 1, name
            if name in ("rmse", "sd", "variance", "ar_variance", "noise_variance", "auc_se"):
                assert one >= 0, name
        if "low80" in said:
            assert said["low80"] <= said["high80"]


def answered(capsys: pytest.CaptureFixture[str], line: list[str], file: str) -> str:
    """What came of a command: numbers, or a line that says why there are none."""
    capsys.readouterr()
    status = main([*line, "--json"])
    out, err = capsys.readouterr()
    if status == 0:
        said = json.loads(out, parse_constant=lambda text: pytest.fail(f"{text} in {out}"))
        numbers_in(said)
        assert "Warning" not in err
        assert main(line) == 0
        words = set(capsys.readouterr().out.lower().replace("%", " ").split())
        assert not {"nan", "inf", "-inf", "none"} & words
        return "numbers"
    assert (status, out) == (2, "")
    assert err.startswith(file)
    assert err.count("\n") == 1
    return "too little" if "not enough data yet" in err else "refused"


def any_file(examples: int, capsys: Any, folder: Path, stored: str) -> Counter[tuple[str, str]]:
    """Try some drawn files; how often each command came to what."""
    path = folder / "any.csv"
    came: Counter[tuple[str, str]] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=examples == A_FEW,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        files(),
        st.sampled_from(COMMANDS),
        st.sampled_from(("lower", "higher")),
        st.sampled_from(("rank", "rank", "value")),
    )
    def holds(drawn: tuple[bytes, Scale], command: tuple[str, ...], better: str, time: str) -> None:
        path.write_bytes(drawn[0])
        line = line_of(command, str(path), drawn[1], stored)
        what = answered(capsys, [*line, "--better", better, "--t", time], str(path))
        came[command[0], what] += 1

    holds()
    return came


@pytest.fixture(autouse=True)
def seldom_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "MOST_PATHS", 100)


def test_any_file_gets_numbers_or_one_line(capsys: Any, tmp_path: Path, stored: str):
    came = any_file(A_FEW, capsys, tmp_path, stored)
    assert {what for _, what in came} == {"numbers", "too little", "refused"}


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
def test_so_does_any_of_thousands(capsys: Any, tmp_path: Path, stored: str):
    came = any_file(MANY, capsys, tmp_path, stored)
    with capsys.disabled():
        print("\n" + ", ".join(f"{name} {what} {n}" for (name, what), n in sorted(came.items())))
    assert {name for name, what in came if what == "numbers"} == {one[0] for one in COMMANDS}
