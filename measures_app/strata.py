"""Strata: parts of the clinic that have expected-change models of their own.

Where the clinic has decided so, each programme or age group (or both together) with enough
clients is fitted by itself, with the whole clinic's model as prior; others use the clinic's. A
stratum is written "programme 3, age 18-25", everybody is "". Of which kinds there are strata a
model of the whole clinic says itself, as of its night: a decision holds from the next night on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from measures_app.models import ExpectedChangeModel
from measures_app.psychometrics.growth import PROVISIONAL
from sessions_app import clinic_time, policies
from sessions_app.models import Episode, Programme

Kinds = tuple[str, ...]
ModelKey = tuple[int, str, str]  # measure, relation, and what `name` writes

KINDS = {"programme": "strata_by_programme", "age": "strata_by_age"}
FEWEST_CLIENTS = PROVISIONAL  # with a second score; below, the whole clinic's model serves
AGE_BANDS = [
    ("0-12", 0, 12),
    ("13-17", 13, 17),
    ("18-25", 18, 25),
    ("26-64", 26, 64),
    ("65+", 65, 200),
]
UNKNOWN_AGE = "not recorded"


def age_band(age: int | None) -> str:
    """A report's and a stratum's age group; `not recorded` where the age isn't known."""
    if age is None or age != age:  # NaN, as frames have it
        return UNKNOWN_AGE
    return next((name for name, low, high in AGE_BANDS if low <= age <= high), UNKNOWN_AGE)


def in_force(on: date) -> Kinds:
    """The kinds of strata the clinic has decided for."""
    return decided_in(policies.all_on(on))


def decided_in(decided: Mapping[str, Any]) -> Kinds:
    """The same, from policies that were read already."""
    return tuple(kind for kind, policy in KINDS.items() if decided[policy])


def kinds_of(row: ExpectedChangeModel | None) -> Kinds:
    """The kinds there were when a model of the whole clinic was fitted."""
    return tuple(row.parameters.get("strata", ())) if row else ()


def name(variant: str, stratum: str) -> str:
    """What a model's `stratum` column holds: the measure's variant, then the part of the clinic."""
    return f"{variant}/{stratum}" if stratum else variant


def parts_of(written: str) -> tuple[str, str]:
    """(variant, stratum), the inverse of `name`."""
    variant, _slash, stratum = written.partition("/")
    return variant, stratum


def of_episodes(episode_ids: Collection[int], kinds: Kinds) -> dict[int, str]:
    """The stratum of each episode; "" where its age isn't known."""
    found = {}
    rows = Episode.objects.filter(pk__any_of=list(episode_ids)).values_list(
        "pk", "programme", "client__birth_year", "opened_on"
    )
    for pk, programme, birth_year, opened_on in rows:
        band = age_band(clinic_time.age_on(opened_on, birth_year))
        parts = {"programme": str(programme), "age": band}
        unknown = "age" in kinds and band == UNKNOWN_AGE
        found[pk] = "" if unknown else ", ".join(f"{kind} {parts[kind]}" for kind in kinds)
    return found


def in_words(stratum: str, programmes: Mapping[int, str]) -> str:
    """The part of the clinic as people call it."""
    said = []
    for part in stratum.split(", ") if stratum else ():
        kind, which = part.split(" ", 1)
        if kind == "programme":
            said.append(programmes.get(int(which), which))
        else:
            said.append(_("age %s") % which.replace("-", "–"))
    return ", ".join(said)


def programme_names(strata: Iterable[str]) -> dict[int, str]:
    """Names to say strata with; nothing is asked where none is a programme's."""
    if not any("programme " in stratum for stratum in strata):
        return {}
    return dict(Programme.objects.values_list("pk", "name"))


def without_withdrawn(
    models: Mapping[ModelKey, ExpectedChangeModel],
) -> dict[ModelKey, ExpectedChangeModel]:
    """Models in use: those of strata that the clinic no longer has stand aside."""
    found = {}
    for key, row in models.items():
        measure, relation, written = key
        variant, stratum = parts_of(written)
        if stratum:
            whole = models.get((measure, relation, variant))
            if tuple(part.split(" ", 1)[0] for part in stratum.split(", ")) != kinds_of(whole):
                continue
        found[key] = row
    return found


class Places:
    """Which stratum each episode of a batch lies in, asked of the database only where it counts."""

    def __init__(
        self, models: Mapping[ModelKey, ExpectedChangeModel], episode_ids: Iterable[int]
    ) -> None:
        self.models = models
        kinds = {kinds_of(row) for row in models.values()} - {()}
        ids = set(episode_ids) if kinds else set()
        self.by_kinds = {which: of_episodes(ids, which) for which in kinds}

    def stratum(self, key: ModelKey, episode_id: int) -> str:
        """An episode's stratum, whether or not it has a model; "" where there are none."""
        kinds = kinds_of(self.models.get(key))
        return self.by_kinds[kinds].get(episode_id, "") if kinds else ""

    def model_key(self, key: ModelKey, episode_id: int) -> ModelKey:
        """The key of the model that serves: the stratum's where it has one."""
        measure, relation, variant = key
        own = measure, relation, name(variant, self.stratum(key, episode_id))
        return own if own in self.models else key
