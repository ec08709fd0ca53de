"""Where episodes ended, from first to last score: class rates, and stopping by outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from measures_app.psychometrics.rates import (
    BoundedRate,
    deterioration_rate,
    improvement_rate,
    recovery_rate,
)
from reports_app.metric import Maker, Metric

CLASSES = ("recovered", "improved", "unchanged", "deteriorated")
CLINICAL_STARTERS = "of those who started on the clinical side"
STOPPED_OF = "of endings known, with an outcome where the client stopped"
PROVISIONAL = "crossed the provisional line: its constants are borrowed"


def class_counts(rows: pd.DataFrame) -> dict[str, int]:
    """What the class rates of some endings are made of: each a number of episodes."""
    label = rows["outcome_class"]
    has_outcome, clinical = label != "", rows["started_clinical"].eq(True)
    better = label.isin(["recovered", "improved"])
    judged = has_outcome & rows["reached_expected"].notna()
    stopped = rows["ending"] == "client_stopped"
    counts = {name: int((label == name).sum()) for name in CLASSES}
    return counts | {
        "ended": len(rows),
        "measured": int(has_outcome.sum()),
        "better": int(better.sum()),
        "no_score": int((rows["scores"] == 0).sum()),
        "clinical": int(clinical.sum()),
        "clinical_measured": int((clinical & has_outcome).sum()),
        "clinical_better": int((clinical & better).sum()),
        "judged": int(judged.sum()),
        "clinical_foreseen": int((judged & clinical).sum()),
        "reached": int(rows.loc[judged, "reached_expected"].astype(bool).sum()),
        "stopped": int(stopped.sum()),
        "stopped_measured": int((stopped & has_outcome).sum()),
        "stopped_better": int((stopped & better).sum()),
        "ending_known": int((rows["ending"] != "unknown").sum()),
    }


def recovered_of(c: Mapping[str, int]) -> BoundedRate:
    missing = c["clinical"] - c["clinical_measured"]
    return recovery_rate(c["recovered"], c["clinical"], missing, c["no_score"])


def class_metrics(make: Maker, c: Mapping[str, int], *, borrowed: bool = False) -> Iterator[Metric]:
    ended, measured = c["ended"], c["measured"]
    if ended == 0:
        for name in (*CLASSES, "reliably_improved", "stopped_improved", "stopped_unimproved"):
            yield make(name, numerator=0, denominator=0, note="no episode ended")
        return
    yield make.bounded(
        "recovered",
        recovered_of(c),
        f"{PROVISIONAL}; {CLINICAL_STARTERS}" if borrowed else CLINICAL_STARTERS,
    )
    yield make.bounded(
        "improved",
        improvement_rate(c["improved"], measured, ended),
        "reliably better, not recovered",
    )
    yield make.bounded("unchanged", deterioration_rate(c["unchanged"], measured, ended))
    yield make.bounded("deteriorated", deterioration_rate(c["deteriorated"], measured, ended))
    yield make.bounded(
        "reliably_improved", improvement_rate(c["better"], measured, ended), "recovered included"
    )
    yield from stopping(make, c)
    if c["clinical"]:
        yield make.bounded(
            "reliably_improved_clinical_starters",
            improvement_rate(c["clinical_better"], c["clinical_measured"], c["clinical"]),
            "of those who started on the clinical side; recovered included",
        )


def fate_known(c: Mapping[str, int]) -> int:
    """Endings of which it is known that they were another, or that this was one and how it went."""
    return c["ending_known"] - (c["stopped"] - c["stopped_measured"])


def stopping(make: Maker, c: Mapping[str, int]) -> Iterator[Metric]:
    """Clients who stopped, by outcome; and stopping as those define it who ask for no change.

    The second is out of the endings that are known. A client who stopped without a second score
    may have improved (best) or not (worst), and so may one whose ending isn't known.
    """
    if c["stopped"]:
        yield make.bounded(
            "stopped_improved",
            improvement_rate(c["stopped_better"], c["stopped_measured"], c["stopped"]),
            "of those who stopped coming; recovered included",
        )
    else:
        yield make("stopped_improved", numerator=0, denominator=0, note="nobody stopped coming")
    known = fate_known(c)
    if known:
        yield make.bounded(
            "stopped_unimproved",
            deterioration_rate(c["stopped_measured"] - c["stopped_better"], known, c["ended"]),
            STOPPED_OF,
        )
    else:
        yield make("stopped_unimproved", numerator=0, denominator=0, note="no ending is known")
