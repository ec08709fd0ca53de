"""A period's numbers as they may leave the clinic: docs/adr/two-kinds-of-report-files.md.

All scopes that have a file of their own (the clinic, each programme, each funder) are blanked
together, as parts of one set of sums, so that no subtraction between files finds a blank count.
A rate is made of the rounded counts, by the same formulas as the exact one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from measures_app import measures
from measures_app.psychometrics.rates import deterioration_rate, improvement_rate
from reports_app.cells import Cells, Key, fill, hide
from reports_app.classes import CLINICAL_STARTERS, PROVISIONAL, STOPPED_OF, recovered_of
from reports_app.extract import CLINIC, Extract, Scope
from reports_app.metric import Maker, Metric
from reports_app.metrics import ENDING_RATES, ENTERED_OF, ending_rate, lapsed_of, monthly_metrics
from reports_app.models import EpisodeSummary
from reports_app.periods import Period
from reports_app.shares import shared_out
from reports_app.waiting import NOT_HALF, OF_ALL
from sessions_app import policies
from sessions_app.models import Programme

BLANK = "fewer than the clinic's limit, or hidden so that no other is found by subtraction"
# A mean -> the counts of what it is of. It is shown where they are, and kept while they are.
MEANS = {
    "mean_first_alliance": ("alliances",),
    "mean_sessions": ("ended",),
    "mean_days": ("days",),
    "care_all_median_days": ("days", "still in care"),
    "first_offer_median_days": ("offers",),
    "offer_all_median_days": ("offers", "unoffered"),
    "waiting_median_days": ("waits",),
    "waiting_p90_days": ("waits",),
    "waiting_all_median_days": ("waits", "waiting"),
    "waiting_now_median_days": ("waiting",),
    "mean_first_outcome": ("scored",),
    "effect_size": ("measured",),
    "severity_adjusted_effect_size": ("judged",),
    "relative_effect_size": ("clinical_foreseen",),
}
WAITS = ("waiting_median_days", "waiting_p90_days")
HELD = ("reached_expected", "severity_adjusted_effect_size", "relative_effect_size")


@dataclass(frozen=True)
class Publication:
    """Counts and means of every scope as they may leave the clinic; None is blank."""

    counts: dict[Key, float | None]
    means: dict[Key, tuple[float | None, ...]]  # (value, low, high), of waits (worst, best) too
    notes: dict[Key, str]  # what an expected score was held to
    names: dict[str, str] = field(default_factory=dict)  # what a scope (its key) was called then

    def kept(self) -> dict[str, Any]:
        """As JSON, for the next edition to be held against."""
        return {
            "counts": [[*key, value] for key, value in self.counts.items()],
            "means": [[*key, list(values)] for key, values in self.means.items()],
            "notes": [[*key, note] for key, note in self.notes.items()],
            "names": self.names,
        }

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> Publication | None:
        """As it was, under the names of today: who renames a programme forgets nothing of it."""
        if not kept:
            return None
        now = {}
        for key, name in kept.get("names", {}).items():
            scope = Scope.from_key(key)
            now[name] = name if scope is None else scope.name

        def cell(row: list[Any]) -> Key:
            return now.get(row[0], row[0]), row[1], row[2]

        return cls(
            {cell(row): row[3] for row in kept["counts"]},
            {cell(row): tuple(row[3]) for row in kept["means"]},
            {cell(row): row[3] for row in kept["notes"]},
            {key: now[name] for key, name in kept.get("names", {}).items()},
        )


def scopes_of() -> tuple[list[Scope], list[Scope]]:
    """The scopes that have published files beside the clinic: programmes; funders."""
    programmes = [Scope(programme=programme) for programme in Programme.objects.order_by("pk")]
    named = EpisodeSummary.objects.order_by("funder").values_list("funder", flat=True).distinct()
    return programmes, [Scope(funder=funder) for funder in named]


def publication(
    period: Period,
    before: Publication | None = None,
    parts: Sequence[Publication] = (),
    tell: Callable[[], None] = lambda: None,
) -> Publication:
    """Everything of a period that may be published, of all scopes at once."""

    programmes, funders = scopes_of()
    clinic, *read = shared_out(period, [CLINIC, *programmes, *funders], tell)
    shares = read[: len(programmes)], read[len(programmes) :]
    return publication_of(clinic, shares, before, parts)


def publication_of(
    clinic: Extract,
    shares: Sequence[Sequence[Extract]],
    before: Publication | None = None,
    parts: Sequence[Publication] = (),
) -> Publication:
    """The same from what was read; each of `shares` shares the clinic out among its scopes."""
    cells = Cells()
    exact: dict[Key, Metric] = {}
    notes: dict[Key, str] = {}
    for data in (clinic, *(data for scopes in shares for data in scopes)):
        fill(cells, data)
        for metric in monthly_metrics(data, classes=False):
            key = (metric.scope, metric.measure, metric.metric)
            if metric.metric in MEANS:
                exact[key] = metric
            if metric.metric in HELD:
                notes[key] = metric.note
    for scopes in shares:
        cells.across([data.scope.name for data in scopes])
    counts = hide(
        cells,
        int(policies.get("small_cell_limit")),
        None if before is None else before.counts,
        [part.counts for part in parts],
    )
    # A funder is what it is called; a programme may be called something else tomorrow.
    named = (data.scope for scopes in shares for data in scopes)
    names = {s.key: s.name for s in named if s.programme is not None and s.programme.pk}
    return Publication(counts, dict(_means(exact, counts, before)), notes, names)


def _means(
    exact: Mapping[Key, Metric],
    counts: Mapping[Key, float | None],
    before: Publication | None,
) -> Iterator[tuple[Key, tuple[float | None, ...]]]:
    """Means to three digits, where the counts they are of are shown; kept while those are."""
    for key, metric in exact.items():
        of = [(key[0], key[1], name) for name in MEANS[key[2]]]
        if any(counts.get(each) is None for each in of):
            yield key, (None, None, None)
        elif (
            before is not None
            and key in before.means
            and all(before.counts.get(each) == counts[each] for each in of)
        ):
            yield key, before.means[key]
        else:
            values = (metric.value, metric.low, metric.high)
            bounds = (metric.worst, metric.best) if key[2] in WAITS else ()
            yield key, tuple(_digits(v) for v in (*values, *bounds))


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")


class _Writer:
    """Metrics of one scope from published counts."""

    def __init__(self, made: Publication, period: Period, scope: str, measure: str = "") -> None:
        self.made, self.key = made, (scope, measure)
        self.make = Maker(str(period), scope, measure)

    def n(self, name: str) -> float | None:
        return self.made.counts.get((*self.key, name))

    def known(self, *names: str) -> dict[str, int] | None:
        """These counts, or None where one of them is blank."""
        found = {name: self.n(name) for name in names}
        return None if None in found.values() else {k: int(v or 0) for k, v in found.items()}

    def count(self, metric: str, name: str, note: str = "") -> Metric:
        value = self.n(name)
        return self.make(metric, value, note=note or (BLANK if value is None else ""))

    def note(self, metric: str) -> str:
        return self.made.notes.get((*self.key, metric), "")

    def blank(self, metric: str) -> Metric:
        return self.make(metric, note=BLANK)

    def share(self, metric: str, name: str, of: str, note: str = "") -> Metric:
        c = self.known(name, of)
        if c is None or c[of] == 0:
            return self.blank(metric)
        return self.make.share(metric, min(c[name], c[of]), c[of], note)

    def bounded(
        self, metric: str, good: bool, names: tuple[str, str, str], note: str = ""
    ) -> Metric:
        c = self.known(*names)
        if c is None or c[names[1]] == 0:
            return self.blank(metric)
        total = c[names[2]]
        measured = min(c[names[1]], total)
        rate = improvement_rate if good else deterioration_rate
        return self.make.bounded(metric, rate(min(c[names[0]], measured), measured, total), note)

    def mean(self, metric: str) -> Metric:
        kept = self.made.means.get((*self.key, metric), (None, None, None))
        value, low, high = kept[:3]
        of = self.known(*MEANS[metric])
        if of is None or (value is None and metric not in OF_ALL):
            return self.blank(metric)
        n = sum(of.values())
        note = OF_ALL.get(metric) or self.note(metric)
        found = self.make(
            metric, value, low=low, high=high, denominator=n,
            coverage=next(iter(of.values())) / n if len(of) > 1 and n else None,
            note=f"{note}; {NOT_HALF}" if value is None else note,
        )  # fmt: skip
        c = self.known("waits", "waiting") if metric in WAITS else None
        if c is None:
            return found
        # Those who still wait are in its bounds, and count in what it covers.
        worst, best = kept[3:] or (None, None)
        coverage = c["waits"] / (c["waits"] + c["waiting"])
        return replace(found, coverage=coverage, worst=worst, best=best)

    def recovered(self, borrowed: bool) -> Metric:
        c = self.known("recovered", "clinical", "clinical_measured")
        if c is None or c["clinical_measured"] == 0:
            return self.blank("recovered")
        # Bounds for as many without any score as a blank may hide.
        c["no_score"] = int(self.n("no_score") or policies.get("small_cell_limit") - 1)
        c["clinical_measured"] = min(c["clinical_measured"], c["clinical"])
        c["recovered"] = min(c["recovered"], c["clinical_measured"])
        note = f"{PROVISIONAL}; {CLINICAL_STARTERS}" if borrowed else CLINICAL_STARTERS
        return self.make.bounded("recovered", recovered_of(c), note)


def published_metrics(made: Publication, period: Period, scope: Scope) -> list[Metric]:
    """The rows of a file that may leave the clinic, named as in the exact report."""
    w = _Writer(made, period, scope.name)
    bands = [key[2] for key in made.counts if key[0] == scope.name and key[2].startswith("age ")]
    metrics = [
        w.count("episodes_opened", "opened"),
        w.count("episodes_ended", "ended"),
        w.count("people_served", "served"),
        *(w.count("clients_by_age_group", band, band.removeprefix("age ")) for band in bands),
        w.count("collateral_raters", "raters"),
        *(
            w.mean(name)
            for name in MEANS
            if (scope.name, "", name) in made.means and name != "mean_first_outcome"
        ),
    ]
    for metric, ending in ENDING_RATES:
        c = w.known(ending, "ending known", "ended")
        if c is None or c["ending known"] == 0:
            metrics.append(w.blank(metric))
            continue
        known = min(c["ending known"], c["ended"])
        rate = ending_rate(ending, min(c[ending], known), known, c["ended"])
        metrics.append(w.make.bounded(metric, rate))
    metrics += [
        w.share(
            "stopped_lapsed",
            "lapsed",
            "could lapse",
            lapsed_of(int(policies.get("return_reopens_days"))),
        ),
        w.count("sessions_held", "attended"),
        w.share("sessions_entered_rate", "entered", "day has come", ENTERED_OF),
        w.bounded("no_show_rate", False, ("no_shows", "expected", "due")),
        w.bounded("cancelled_rate", False, ("late_cancels", "expected", "due")),
        w.bounded("both_measures_rate", True, ("both_measures", "attended", "sat or not entered")),
        w.count("referrals_received", "referred"),
        w.count("referrals_left", "left"),
        w.count("waiting_now", "waiting"),
        w.share("waiting_over_limit", "over", "waiting"),
    ]
    borrowed = measures.borrowed()
    for code in sorted({key[1] for key in made.counts if key[0] == scope.name and key[1]}):
        w = _Writer(made, period, scope.name, code)
        if w.n("ended") is None:
            continue  # that a measure is used by few is nobody's business
        metrics += [
            w.mean("mean_first_outcome"),
            w.mean("effect_size"),
            w.mean("severity_adjusted_effect_size"),
            w.mean("relative_effect_size"),
            w.bounded("reached_expected", True, ("reached", "judged", "ended"),
                      w.note("reached_expected")),
            w.recovered(code in borrowed),
            w.bounded("improved", True, ("improved", "measured", "ended"),
                      "reliably better, not recovered"),
            w.bounded("unchanged", False, ("unchanged", "measured", "ended")),
            w.bounded("deteriorated", False, ("deteriorated", "measured", "ended")),
            w.bounded("reliably_improved", True, ("better", "measured", "ended"),
                      "recovered included"),
            w.bounded("stopped_improved", True,
                      ("stopped_better", "stopped_measured", "stopped"),
                      "of those who stopped coming; recovered included"),
            w.bounded("stopped_unimproved", False,
                      ("stopped not better", "fate known", "ended"), STOPPED_OF),
            w.bounded("reliably_improved_clinical_starters", True,
                      ("clinical_better", "clinical_measured", "clinical"),
                      "of those who started on the clinical side; recovered included"),
        ]  # fmt: skip
    return metrics
