"""Scores drawn from the expected-change model, so that the truth is known."""

from __future__ import annotations

import numpy as np

BETA = (17.0, 0.75, -4.0, -0.15)
D = ((50.0, -17.0), (-17.0, 9.5))
PHI, AR, NOISE = 0.7, 13.0, 6.0
CENTRE, INTAKE_SD = 18.0, 7.0


def scores(clients, sessions=10, *, seed=1, skip=0.0, decimals=None):
    """(client, t, score): intake at t = 1; `skip` is the share of later sessions unmeasured."""
    random = np.random.default_rng(seed)
    t = np.arange(2.0, sessions + 1)
    z = np.stack([np.ones_like(t), np.log(t)], axis=1)
    v = z @ np.array(D) @ z.T + AR * PHI ** np.abs(t[:, None] - t) + NOISE * np.eye(len(t))
    x = random.normal(0, INTAKE_SD, clients)
    mean = (BETA[0] + BETA[1] * x)[:, None] + (BETA[2] + BETA[3] * x)[:, None] * np.log(t)
    y = mean + random.standard_normal((clients, len(t))) @ np.linalg.cholesky(v).T
    everything = np.column_stack([CENTRE + x, y])
    if decimals is not None:
        everything = everything.round(decimals)
    kept = random.random(everything.shape) >= skip
    kept[:, 0] = True
    client, column = np.nonzero(kept)
    return client.astype(np.int64), column + 1.0, everything[kept]
