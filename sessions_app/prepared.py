"""Queries written and planned once, and asked again with other numbers.

For the few that a client waits for at each form. Row-level security makes a join of seven tables
a statement with thirty conditions: Django took a millisecond to write it, Postgres five to plan it
and a half to answer it. What is asked stays a queryset; its SQL is kept by the process, its plan
by the connection (PREPARE). Policies are applied at each answering, as ever.

Behind a pooler that gives a connection to others between transactions nothing can be prepared:
Django's own setting for that, DISABLE_SERVER_SIDE_CURSORS, says so here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import IntegerField, Lookup, QuerySet
from django.db.models.query import get_related_populators
from psycopg2.extensions import AsIs

FEW = 6
# What stands in for a value of its place while the SQL is written; no row has these.
_STAND_INS: dict[type, Callable[[int], Any]] = {
    int: lambda place: 9_000_000_000_000_000_001 + place,
    float: lambda place: 9_000_000_000_000_001.5 + place,
    str: lambda place: f"\ue000 stands in {place}",
    list: lambda place: [9_000_000_000_000_000_001 + place],
    date: lambda place: date(9000, 1, 1 + place),
}
_NAMES = count(1)
# Which connection has planned what already; both go when the connection does.
_PLANNED: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


@IntegerField.register_lookup
class AnyOf(Lookup):  # type: ignore[type-arg]
    """`pk__any_of=[…]`: as `in`, with one value however many numbers there are."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, values = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*values, self.rhs]


class _Written:
    """One queryset's SQL, and the compiler that knows what its columns are."""

    def __init__(self, queryset: QuerySet[Any], stand_ins: Sequence[Any]) -> None:
        self.stand_ins = stand_ins
        self.compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        self.sql, self.values = self.compiler.as_sql()
        self.name = f"outcomes_{next(_NAMES)}"

    def ask(self, numbers: Collection[Any]) -> Iterable[Any]:
        with connection.cursor() as cursor:
            if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
                cursor.execute(self.sql, self._with([*numbers]))
            else:
                self._plan(connection.connection)
                places = ", ".join(["%s"] * len(numbers))
                cursor.execute(
                    f"EXECUTE {self.name} ({places})" if numbers else f"EXECUTE {self.name}",
                    list(numbers),
                )
            found = cursor.fetchall()
        return self.compiler.results_iter([found], tuple_expected=True)

    def _with(self, given: Sequence[Any]) -> list[Any]:
        def of(value: Any) -> Any:
            # By type too: to Python a flag is a number, and equal to one.
            pairs = zip(self.stand_ins, given, strict=True)
            return next((new for old, new in pairs if type(old) is type(value) and old == value),
                        value)  # fmt: skip

        return [of(value) for value in self.values]

    def _plan(self, line: Any) -> None:
        planned = _PLANNED.setdefault(line, set())
        if self.name in planned:
            return
        places = [AsIs(f"${place}") for place in range(1, len(self.stand_ins) + 1)]
        with connection.wrap_database_errors, line.cursor() as cursor:
            sql = cursor.mogrify(self.sql, self._with(places)).decode()
            cursor.execute(f"PREPARE {self.name} AS {sql}")
        planned.add(self.name)

    def objects(self, numbers: Collection[Any]) -> list[Any]:
        """Rows as objects with what the queryset joined, as Django's ModelIterable makes them."""
        select, info = self.compiler.select, self.compiler.klass_info
        first, last = info["select_fields"][0], info["select_fields"][-1] + 1
        names = [column[0].target.attname for column in select[first:last]]
        joined = get_related_populators(info, select, DEFAULT_DB_ALIAS)
        found = []
        for row in self.ask(numbers):
            one = info["model"].from_db(DEFAULT_DB_ALIAS, names, row[first:last])
            for populator in joined:
                populator.populate(row, one)
            found.append(one)
        return found


class Prepared:
    """A query by a few row numbers, or codes: `build(numbers)` gives its queryset.

    One of the few may be a list, for `any_of`, or a day; what is worked out from a day before it
    is asked must be one of its own.

    `rows` answers as `values_list` does, for a queryset that ends in it; `objects` with the
    model's own objects and what is joined by `select_related`. Nothing but the numbers may
    differ between two askings: not the day, the language or the person. With more numbers, or
    none, the queryset is asked as it is; `always` asks one that depends on none.
    """

    def __init__(self, build: Callable[[Any], QuerySet[Any]]) -> None:
        self._build = build
        self._written: dict[tuple[type, ...], _Written] = {}

    def _for(self, numbers: Collection[Any]) -> _Written:
        kinds = tuple(type(number) for number in numbers)
        if kinds not in self._written:
            stand_ins = [_STAND_INS[kind](place) for place, kind in enumerate(kinds)]
            self._written[kinds] = _Written(self._build(stand_ins), stand_ins)
        return self._written[kinds]

    def rows(self, numbers: Collection[Any]) -> list[tuple[Any, ...]]:
        if 0 < len(numbers) <= FEW:
            return list(self._for(numbers).ask(numbers))
        return list(self._build(numbers))

    def always(self) -> list[tuple[Any, ...]]:
        """Rows of a query without numbers; `build` is given none."""
        return list(self._for(()).ask(()))

    def objects(self, numbers: Collection[Any]) -> list[Any]:
        if 0 < len(numbers) <= FEW:
            return self._for(numbers).objects(numbers)
        return list(self._build(numbers))
