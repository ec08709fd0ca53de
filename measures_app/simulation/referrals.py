"""Who was referred to a synthetic clinic, how long they waited, and who still does."""

from __future__ import annotations

import numpy as np
import pandas as pd

LEFT = ("withdrawn", "not_reached", "declined", "elsewhere")
REFERRALS = 11  # keeps these draws apart from the courses'
NONE = -1


def _begun(episodes: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The referral of every episode that was measured from its beginning."""
    rows = np.flatnonzero(episodes["sessions_before"].to_numpy() == 0)
    opened = episodes["opened_on"].to_numpy()[rows]
    waited = np.round(2 + rng.gamma(1.6, 11.0, len(rows))).astype(np.int64)
    offered = np.round(waited * (0.3 + 0.6 * rng.random(len(rows)))).astype(np.int64)
    return pd.DataFrame(
        {
            "episode": rows,
            "received_on": opened - waited,
            "offered_on": opened - waited + offered,
            "outcome": "accepted",
            "outcome_on": opened,
        }
    )


def _again(
    episodes: pd.DataFrame, until: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Clients whose care is over and who are referred again: some wait, some left unseen."""
    ended = episodes["closed_on"].to_numpy()
    last = episodes.assign(row=np.arange(len(episodes))).groupby("client")
    open_now = last["closed_on"].transform("min").to_numpy() == 0
    newest = last["row"].transform("max").to_numpy() == np.arange(len(episodes))
    may = newest & ~open_now & (ended < until - 90) & (episodes["ending"].to_numpy() != "died")
    rows = np.flatnonzero(may)
    draw = rng.random(len(rows))
    waits, left = rows[draw < 0.06], rows[(draw >= 0.06) & (draw < 0.16)]
    since = np.minimum(np.round(rng.gamma(1.4, 20.0, len(waits))).astype(np.int64), 85)
    back = ended[left] + rng.integers(5, 60, len(left))
    gone = np.minimum(back + rng.integers(3, 50, len(left)), until)
    why = rng.choice(LEFT, len(left), p=[0.35, 0.3, 0.25, 0.1]).astype(object)
    offered = np.where(why == "declined", (back + gone) // 2, 0)
    asked = np.where(rng.random(len(waits)) < 0.4, until - since // 2, 0)
    table = pd.DataFrame(
        {
            "episode": NONE,
            "received_on": np.concatenate([until - since, back]),
            "offered_on": np.concatenate([asked, offered]),
            "outcome": np.concatenate([np.full(len(waits), "", dtype=object), why]),
            "outcome_on": np.concatenate([np.zeros(len(waits), dtype=np.int64), gone]),
        }
    )
    return table, np.concatenate([waits, left])


def build(
    episodes: pd.DataFrame, source: np.ndarray, until: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Referrals by row number of their episode (-1: none); days are day numbers, 0 for none.

    Parameters
    ----------
    source : ndarray of object
        Who refers each client.
    """
    begun = _begun(episodes, rng)
    again, like = _again(episodes, until, rng)
    rows = np.concatenate([begun["episode"].to_numpy(), like]).astype(np.int64)
    table = pd.concat([begun, again], ignore_index=True)
    table["client"] = episodes["client"].to_numpy()[rows]
    table["source"] = source[table["client"].to_numpy()]
    for name in ("programme", "site", "funder"):
        table[name] = episodes[name].to_numpy()[rows]
    return table
