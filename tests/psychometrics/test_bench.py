"""The benchmark runs anywhere, and times others only where they are installed."""

from __future__ import annotations

import importlib
import json
import types

import numpy as np
import pytest

from measures_app.psychometrics import bench


def test_the_benchmark_says_what_it_measured(monkeypatch):
    monkeypatch.setattr(bench.shutil, "which", lambda _name: None)
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda _name: None)
    found = bench.run(200)
    assert json.dumps(found, allow_nan=False)
    assert set(found["fits"]) == {"0%", "10%", "30%"}
    assert found["fits"]["30%"]["rows"] < found["fits"]["0%"]["rows"]
    assert found["outlook"]["clients"] == 20
    assert found["others"]["lme4"] is None
    said = bench.lines(found)
    assert any("not installed here" in line for line in said)
    assert said[0].startswith("200 simulated clients")


def test_courses_are_the_models_own():
    client, t, score = bench.simulate(2000, missing=0.2)
    assert (np.diff(client) >= 0).all()
    assert (np.bincount(client[t == 1]) == 1).all()
    assert t.max() == bench.LONGEST
    assert score[t == 1].mean() == pytest.approx(18, abs=0.6)
    assert np.bincount(bench.simulate(5, ends=None)[0]).tolist() == [bench.LONGEST] * 5


@pytest.mark.parametrize(("script", "seconds"), [("echo 1.5", 1.5), ("exit 1", None)])
def test_r_is_timed_where_it_is_installed(tmp_path, monkeypatch, script, seconds):
    program = tmp_path / "Rscript"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(bench.shutil, "which", lambda _name: str(program))
    rows = bench.simulate(30)
    assert bench._lme4_seconds(rows, bench.fit(*rows)) == seconds


def test_statsmodels_is_timed_where_it_is_installed(monkeypatch):
    fitted = []

    class MixedLM:
        def __init__(self, y, fixed, *, groups, exog_re):
            assert len(y) == len(fixed) == len(groups) == len(exog_re)

        def fit(self, *, reml):
            fitted.append(reml)

    module = types.SimpleNamespace(MixedLM=MixedLM)
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(importlib, "import_module", lambda _name: module)
    rows = bench.simulate(30)
    assert bench._statsmodels_seconds(rows, bench.fit(*rows)) >= 0
    assert fitted == [True]
