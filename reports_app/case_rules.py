"""How rows are written so that nobody is recognised: what is common enough, and what is cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet

from measures_app.strata import age_band
from reports_app.case_columns import READ
from reports_app.deidentify import GROUPED, common, generalised, highest
from reports_app.models import EpisodeSummary

# By what a person could be recognised: no combination of them is of fewer than the clinic's limit.
# A combination that is too rare loses the last of these first.
RECOGNISED_BY = ("programme", "age_group", "gender", "problem", "site", "funder")
RARE_ONE_BY_ONE = (*RECOGNISED_BY, "purpose", "ending", "respondent", "measure")
LATER = ("first_session_on", "last_session_on", "closed_on")
COUNTED = ("sessions", "no_shows", "late_cancels", "scores")


def values_of(row: dict[str, Any]) -> dict[str, Any]:
    """A summary's values under the columns' names."""
    named = {name: row[path] for name, path in READ.items()}
    named["age_group"] = age_band(named["age_group"])
    return named | {"measure": named["measure"] or ""}


@dataclass
class Rules:
    """How values are written: what is common enough, and what each combination becomes."""

    least: int
    common: dict[str, set[Any]]
    tops: dict[str, int]
    longest: timedelta  # from the opening: later days are written as that one
    written: dict[tuple[Any, ...], tuple[Any, ...] | None]
    grouped: dict[str, int]  # column -> how many of its values are grouped

    def plain(self, values: dict[str, Any]) -> dict[str, Any]:
        """With rare single values grouped, and high counts cut."""
        found = dict(values)
        for name, kept in self.common.items():
            if found[name] not in kept:
                found[name] = GROUPED
        for name, top in self.tops.items():
            found[name] = min(found[name], top)
        for name in LATER:
            if found[name] is not None:
                found[name] = min(found[name], self.last_day(values["opened_on"]))
        return found

    def last_day(self, opened_on: date) -> date:
        """The last day of care that is told: longer ones are too rare."""
        return opened_on + self.longest

    def of(self, values: dict[str, Any]) -> dict[str, Any] | None:
        """As the file has it; None where the person could be recognised however little is said."""
        found = self.plain(values)
        written = self.written.get(tuple(found[name] for name in RECOGNISED_BY))
        if written is None:
            return None
        return found | dict(zip(RECOGNISED_BY, written, strict=True))


def rules_of(rows: QuerySet[EpisodeSummary], least: int) -> Rules:
    """Read all once for the single values and once for the combinations.

    People are counted by their first episode: a value or combination is of at least as many.
    """

    def firsts() -> Iterator[dict[str, Any]]:
        last = None
        ordered = rows.order_by("client_id", "opened_on", "pk")
        for row in ordered.values("client_id", *READ.values()).iterator(chunk_size=2000):
            if row["client_id"] != last:
                last = row["client_id"]
                yield values_of(row)

    counts: dict[str, Counter[Any]] = {n: Counter() for n in (*RARE_ONE_BY_ONE, *COUNTED)}
    lengths: Counter[int] = Counter()
    for values in firsts():
        for name, counter in counts.items():
            counter[values[name]] += 1
        days = [values[name] for name in LATER if values[name] is not None]
        lengths[(max(days) - values["opened_on"]).days if days else 0] += 1
    kept = {name: common(counts[name], least) for name in RARE_ONE_BY_ONE}
    tops = {name: highest(counts[name], least) for name in COUNTED}
    grouped = {name: len(counts[name]) - len(kept[name]) for name in RARE_ONE_BY_ONE}
    longest = timedelta(days=highest(lengths, least))
    rules = Rules(least, kept, tops, longest, {}, grouped)
    classes: Counter[tuple[Any, ...]] = Counter()
    for values in firsts():
        plain = rules.plain(values)
        classes[tuple(plain[name] for name in RECOGNISED_BY)] += 1
    rules.written = generalised(classes, least, range(len(RECOGNISED_BY) - 1, -1, -1))
    return rules


def told(rules: Rules, left_out: int) -> Iterator[tuple[str, str]]:
    for name, n in rules.grouped.items():
        if n:
            yield name, f'{n} of its values read "{GROUPED}"'
    for name, top in rules.tops.items():
        yield name, f"{top} stands for {top} or more"
    days = rules.longest.days
    yield "closed_on", f"no day is later than {days} days after opened_on, in either file"
    yield "total", f"of a series no more than the first {rules.tops['scores']} scores"
    places = {
        name: sum(written is not None and written[i] == GROUPED != each[i]
                  for each, written in rules.written.items())
        for i, name in enumerate(RECOGNISED_BY)
    }  # fmt: skip
    for name, n in places.items():
        if n:
            yield name, f'"{GROUPED}" as well in {n} of {len(rules.written)} combinations'
    if left_out:
        few = left_out < rules.least
        said = f"fewer than {rules.least}" if few else str(left_out)
        yield "episodes", f"{said} left out: too rare whatever is grouped"
