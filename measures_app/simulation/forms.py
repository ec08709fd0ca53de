"""What was asked at each attended session, and what the four marks on the lines were."""

from __future__ import annotations

import numpy as np
import pandas as pd

from measures_app.simulation import people
from measures_app.simulation.courses import Courses
from measures_app.simulation.truth import AGE_GROUPS, HIGHEST, TENTHS, Truth

ITEMS = 4
TOP = 100  # one line's end, in tenths
MEASURES = (
    *(f"outcome-{group}" for group in AGE_GROUPS),
    *(f"alliance-{group}" for group in AGE_GROUPS),
    "outcome-carer",
    "alliance-group",
)
CARER, GROUP = 6, 7
REASONS = ("declined", "too_distressed", "no_time", "no_language", "not_asked")
REASON_SHARES = (0.24, 0.09, 0.32, 0.03, 0.32)
SAID_WHY = 0.62
PROVENANCES = ("own_device", "clinic_tablet", "paper")
MANNERS = ("", "alone", "read_aloud", "interpreter")


def split(total: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Four marks of 0-100 tenths that add up to each total exactly; shape (n, 4)."""
    spread = sd * TENTHS * rng.standard_normal((len(total), ITEMS))
    marks = total[:, None] / ITEMS + spread - spread.mean(axis=1, keepdims=True)
    items = np.clip(np.rint(marks), 0, TOP).astype(np.int64)
    left = total - items.sum(axis=1)
    # What rounding and the lines' ends took away goes where there is room, another line first
    # for each form so that no item bears it all.
    turn = rng.integers(0, ITEMS, len(total))
    row = np.arange(len(total))
    for step in range(ITEMS):
        item = (turn + step) % ITEMS
        room = np.clip(left, -items[row, item], TOP - items[row, item])
        items[row, item] += room
        left = left - room
    return items


def _asked(
    sessions: pd.DataFrame, total: np.ndarray, taken: np.ndarray, measure: np.ndarray,
    respondent: np.ndarray, late: int,
) -> pd.DataFrame:  # fmt: skip
    return pd.DataFrame(
        {
            "session": sessions.index.to_numpy(),
            "episode": sessions["episode"].to_numpy(),
            "client": sessions["client"].to_numpy(),
            "respondent": respondent,
            "measure": measure,
            "total": total,
            "taken": taken,
            "day": sessions["day"].to_numpy(),
            "minute": sessions["minute"].to_numpy() + late,
        }
    )


def _carers(
    sessions: pd.DataFrame, respondents: pd.DataFrame, age: np.ndarray, latent: np.ndarray,
    truth: Truth, rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Each carer's own series: every other session, of clients under age that day."""
    carers = respondents[respondents["relation"] == "carer"]
    young = sessions.assign(latent=latent)[(age < 18) & (sessions["t"] % 2 == 1)]
    pairs = young.reset_index().merge(
        carers["client"].rename_axis("respondent").reset_index(), on="client"
    )
    pairs = (
        pairs.set_index("index")
        .sort_values(["respondent"], kind="stable")
        .sort_index(kind="stable")
    )
    noise = truth.carer_noise_sd * rng.standard_normal(len(pairs))
    total = np.rint(pairs["latent"].to_numpy() + TENTHS * (truth.carer_shift + noise))
    return _asked(
        pairs,
        np.clip(total, 0, HIGHEST).astype(np.int64),
        rng.random(len(pairs)) < 0.78,
        np.full(len(pairs), CARER),
        pairs["respondent"].to_numpy(),
        2,
    )


def build(
    episodes: pd.DataFrame,
    clients: pd.DataFrame,
    respondents: pd.DataFrame,
    sessions: pd.DataFrame,
    done: Courses,
    truth: Truth,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Administrations: four items in tenths (-1 untouched), or why there are none."""
    held = sessions[(sessions["kind"] == "treatment") & (sessions["status"] == "attended")]
    at = held["appointment"].to_numpy()
    who = held["client"].to_numpy()
    age = people.age_on(held["day"].to_numpy(), clients["birth"].to_numpy()[who])
    group = people.age_group(age)
    in_group = (held["format"] == "group").to_numpy()
    rows = pd.concat(
        [
            # The first respondents are the clients themselves, in their order.
            _asked(held, done.outcome[at], done.outcome_taken[at], group, who, 0),
            _asked(
                held,
                done.alliance[at],
                done.alliance_taken[at],
                np.where(in_group, GROUP, 3 + group),
                who,
                45,
            ),
            _carers(held, respondents, age, done.outcome[at], truth, rng),
        ],
        ignore_index=True,
    )
    n = len(rows)
    said = rng.random(n) < SAID_WHY
    reason = rng.choice(REASONS, n, p=REASON_SHARES).astype(object)
    rows["not_taken"] = np.where(rows["taken"], "", reason)
    items = split(rows["total"].to_numpy(), truth.item_sd, rng)
    untouched = rng.random(n) < truth.item_untouched
    items[untouched, rng.integers(0, ITEMS, n)[untouched]] = -1
    rows["complete"] = ~untouched
    for number in range(ITEMS):
        rows[f"item_{number}"] = items[:, number]
    rows["provenance"] = np.array(PROVENANCES, dtype=object)[rng.choice(3, n, p=[0.36, 0.36, 0.28])]
    spanish = (respondents["language"].to_numpy()[rows["respondent"]] == "es").astype(np.float64)
    draw = rng.random(n)
    rows["manner"] = np.select(
        [draw < 0.12, draw < 0.16, draw < 0.16 + 0.1 * spanish],
        ["", "read_aloud", "interpreter"],
        "alone",
    ).astype(object)
    rows["language"] = respondents["language"].to_numpy()[rows["respondent"]]
    rows["age"] = people.age_on(
        rows["day"].to_numpy(), clients["birth"].to_numpy()[rows["client"].to_numpy()]
    )
    rows = rows[rows["taken"] | said]
    return rows.sort_values(["day", "session", "minute"], kind="stable", ignore_index=True)
