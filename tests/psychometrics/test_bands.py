"""Bands that hold too many or too few are held to what came, from 2,000 ended clients on."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from measures_app.psychometrics import bands
from measures_app.psychometrics.backtest import Backtest
from measures_app.psychometrics.bands import AS_DRAWN, Stretch, fit_stretch
from measures_app.psychometrics.change import ChangeCriteria

from .test_backtest import ended

RANDOM = np.random.default_rng(3)
CAME = RANDOM.normal(20, 5, 4000)
Z90 = 1.2816


def drawn(sd: float) -> tuple[np.ndarray, np.ndarray]:
    """A band that says how wide it takes the scores to be."""
    return np.full(4000, 20 - Z90 * sd), np.full(4000, 20 + Z90 * sd)


@pytest.mark.parametrize("sd", [4.0, 5.0, 7.0])
def test_a_band_too_narrow_or_too_wide_holds_nine_in_ten_at_each_end_afterwards(sd: float):
    low, high = drawn(sd)
    found = fit_stretch(low, high, CAME, 4000)
    moved_low, moved_high = found.apply(low, high, -np.inf, np.inf)
    assert (moved_low <= CAME).mean() == pytest.approx(0.9, abs=0.001)
    assert (moved_high >= CAME).mean() == pytest.approx(0.9, abs=0.001)
    assert found.clients == 4000
    assert Stretch(**json.loads(json.dumps(asdict(found)))) == found


def test_under_2000_clients_a_band_stays_as_drawn():
    low, high = drawn(4.0)
    assert fit_stretch(low, high, CAME, 1999) == AS_DRAWN
    assert AS_DRAWN.apply(low, high, 0.0, 40.0)[0] is not low
    assert (AS_DRAWN.apply(low, high, 0.0, 40.0)[0] == low).all()


def test_an_end_at_the_scales_own_end_says_nothing_and_stays():
    low, high = drawn(4.0)
    low[:3900] = 0.0  # so few lie above the floor that they can't tell
    found = fit_stretch(low, high, CAME, 4000, 0.0, 40.0)
    assert found.low == 0
    assert found.high > 0
    moved_low, moved_high = Stretch(-0.2, 0.5, 4000).apply(low, np.full(4000, 40.0), 0.0, 40.0)
    assert (moved_low[:3900] == 0).all()
    assert (moved_low[3900:] > low[3900:]).all()
    assert (moved_high == 40).all()


def test_ends_never_cross_nor_run_away():
    low, high = drawn(400.0)
    narrow = fit_stretch(low, high, CAME, 4000)
    assert (narrow.low, narrow.high) == (bands.NARROWEST, bands.NARROWEST)
    moved_low, moved_high = narrow.apply(low, high, -np.inf, np.inf)
    assert (moved_low <= moved_high).all()
    wide = fit_stretch(*drawn(0.01), CAME, 4000)
    assert (wide.low, wide.high) == (bands.WIDEST, bands.WIDEST)


def test_the_back_test_moves_its_bands_by_clients_of_other_folds(monkeypatch: pytest.MonkeyPatch):
    client, t, score = ended(160, longest=6)
    labels = [f"c{who}" for who in range(160)]
    criteria = ChangeCriteria("lower", 7.59, rc_inclusive=True, lowest=0, highest=63)

    def band() -> tuple[np.ndarray, np.ndarray]:
        looked = Backtest(labels, client, t, score, criteria, step=1.0, folds=3)
        looked.paths = 100
        found = looked.predictions([2])[2]
        return found.low, found.mean

    low, mean = band()
    monkeypatch.setattr(bands, "FEWEST_CLIENTS", 50)
    monkeypatch.setattr(bands, "FEWEST_LOOKS", 10)
    moved, same = band()
    np.testing.assert_array_equal(mean, same)
    assert (moved[np.isfinite(moved)] != low[np.isfinite(low)]).any()
