"""How fast the core is, measured on simulated clients; ratios come from one run on one machine.

R with lme4 and Python's statsmodels are timed beside it where they are installed: on the same
rows, with the simpler model without autocorrelation that they can fit.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from .change import ChangeCriteria
from .forecast import forecast
from .growth import GrowthModel, fit
from .hazards import PATH_COVARIATES, HazardModel, fit_hazards
from .outlook import look_ahead
from .patterns import FloatArray, IntArray

LONGEST: Final = 40
STATSMODELS_CLIENTS: Final = 2000  # it is compared on as many clients only: it is slow
BETA: Final = (17.0, 0.75, -4.0, -0.15)
D: Final = ((50.0, -17.0), (-17.0, 9.5))
PHI, AR_VARIANCE, NOISE_VARIANCE = 0.7, 13.0, 6.0
ENDS: Final = 0.11  # hazard of an ending a session: nine sessions on average
_LME4: Final = """
suppressMessages(library(lme4))
d <- read.csv(commandArgs(TRUE)[1])
s <- system.time(lmer(y ~ x * L + (1 + L | client), d, REML = TRUE,
  control = lmerControl(calc.derivs = FALSE)))
cat(s[["elapsed"]])
"""


def simulate(
    clients: int, missing: float = 0.0, seed: int = 1, ends: float | None = ENDS
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Draw courses of up to 40 sessions from the expected-change model.

    Parameters
    ----------
    clients : int
    missing : float
        Share of sessions after intake without a score.
    seed : int
    ends : float or None
        Hazard of an ending after each session; None lets all courses go on to the last session.

    Returns
    -------
    client, t, score : ndarray, shape (rows,)
        As `growth.fit` takes them.
    """
    random = np.random.default_rng(seed)
    x = random.normal(0, 7, clients)
    u = random.standard_normal((clients, 2)) @ np.linalg.cholesky(np.array(D)).T
    length = np.full(clients, LONGEST)
    if ends is not None:
        length = np.minimum(random.geometric(ends, clients), LONGEST)
    ar = random.normal(0, np.sqrt(AR_VARIANCE), clients)
    step = np.sqrt(AR_VARIANCE * (1 - PHI**2))
    parts = [(np.arange(clients), np.ones(clients), 18 + x)]
    for t in range(2, LONGEST + 1):
        ar = PHI * ar + step * random.standard_normal(clients)
        here = np.flatnonzero((length >= t) & (random.random(clients) >= missing))
        log_t = np.log(t)
        line = BETA[0] + BETA[1] * x + (BETA[2] + BETA[3] * x) * log_t
        y = line + u[:, 0] + u[:, 1] * log_t + ar
        noise = random.normal(0, np.sqrt(NOISE_VARIANCE), len(here))
        parts.append((here, np.full(len(here), float(t)), y[here] + noise))
    client, at, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((at, client))
    return client[order].astype(np.int64), at[order], score[order]


def best_of(work: Callable[[], Any], times: int = 3) -> float:
    """Shortest of several runs, in seconds: other work on the machine only ever adds."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def peak_of(work: Callable[[], Any]) -> float:
    """Most memory that the work held at once beside its input, in megabytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def run(clients: int = 200_000) -> dict[str, object]:
    """Time the core.

    Parameters
    ----------
    clients : int
        Simulated clients of the fits; a tenth of them are open clients to look ahead for.

    Returns
    -------
    dict
        ``fits`` (by share of missing sessions: rows, patterns, seconds, megabytes), ``outlook``
        (open clients, seconds), ``one_session`` (milliseconds), ``others`` (seconds of lme4 and
        statsmodels, or None where they aren't installed) and ``ratios``.
    """
    fits: dict[str, dict[str, float]] = {}
    rows = simulate(clients)
    model = fit(*rows)
    for missing in (0.0, 0.1, 0.3):
        data = rows if missing == 0 else simulate(clients, missing)
        work = partial(fit, *data)
        fits[f"{missing:.0%}"] = {
            "rows": len(data[0]),
            "seconds": best_of(work, 3 if missing == 0 else 2),
            "megabytes": peak_of(work),
        }
    open_clients = max(clients // 10, 1)
    look_seconds = _outlook_seconds(model, open_clients)
    lme4 = _lme4_seconds(rows, model)
    few = min(clients, STATSMODELS_CLIENTS)
    slower = _statsmodels_seconds(simulate(few), model)
    own_few = best_of(partial(fit, *simulate(few)))
    ratios: dict[str, float | None] = {
        f"lme4 / fit, {share} missing": None if lme4 is None else lme4 / of["seconds"]
        for share, of in fits.items()
    }
    ratios["statsmodels / fit"] = None if slower is None else slower / own_few
    return {
        "clients": clients,
        "fits": fits,
        "outlook": {"clients": open_clients, "seconds": look_seconds},
        "one_session": {"milliseconds": 1000 * _one_session_seconds(model)},
        "others": {"lme4": lme4, "statsmodels": slower, "statsmodels_clients": few},
        "ratios": ratios,
    }


def _hazard() -> HazardModel:
    """Endings as simulated, and a little earlier where it goes well."""
    t = np.repeat(np.arange(1.0, LONGEST + 1), 100)
    event = (np.arange(len(t)) % 100 < 100 * ENDS).astype(np.int64)
    model = fit_hazards(t, event, causes=("ended",), covariates=())
    row = (*model.coefficients[0], -0.1, -0.3)
    return HazardModel(
        causes=model.causes,
        covariates=PATH_COVARIATES,
        centre=(0.0, 0.0),
        scale=(1.0, 1.0),
        coefficients=(row,),
        endings=model.endings,
        episodes=0,
    )


def _outlook_seconds(model: GrowthModel, clients: int) -> float:
    client, t, score = simulate(clients, 0.1, seed=2)
    criteria = ChangeCriteria("lower", 7.59, cutoff=14, lowest=0, highest=63)
    hazard = _hazard()
    return best_of(lambda: look_ahead(model, hazard, client, t, score, criteria, step=1.0))


def _one_session_seconds(model: GrowthModel) -> float:
    t_seen, seen, ahead = np.arange(2.0, 9.0), np.full((1, 7), 15.0), np.arange(9.0, 15.0)
    turns = 200

    def work() -> None:
        for _ in range(turns):
            forecast(model, [20.0], t_seen, seen, ahead, low=0, high=63)

    return best_of(work) / turns


def _after_intake(
    rows: tuple[IntArray, FloatArray, FloatArray], model: GrowthModel
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    client, t, score = rows
    x = score[t == 1][client] - model.intake_centre
    later = t > 1
    return client[later], np.log(t[later]), x[later], score[later]


def _lme4_seconds(
    rows: tuple[IntArray, FloatArray, FloatArray], model: GrowthModel
) -> float | None:
    """Seconds that R's lme4 takes for the model without autocorrelation; None without it."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        table = np.column_stack(_after_intake(rows, model))
        np.savetxt(path, table, delimiter=",", header="client,L,x,y", comments="", fmt="%.8g")
        done = subprocess.run(
            [rscript, "-e", _LME4, str(path)], capture_output=True, text=True, check=False
        )
    return float(done.stdout) if done.returncode == 0 else None


def _statsmodels_seconds(
    rows: tuple[IntArray, FloatArray, FloatArray], model: GrowthModel
) -> float | None:
    """Seconds that Python's statsmodels takes for the same; None where it isn't installed."""
    if importlib.util.find_spec("statsmodels") is None:
        return None
    mixed = importlib.import_module("statsmodels.regression.mixed_linear_model")
    client, log_t, x, y = _after_intake(rows, model)
    ones = np.ones(len(y))
    fixed = np.column_stack([ones, x, log_t, x * log_t])
    random_part = np.column_stack([ones, log_t])
    return best_of(
        lambda: mixed.MixedLM(y, fixed, groups=client, exog_re=random_part).fit(reml=True), 1
    )


def lines(found: dict[str, Any]) -> list[str]:
    """Say the result of `run` in words, one line a measurement."""
    said = [f"{found['clients']} simulated clients of up to {LONGEST} sessions"]
    for share, of in found["fits"].items():
        said.append(
            f"fit, {share} of sessions missing: {of['seconds']:.2f} s, "
            f"{of['megabytes']:.0f} MB for {of['rows']} rows"
        )
    outlook = found["outlook"]
    said.append(f"outlook of {outlook['clients']} open clients: {outlook['seconds']:.2f} s")
    said.append(f"one new session: {found['one_session']['milliseconds']:.3f} ms")
    for name, ratio in found["ratios"].items():
        said.append(f"{name}: " + ("not installed here" if ratio is None else f"{ratio:.1f}"))
    return said
