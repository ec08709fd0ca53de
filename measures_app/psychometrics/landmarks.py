"""Nobody seen for a while: the chance that the next four weeks bring no session either.

Time since the last session grows *because* a client has stopped, so it can't stand in a hazard per
attended session. It has rows of its own: each week of an episode, what was known by then, and
whether four weeks without a session followed.

References
----------
.. [1] van Houwelingen, H. C., & Putter, H. (2012). Dynamic Prediction in Clinical Survival
   Analysis. CRC Press.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .logistic import expit_of, logit, ridge_logistic
from .patterns import FloatArray, IntArray

WEEK: Final = 7
DAYS_AHEAD: Final = 28
LONGEST_RHYTHM: Final = 14  # who comes once a month may well be away for four weeks
FOLDS: Final = 5
RIDGE: Final = 10.0
PRIOR_ROWS: Final = 25.0
PRIOR_CHANCE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Weekly rows of episodes.

    Attributes
    ----------
    episode : ndarray of int64, shape (rows,)
    day : ndarray of int64, shape (rows,)
        Day of the look.
    known : ndarray, shape (rows, 3)
        Days since the last session in units of the client's own rhythm (log of one plus it), log
        of the sessions so far, log of the rhythm in days.
    event : ndarray of int64, shape (rows,)
        1 where no session came within four weeks.
    """

    episode: IntArray
    day: IntArray
    known: FloatArray
    event: IntArray


def known_at(days: npt.ArrayLike, day: int) -> FloatArray:
    """What is known of an episode on a day, shape (3,); see `Landmarks`.

    Parameters
    ----------
    days : array_like of int
        Days of attended sessions, any order; those after `day` are ignored.
    day : int

    Returns
    -------
    ndarray
        The rhythm is the median of the last five gaps, a week at least; a week with one session.

    Raises
    ------
    ValueError
        Where no session was attended by then.
    """
    attended = np.sort(np.asarray(days, dtype=np.int64))
    attended = attended[attended <= day]
    if not len(attended):
        raise ValueError("no session was attended by that day")
    gaps = np.diff(attended)[-5:]
    rhythm = max(float(np.median(gaps)) if len(gaps) else WEEK, WEEK)
    away = float(day - attended[-1])
    return np.array([np.log1p(away / rhythm), np.log(len(attended)), np.log(rhythm)])


def known_if_told(days: npt.ArrayLike, day: int) -> FloatArray | None:
    """What is known of an episode on a day, where the chance says something.

    Parameters
    ----------
    days : array_like of int
        Days of attended sessions, any order; those after `day` are ignored.
    day : int

    Returns
    -------
    ndarray or None
        As `known_at`. None before the first session, after four weeks without one (what was to
        be foretold has come), and for a rhythm longer than two weeks, where four weeks away
        aren't twice it.
    """
    attended = np.asarray(days, dtype=np.int64)
    attended = attended[attended <= day]
    if not len(attended) or day - attended.max() >= DAYS_AHEAD:
        return None
    known = known_at(attended, day)
    return known if known[2] <= np.log(LONGEST_RHYTHM) else None


def weekly_rows(sessions: list[npt.ArrayLike], closed: list[int | None], until: int) -> Landmarks:
    """Weekly rows of many episodes, as far as what followed is known.

    Parameters
    ----------
    sessions : list of array_like of int
        Days of each episode's attended sessions.
    closed : list of int or None
        Day on which an episode was closed by agreement or by the clinic: no look from four weeks
        before it, because nobody was to come. None for open episodes and for clients who
        stopped, whose stop is dated at the last session.
    until : int
        Last day of which everything is known.

    Returns
    -------
    Landmarks
        The first look is a week after the first session; after four weeks without a session
        there is none until the client comes again: it would count one stop many times. None
        either while the rhythm is longer than two weeks; see `known_if_told`.
    """
    episode: list[int] = []
    day: list[int] = []
    known: list[FloatArray] = []
    event: list[int] = []
    for number, (days, end) in enumerate(zip(sessions, closed, strict=True)):
        attended = np.sort(np.asarray(days, dtype=np.int64))
        if not len(attended):
            continue
        last = until - DAYS_AHEAD if end is None else min(until, end) - DAYS_AHEAD
        for look in range(int(attended[0]) + WEEK, last + 1, WEEK):
            told = known_if_told(attended, look)
            if told is None:
                continue
            came = ((attended > look) & (attended <= look + DAYS_AHEAD)).any()
            episode.append(number)
            day.append(look)
            known.append(told)
            event.append(int(not came))
    return Landmarks(
        np.array(episode, dtype=np.int64),
        np.array(day, dtype=np.int64),
        np.array(known, dtype=np.float64).reshape(len(day), 3),
        np.array(event, dtype=np.int64),
    )


@dataclass(frozen=True)
class LandmarkModel:
    """Chance of four weeks without a session. Immutable; `to_dict` and `from_dict` invert.

    Attributes
    ----------
    centre, scale : tuple of 3 floats
    coefficients : tuple of 4 floats
        Intercept, then one a standardised column of `Landmarks.known`.
    rows, events : int
        It was fitted on.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    rows: int
    events: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.__dict__.items()
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> LandmarkModel:
        """The model that `to_dict` wrote."""
        return cls(
            tuple(content["centre"]),
            tuple(content["scale"]),
            tuple(content["coefficients"]),
            content["rows"],
            content["events"],
        )

    def probabilities(self, known: npt.ArrayLike) -> FloatArray:
        """Chance for each row of what is known, shape (rows,)."""
        z = (np.atleast_2d(np.asarray(known, dtype=np.float64)) - self.centre) / self.scale
        return expit_of(self.coefficients[0] + z @ np.array(self.coefficients[1:]))


def fit_landmarks(rows: Landmarks) -> LandmarkModel:
    """Fit the chance of four weeks without a session.

    Parameters
    ----------
    rows : Landmarks
        None is no problem: the prior then speaks.

    Returns
    -------
    LandmarkModel
        Coefficients drawn towards 0, the intercept towards a chance of a tenth with the weight
        of 25 rows. Looks of one episode go together: errors can't be had from this fit.
    """
    n = max(len(rows.event), 1)
    centre = rows.known.sum(axis=0) / n
    spread = np.sqrt(((rows.known - centre) ** 2).sum(axis=0) / n)
    scale = np.where(spread > 1e-9, spread, 1.0)
    design = np.column_stack([np.ones(len(rows.event)), (rows.known - centre) / scale])
    towards = np.zeros((1, 4))
    towards[0, 0] = logit(PRIOR_CHANCE)
    penalty = np.full((1, 4), RIDGE)
    penalty[0, 0] = PRIOR_ROWS * PRIOR_CHANCE * (1 - PRIOR_CHANCE)
    found = ridge_logistic(design, rows.event, towards=towards, penalty=penalty)[0]
    return LandmarkModel(
        tuple(centre.tolist()),
        tuple(scale.tolist()),
        tuple(found.tolist()),
        len(rows.event),
        int(rows.event.sum()),
    )


def held_out(rows: Landmarks, fold: npt.ArrayLike) -> FloatArray:
    """Each look's chance from a model that didn't see its episode.

    Parameters
    ----------
    rows : Landmarks
    fold : array_like of int, shape (rows,)
        0 to 4; all looks of an episode in one.

    Returns
    -------
    ndarray, shape (rows,)
    """
    folds = np.asarray(fold)
    found = np.full(len(rows.event), np.nan)
    for one in range(FOLDS):
        out = folds == one
        seen = Landmarks(rows.episode[~out], rows.day[~out], rows.known[~out], rows.event[~out])
        found[out] = fit_landmarks(seen).probabilities(rows.known[out])
    return found
