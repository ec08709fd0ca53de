"""Tables by group, kept as a period's figures are (`kept`): the flow, and outcomes by group."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from measures_app.psychometrics.rates import BoundedRate, Interval
from measures_app.psychometrics.waits import WaitQuantile
from reports_app import flow as flows
from reports_app import funnel as funnels
from reports_app import groups, kept
from reports_app.extract import CLINIC, Scope
from reports_app.flow import Flow, In, Out
from reports_app.groups import Group, Table
from reports_app.kept import Content, Since
from reports_app.lengths import Length
from reports_app.periods import Month, Period
from sessions_app import policies
from sessions_app.models import Programme, Site

FLOW, GROUPS, FUNNEL = "flow", "groups", "funnel"
OPENED_FIRST = {FLOW: "programme", GROUPS: "age", FUNNEL: "programme"}
FORM = 5  # of what is kept: another one than was written is counted again


def _json(value: Any) -> Any:
    """As JSON has it, which knows no infinity: a wait without end is its word."""
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _numbers(cls: type[Any]) -> Callable[[dict[str, Any] | None], Any]:
    """Reads a small object of numbers back."""

    def read(row: dict[str, Any] | None) -> Any:
        if row is None:
            return None
        return cls(**{k: float(v) if isinstance(v, str) else v for k, v in row.items()})

    return read


_wait, _rate, _interval = _numbers(WaitQuantile), _numbers(BoundedRate), _numbers(Interval)


def _in(row: dict[str, Any]) -> In:
    waits = {name: _wait(row[name]) for name in ("median", "ninth")}
    of_all = {name: Length.from_json(row[name]) for name in ("offer_all", "seen_all")}
    return In(**row | waits | of_all)


def _out(row: dict[str, Any]) -> Out:
    rates = {name: _rate(row[name]) for name in ("planned", "stopped")}
    rest = {
        "no_show_between": _interval(row["no_show_between"]),
        "length": Length.from_json(row["length"]),
    }
    return Out(**row | rates | rest)


def _flow(content: Content) -> Flow:
    return Flow(
        into=[_in(row) for row in content["into"]],
        into_all=_in(content["into_all"]),
        out=[_out(row) for row in content["out"]],
        out_all=_out(content["out_all"]),
        limit_days=content["limit_days"],
    )


def _group(row: dict[str, Any]) -> Group:
    return Group(**row | {name: _rate(row[name]) for name in ("improved", "stopped")})


def _tables(content: Content) -> list[Table]:
    return [
        Table(table["measure"], _group(table["everybody"]), [_group(g) for g in table["groups"]])
        for table in content["tables"]
    ]


PLACES: dict[str, Any] = {"programme": Programme, "site": Site}


def _held_to(period: Period, kind: str) -> dict[str, Any]:
    """What else a table depends on and no month notes: a place's name, for one."""
    what, _, by = kind.partition(" ")
    found: dict[str, Any] = {"limit": int(policies.get("small_cell_limit")), "form": FORM}
    if what == FLOW:
        found["waiting_limit"] = policies.get("waiting_limit_days", period.end)
    if by in PLACES:
        names = PLACES[by].objects.order_by("pk").values_list("name", flat=True)
        found["places"] = list(names)
    return found


def _made(period: Period, kind: str, scope: Scope, limit: int) -> Content:
    what, _, by = kind.partition(" ")
    if what == FLOW:
        return dict(_json(asdict(flows.flow(period, by, limit, scope))))
    if what == FUNNEL:
        return funnels.count(period, by, scope).as_json()
    tables = groups.tables(period, by, limit, scope)
    return {"tables": [_json(asdict(table)) for table in tables]}


def _shown(period: Period, kind: str, scope: Scope) -> tuple[Content, Since | None]:
    held_to = _held_to(period, kind)

    def make() -> Content:
        return _made(period, kind, scope, held_to["limit"])

    if not period.whole_months:
        return make(), None
    return kept.newest(f"{period} {kind}", period, scope, held_to, make)


def flow(period: Period, by: str, scope: Scope) -> tuple[Flow, Since | None]:
    """A period's flow as last kept, and since when; as one who may see aggregates."""
    content, since = _shown(period, f"{FLOW} {by}", scope)
    return _flow(content), since


def tables(period: Period, by: str, scope: Scope) -> tuple[list[Table], Since | None]:
    """A period's outcomes by group as last kept, and since when; as one who may see aggregates."""
    content, since = _shown(period, f"{GROUPS} {by}", scope)
    return _tables(content), since


def funnel(period: Period, by: str, scope: Scope) -> tuple[funnels.Funnel, Since | None]:
    """Programmes or sites against one another, as last kept, and since when."""
    content, since = _shown(period, f"{FUNNEL} {by}", scope)
    return funnels.Funnel.from_json(content), since


def make_again(period: Period, kind: str, scope: Scope) -> None:
    """As they hold now, kept for the next reader."""
    held_to = _held_to(period, kind)
    kept.exact(
        f"{period} {kind}", period, scope, held_to,
        lambda: _made(period, kind, scope, held_to["limit"]),
    )  # fmt: skip


def make_opened_first(running: Month) -> None:
    make_again(running.previous(), f"{FLOW} {OPENED_FIRST[FLOW]}", CLINIC)
    for table in (GROUPS, FUNNEL):
        make_again(running.year, f"{table} {OPENED_FIRST[table]}", CLINIC)
