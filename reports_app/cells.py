"""Counts of a period that leave the clinic: how they add up, and which of them are blank.

What has no name in a file (those with a space) is hidden as if it had.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from measures_app.psychometrics.suppression import Sum, publish, rounded
from reports_app.classes import class_counts, fate_known
from reports_app.extract import CLINIC, OUTSIDE_OUTCOME, Extract
from reports_app.metrics import ENDING_RATES, OUTCOME_COLUMNS, lapses, main_measures

# name of a sum -> its parts, within a scope; then within a scope and measure. How complete the data
# are is no secret: how many have no score or no known ending is told by each rate's coverage. Sums
# that follow from others stand here too where they bind cells of their own: what a single sum asks
# for costs a cell, what is found by all together (suppression, rule c) often costs several.
PLAIN_SUMS = (
    ("ending known", (
        "agreed", "client_stopped", "clinic_ended", "circumstances", "other endings",
    )),
    ("could lapse", ("lapsed", "not lapsed")),
    ("waiting", ("over", "within limit")),
    ("waiting", ("unoffered", "offered before")),
)  # fmt: skip
MEASURE_SUMS = (
    ("measured", ("better", "unchanged", "deteriorated")),
    ("better", ("clinical_better", "functional better")),
    ("clinical_better", ("recovered", "clinical improved")),
    ("improved", ("clinical improved", "functional better")),
    ("better", ("recovered", "improved")),
    ("clinical_measured", ("clinical_better", "clinical not better")),
    ("judged", ("reached", "not reached")),
    ("judged", ("clinical_foreseen", "others foreseen")),
    ("stopped", ("stopped_measured", "stopped without")),
    ("stopped_measured", ("stopped_better", "stopped not better")),
    ("ending_known", ("fate known", "stopped without")),
    ("fate known", ("stopped not better", "another fate")),
    ("ending_known", ("stopped", "known not to stop")),
    ("another fate", ("stopped_better", "known not to stop")),
)
# What is blanked first where several would do: what has no name in a file and is part of no rate,
# then counts of classes, then other counts, then what headline rates are made of.
DEAR = (
    {"unchanged": 1, "deteriorated": 1, "improved": 1, "clinical": 1, "clinical_better": 1}
    | dict.fromkeys(("stopped not better", "fate known"), 2)
    | dict.fromkeys(("recovered", "clinical_measured", "judged", "reached"), 4)
    | dict.fromkeys(("ended", "ending known", "agreed", "opened", "served", "attended"), 4)
    | dict.fromkeys(("better", "measured"), 5)
)
SAT = ("attended", "no_shows", "late_cancels", "both_measures")

Key = tuple[str, str, str]  # scope, measure ("" for none), name
Shown = Mapping[Key, float | None]  # counts as they left the clinic; None is blank


@dataclass
class Cells:
    """Counts of all scopes, and how they add up."""

    counts: dict[Key, int] = field(default_factory=dict)
    lines: list[tuple[Key, tuple[Key, ...]]] = field(default_factory=list)

    def add(self, scope: str, measure: str, counts: Mapping[str, int]) -> None:
        self.counts |= {(scope, measure, name): int(n) for name, n in counts.items()}

    def total(self, scope: str, measure: str, name: str, parts: Iterable[str]) -> None:
        keys = tuple((scope, measure, part) for part in parts)
        self.lines.append(((scope, measure, name), keys))

    def across(self, scopes: list[str]) -> None:
        """The clinic's cells are the sums of those of scopes that share them out.

        Where nobody of a scope was asked a measure it has no cells, and that is no secret: of
        nobody nothing can be found. Its files say as little of it as of one that few were asked.
        """
        for scope, measure, name in list(self.counts):
            if scope != CLINIC.name:
                continue
            keys = ((each, measure, name) for each in scopes)
            parts = tuple(key for key in keys if key in self.counts)
            if parts:
                self.lines.append(((scope, measure, name), parts))


def fill(cells: Cells, data: Extract) -> None:
    scope, ended, sat = data.scope.name, data.ended, data.attendance
    endings = ended["ending"].value_counts()
    said = {ending: int(endings.get(ending, 0)) for _metric, ending in ENDING_RATES}
    known = len(ended) - int(endings.get("unknown", 0))
    began = ended["first_session_on"].notna() & ended["last_session_on"].notna()
    ages = {f"age {band}": n for band, n in data.served_by_age.items()}
    lapsed, could, _gap = lapses(ended)
    plain = {
        "could lapse": could,
        "lapsed": lapsed,
        "not lapsed": could - lapsed,
        "entered": sat["scheduled"],
        "day has come": sat["scheduled"] + sat["unentered"],
        "opened": data.opened,
        "ended": len(ended),
        "ending known": known,
        "other endings": known - sum(said.values()),
        "alliances": int(ended["first_alliance"].notna().sum()),
        "days": int(began.sum()),
        "served": data.served,
        "raters": data.collateral_raters,
        "expected": sat["scheduled"] - sat["clinic_cancels"],
        "due": sat["scheduled"] - sat["clinic_cancels"] + sat["unentered"],
        "sat or not entered": sat["attended"] + sat["unentered"],
        "referred": data.waits.referred,
        "left": sum(data.waits.left.values()),
        "offers": len(data.waits.to_offer),
        "waits": len(data.waits.to_seen),
        "waiting": len(data.waits.waiting),
        "over": data.waits.over,
        "within limit": len(data.waits.waiting) - data.waits.over,
        "unoffered": int(data.waits.without_offer.sum()),
        "offered before": len(data.waits.waiting) - int(data.waits.without_offer.sum()),
        "still in care": data.in_care.still,
    }
    counts = plain | said | ages | {name: sat[name] for name in SAT}
    if not (data.scope.is_clinic or any(counts.values())):
        return  # nobody at all: see `Cells.across`
    cells.add(scope, "", counts)
    for name, parts in PLAIN_SUMS:
        cells.total(scope, "", name, parts)
    cells.total(scope, "", "served", ages)
    outcome = ended.loc[~ended["ending"].isin(OUTSIDE_OUTCOME), OUTCOME_COLUMNS]
    for code, rows in outcome.groupby(main_measures(outcome)) if len(outcome) else ():
        c = class_counts(rows[~rows["mid_care"].astype(bool)])
        rest = {
            "scored": c["ended"] - c["no_score"],
            "clinical improved": c["clinical_better"] - c["recovered"],
            "functional better": c["better"] - c["clinical_better"],
            "clinical not better": c["clinical_measured"] - c["clinical_better"],
            "not reached": c["judged"] - c["reached"],
            "others foreseen": c["judged"] - c["clinical_foreseen"],
            "stopped without": c["stopped"] - c["stopped_measured"],
            "stopped not better": c["stopped_measured"] - c["stopped_better"],
            "fate known": fate_known(c),
            "another fate": fate_known(c) - (c["stopped_measured"] - c["stopped_better"]),
            "known not to stop": c["ending_known"] - c["stopped"],
        }
        cells.add(scope, str(code), c | rest)
        for name, parts in MEASURE_SUMS:
            cells.total(scope, str(code), name, parts)


def as_sums(cells: Cells) -> tuple[list[Key], list[Sum]]:
    """The cells in an order, and the sums over their places; overlaps as offsets."""
    keys = list(cells.counts)
    place = {key: i for i, key in enumerate(keys)}
    sums = [
        Sum(
            place[total],
            tuple(place[part] for part in parts),
            float(cells.counts[total] - sum(cells.counts[part] for part in parts)),
        )
        for total, parts in cells.lines
    ]
    return keys, sums


def hide(
    cells: Cells, limit: int, before: Shown | None = None, parts: Sequence[Shown] = ()
) -> dict[Key, float | None]:
    """Every count rounded or blank; see `suppression.publish`.

    `parts` are the periods that this one is made of and that have left the clinic. What is blank
    in any of them is blank here: then whatever could be true of a part's blanks could be true of
    the whole too, and the whole says nothing more of them. A cell that a part doesn't have counted
    nobody there.
    """
    keys, sums = as_sums(cells)
    counts = np.array([cells.counts[key] for key in keys], dtype=float)
    previous = None
    if before is not None:
        # A cell that the last edition didn't have binds nothing: it counts as just what it is now.
        previous = np.array(
            [
                math.nan if (old := before.get(key, now)) is None else old
                for key, now in zip(keys, rounded(counts), strict=True)
            ]
        )
    # What was blank stays so: another choice of blanks could be subtracted from the last one.
    kept = np.zeros(len(keys), dtype=bool) if previous is None else np.isnan(previous)
    kept |= np.array([any(part.get(key, 0) is None for part in parts) for key in keys])
    dear = [DEAR.get(name, 0 if " " in name else 3) for _scope, _measure, name in keys]
    values = publish(counts, sums, previous=previous, hidden=kept, dear=dear, limit=limit)
    return {
        key: None if math.isnan(value) else float(value)
        for key, value in zip(keys, values, strict=True)
    }
