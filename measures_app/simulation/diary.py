"""Appointments become meetings, sessions and assignments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from measures_app.simulation import courses
from measures_app.simulation.courses import Courses
from measures_app.simulation.truth import ADULT

STATUSES = ("attended", "no_show", "late_cancel", "clinic_cancel", "not_seen_by_us", "booked")
OBSTACLES = ("", "transport", "childcare", "phone", "work", "health", "other")
OBSTACLE_SHARES = (0.45, 0.14, 0.1, 0.05, 0.13, 0.1, 0.03)
OPENS, HOURS = 8 * 60, 11
PRESCRIBED = 0.12


@dataclass
class Diary:
    meetings: pd.DataFrame
    sessions: pd.DataFrame
    prescriber: np.ndarray  # by episode; -1: none


def build(
    episodes: pd.DataFrame,
    done: Courses,
    clinicians: pd.DataFrame,
    until: int,
    rng: np.random.Generator,
) -> Diary:
    """Meetings (shared by couples and groups) and each episode's place in them."""
    e = done.episode
    closed = episodes["closed_on"].to_numpy()
    sessions = pd.DataFrame(
        {
            "episode": e,
            "client": episodes["client"].to_numpy()[e],
            "day": done.day,
            "status": done.status,
            "clinician": done.lead,
            "kind": "treatment",
            "format": episodes["format"].to_numpy()[e],
            "site": episodes["site"].to_numpy()[e],
            "shared": episodes["shared"].to_numpy()[e],
            "t": done.t,
            "appointment": np.arange(len(e)),
        }
    )
    prescriber = _prescribers(episodes, clinicians, rng)
    contacts = sessions[
        (prescriber[e] >= 0) & (done.status == courses.ATTENDED) & (done.t % 4 == 2)
    ].copy()
    contacts["day"] = courses.to_workday(contacts["day"].to_numpy() + 2)
    contacts["clinician"] = prescriber[contacts["episode"]]
    contacts["kind"], contacts["appointment"] = "medication", -1
    end = closed[contacts["episode"]]
    contacts = contacts[(contacts["day"] < until) & ((end == 0) | (contacts["day"] <= end))]
    sessions = pd.concat([sessions, contacts], ignore_index=True)
    sessions = sessions.sort_values(["day", "episode", "kind"], kind="stable", ignore_index=True)
    away = sessions["status"].isin([courses.NO_SHOW, courses.LATE_CANCEL]).to_numpy()
    obstacle = rng.choice(OBSTACLES, len(sessions), p=OBSTACLE_SHARES).astype(object)
    sessions["obstacle"] = np.where(away, obstacle, "")
    sessions["status"] = np.array(STATUSES, dtype=object)[sessions["status"].to_numpy()]
    return Diary(_meetings(sessions, rng), sessions, prescriber)


def _prescribers(
    episodes: pd.DataFrame, clinicians: pd.DataFrame, rng: np.random.Generator
) -> np.ndarray:
    able = np.flatnonzero(~clinicians["leads"])
    n = len(episodes)
    draw = rng.random(n)
    if not len(able):
        return np.full(n, -1)
    has = (draw < PRESCRIBED) & (episodes["group"] == ADULT) & (episodes["format"] == "individual")
    return np.where(has, rng.choice(able, n), -1)


def _meetings(sessions: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One meeting a session, or one a day for those who share; adds `meeting` to the sessions."""
    key = np.where(
        sessions["shared"] >= 0,
        sessions["shared"] * 1_000_000 + sessions["day"],
        -1 - sessions.index,
    )
    number, _of = pd.factorize(key)
    sessions["meeting"] = number
    meetings = sessions[~pd.Series(number).duplicated().to_numpy()].reset_index(drop=True)
    n = len(meetings)
    place = meetings.groupby(["clinician", "day"], sort=False).cumcount().to_numpy()
    meetings["minute"] = OPENS + 60 * (place % HOURS)
    sessions["minute"] = meetings["minute"].to_numpy()[number]
    meetings["telehealth"] = (rng.random(n) < 0.24) & (meetings["format"] != "group")
    meetings["minutes"] = np.select(
        [meetings["kind"] == "medication", meetings["format"] == "group"],
        [20, 90],
        rng.choice([50, 50, 50, 60], n),
    )
    return meetings[
        ["day", "minute", "minutes", "format", "kind", "site", "telehealth", "clinician"]
    ]


def assignments(
    episodes: pd.DataFrame,
    done: Courses,
    leading: np.ndarray,
    following: np.ndarray,
    prescriber: np.ndarray,
) -> pd.DataFrame:
    """Who led from when to when, and who prescribed."""
    n = len(episodes)
    opened, closed = episodes["opened_on"].to_numpy(), episodes["closed_on"].to_numpy()
    moved = done.transferred_on
    rows = [(np.arange(n), leading, opened, np.where(moved > 0, moved, closed), "lead")]
    later = np.flatnonzero(moved > 0)
    rows.append((later, following[later], moved[later], closed[later], "lead"))
    also = np.flatnonzero(prescriber >= 0)
    rows.append((also, prescriber[also], opened[also], closed[also], "prescriber"))
    table = pd.concat(
        [
            pd.DataFrame(
                {"episode": e, "clinician": c, "from_on": start, "to_on": end, "part": part}
            )
            for e, c, start, end, part in rows
        ],
        ignore_index=True,
    )
    handed = (table["part"] == "lead") & (moved[table["episode"]] > 0)
    table["why"] = np.where(handed, "simulated transfer", "")
    return table
