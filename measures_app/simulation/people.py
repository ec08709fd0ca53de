"""Made-up people: names, ages, codes. Any likeness is chance."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd

from measures_app.simulation.truth import ADOLESCENT, ADULT, CHILD
from sessions_app.actions.clients import DIGITS, LETTERS

NAMES = {
    kind: words.split()
    for kind, words in tomllib.loads(
        (Path(__file__).parent / "names.toml").read_text(encoding="utf-8")
    ).items()
}
CARERS = ("mother", "father", "grandmother", "foster carer", "stepfather", "aunt")
GENDERS = ("woman", "man", "other", "")
PROBLEMS = {
    ADULT: ("low mood", "anxiety", "trauma", "relationship", "grief", "alcohol or drugs", "other"),
    ADOLESCENT: ("low mood", "anxiety", "self-harm", "school", "family", "eating", "other"),
    CHILD: ("anxiety", "behaviour", "family", "school", "loss", "other", "other"),
}
FUNDERS = ("County contract", "Health plan", "Self-pay", "Foundation grant")
HOUSING = ("own or rented home", "with family or friends", "temporary or none", "")
HOUSING_DRAWN = 7  # a stream of its own: what was drawn before stays as it was
SOURCES = ("doctor", "self", "school", "hospital", "social")


def ages(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Age in days on the first day, by age group."""
    n = len(group)
    adult = 18 + np.minimum(rng.gamma(2.2, 8.5, n), 70)
    years = np.select(
        [group == ADULT, group == ADOLESCENT],
        [adult, 13 + 5 * rng.random(n)],
        6 + 7 * rng.random(n),
    )
    return np.asarray((years * 365.25).astype(np.int64) + 1)


def age_on(day: np.ndarray, birth: np.ndarray) -> np.ndarray:
    """Age in whole years on a day; both are day numbers."""
    then, now = birth.astype("datetime64[D]"), day.astype("datetime64[D]")
    year_b, year_n = then.astype("datetime64[Y]"), now.astype("datetime64[Y]")
    years = (year_n - year_b).astype(np.int64)
    month_b = (then.astype("datetime64[M]") - year_b).astype(np.int64)
    month_n = (now.astype("datetime64[M]") - year_n).astype(np.int64)
    date_b = (then - then.astype("datetime64[M]")).astype(np.int64)
    date_n = (now - now.astype("datetime64[M]")).astype(np.int64)
    not_yet = (month_n < month_b) | ((month_n == month_b) & (date_n < date_b))
    return np.asarray(years - not_yet)


def age_group(age: np.ndarray) -> np.ndarray:
    """Which variant of a measure an age is asked."""
    return np.select([age >= 18, age >= 13], [ADULT, ADOLESCENT], CHILD)


def names(gender: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A name each, by gender (an index into GENDERS)."""
    first = np.select(
        [gender == 0, gender == 1],
        [rng.choice(NAMES["women"], len(gender)), rng.choice(NAMES["men"], len(gender))],
        rng.choice(NAMES["anyone"], len(gender)),
    )
    last = rng.choice(NAMES["surnames"], len(gender))
    return np.char.add(np.char.add(first, " "), last).astype(object)


def codes(count: int, taken: frozenset[str], rng: np.random.Generator) -> list[str]:
    """Client codes in the product's own form, drawn from the generator; none twice or taken."""
    letters, digits = np.array(list(LETTERS + DIGITS)), np.array(list(DIGITS))
    found: dict[str, None] = {}
    while len(found) < count:
        drawn = np.hstack(
            [
                letters[rng.integers(0, len(letters), (count, 4))],
                np.full((count, 1), "-"),
                digits[rng.integers(0, len(digits), (count, 3))],
            ]
        )
        for row in drawn:
            code = "".join(row)
            if code not in taken and len(found) < count:
                found[code] = None
    return list(found)


def clients(
    group: np.ndarray, first_day: np.ndarray, site: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """Clients with their identity, before codes are known."""
    n = len(group)
    gender = rng.choice(4, n, p=[0.57, 0.385, 0.03, 0.015])
    return pd.DataFrame(
        {
            "name": names(gender, rng),
            "birth": first_day - ages(group, rng),
            "gender": np.array(GENDERS, dtype=object)[gender],
            "language": np.where(rng.random(n) < 0.15, "es", "en").astype(object),
            "source": rng.choice(SOURCES, n, p=[0.42, 0.27, 0.12, 0.1, 0.09]).astype(object),
            "site": site,
            "registered_on": first_day,
            "deceased_on": np.zeros(n, dtype=np.int64),
        }
    )


def attributes(count: int) -> list[dict[str, str]]:
    """What a clinic may record in codes: where each client lives, where it is known."""
    rng = np.random.default_rng([HOUSING_DRAWN, count])
    drawn = rng.choice(HOUSING, count, p=[0.58, 0.22, 0.11, 0.09])
    return [{"housing": str(home)} if home else {} for home in drawn]


def respondents(clients: pd.DataFrame, group: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The clients themselves in their order, then the carers of those under age."""
    n = len(clients)
    young = np.flatnonzero(group != ADULT)
    draw = rng.random(len(young))
    first, second = young[draw < 0.86], young[draw < 0.28]
    label = rng.integers(0, len(CARERS), n)
    whose = np.concatenate([np.arange(n), first, second])
    labels = np.array(CARERS, dtype=object)
    return pd.DataFrame(
        {
            "client": whose,
            "relation": ["self"] * n + ["carer"] * (len(first) + len(second)),
            "label": np.concatenate(
                [
                    np.full(n, "", dtype=object),
                    labels[label[first]],
                    labels[(label[second] + 1) % 6],
                ]
            ),
            "language": clients["language"].to_numpy()[whose],
            "from_on": clients["registered_on"].to_numpy()[whose],
        }
    )
