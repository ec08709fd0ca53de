"""Two forecasts weighed together: only where that comes nearer, and never far from evenly."""

from __future__ import annotations

import json

import numpy as np
import pytest

from measures_app.psychometrics.challenger import features_of, fit_challenger
from measures_app.psychometrics.stacking import EVEN, LATEST, Stack, fit_stack, stacking_weight

from .simulated import scores


def forecasts(looks=600, *, ours=3.0, theirs=3.0, seed=5):
    random = np.random.default_rng(seed)
    came = random.normal(20, 6, looks)
    return came + random.normal(0, ours, looks), came + random.normal(0, theirs, looks), came


@pytest.mark.parametrize("seed", [5, 6, 7])
@pytest.mark.parametrize(("ours", "theirs"), [(3.0, 3.0), (4.0, 3.0), (3.0, 4.0)])
def test_the_weighed_forecast_comes_nearer_than_either(ours, theirs, seed):
    mine, other, came = forecasts(ours=ours, theirs=theirs, seed=seed)
    weight = stacking_weight(mine, other, came, 300)
    assert 0.3 < weight < 0.7
    weighed = mine + weight * (other - mine)
    assert ((weighed - came) ** 2).mean() < min(
        ((mine - came) ** 2).mean(), ((other - came) ** 2).mean()
    )


def test_much_evidence_moves_the_weight_from_one_half():
    told = forecasts(20_000, ours=6.0, theirs=2.0)
    few, many = (stacking_weight(*told, clients) for clients in (100, 50_000))
    assert EVEN < few < 0.6
    assert many == pytest.approx(0.9, abs=0.02)


def test_a_useless_challenger_has_no_weight():
    mine, _, came = forecasts(ours=1.0)
    assert stacking_weight(mine, np.full(len(came), 60.0), came, 300) == 0.0
    assert stacking_weight(mine, mine, came, 300) == 0.0


def test_too_few_clients_have_no_weight():
    assert stacking_weight(*forecasts(), 99) == 0.0
    assert stacking_weight(*(np.zeros(0),) * 3, 300) == 0.0


def test_a_stack_weighs_each_session_with_its_own_challenger():
    client, t, score = scores(120, 6, seed=3)
    stack = fit_stack(client, t, score, weight=0.4, clients=120)
    assert sorted(stack.challengers) == [1, 2, 3, 4, 5]  # nobody came after the sixth
    seen = t <= 3
    ours = np.full(120, 20.0)
    found = stack.combined(ours, client[seen], t[seen], score[seen], 0, 63)
    own = fit_challenger(features_of(client[seen], score[seen]), score[t == 6])
    point = np.clip(own.predict(features_of(client[seen], score[seen])), 0, 63)
    assert found == pytest.approx(0.6 * ours + 0.4 * point)
    # Points of pace that are in ours move the challenger's too, within the scale.
    moved = stack.combined(ours, client[seen], t[seen], score[seen], 0, 63, np.full(120, 50.0))
    assert moved == pytest.approx(0.6 * ours + 0.4 * np.clip(point + 50, 0, 63))
    # Where there is no challenger the paths speak alone.
    assert stack.combined(ours, client, t, score).tolist() == ours.tolist()


def test_a_stack_reaches_no_session_later_than_the_latest():
    stack = fit_stack(*scores(60, LATEST + 2, seed=3), weight=0.4, clients=60)
    assert sorted(stack.challengers) == list(range(1, LATEST + 1))


def test_a_stack_comes_back_from_json():
    client, t, score = scores(60, 4, seed=3)
    stack = fit_stack(client, t, score, weight=0.5, clients=60)
    again = Stack.from_dict(json.loads(json.dumps(stack.to_dict())))
    early = t <= 2
    rows = (client[early], t[early], score[early])
    ours = np.full(60, 20.0)
    assert again.combined(ours, *rows).tolist() == stack.combined(ours, *rows).tolist()
    assert again.combined(ours, *rows).tolist() != ours.tolist()


def test_a_challenger_without_weight_is_kept_and_not_weighed_in():
    client, t, score = scores(60, 4, seed=3)
    stack = fit_stack(client, t, score, weight=0.0, clients=60)
    early = t <= 2
    rows = (client[early], t[early], score[early])
    ours = np.full(60, 12.0)
    assert stack.combined(ours, *rows).tolist() == ours.tolist()
    said = stack.challenge(*rows, 0, 20)
    assert np.isfinite(said).all()
    assert said.max() <= 20
    assert np.isnan(stack.challenge(client, t, score)).all()  # nobody came after the fourth


def test_nobody_teaches_no_challenger():
    client, t, score = scores(60, 4, seed=3)
    nothing = fit_stack(client, t, score, weight=0.0, clients=0)
    assert nothing == Stack(0.0, 0)
    rows = (client[:1], t[:1], score[:1])
    assert nothing.combined(np.array([12.0]), *rows).tolist() == [12.0]
    assert nothing.challenge(client[:0], t[:0], score[:0]).shape == (0,)
    assert fit_stack(client[:0], t[:0], score[:0], weight=0.5, clients=60).challengers == {}
