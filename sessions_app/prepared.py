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
from functools import cached_property
from itertools import count
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import IntegerField, Lookup, Model, QuerySet
from django.db.models.query import get_related_populators
from django.db.models.sql import InsertQuery
from psycopg2.extensions import AsIs

M = TypeVar("M", bound=Model)

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


def _plans_last() -> bool:
    return not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")


def _plan(name: str, numbered: Callable[[Any], str]) -> None:
    """Have the connection plan a statement, once: `numbered(cursor)` gives it with $1, $2, …"""
    line = connection.connection
    planned = _PLANNED.setdefault(line, set())
    if name in planned:
        return
    with connection.wrap_database_errors, line.cursor() as cursor:
        cursor.execute(f"PREPARE {name} AS {numbered(cursor)}")
    planned.add(name)


def _places(count: int) -> list[AsIs]:
    return [AsIs(f"${place}") for place in range(1, count + 1)]


def _execution(name: str, count: int) -> str:
    return f"EXECUTE {name} ({', '.join(['%s'] * count)})" if count else f"EXECUTE {name}"


class _Written:
    """One queryset's SQL, and the compiler that knows what its columns are."""

    def __init__(self, queryset: QuerySet[Any], stand_ins: Sequence[Any]) -> None:
        self.stand_ins = stand_ins
        self.compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        self.sql, self.values = self.compiler.as_sql()
        self.name = f"outcomes_{next(_NAMES)}"

    def ask(self, numbers: Collection[Any]) -> Iterable[Any]:
        with connection.cursor() as cursor:
            if _plans_last():
                _plan(self.name, self._numbered)
                cursor.execute(_execution(self.name, len(numbers)), list(numbers))
            else:
                cursor.execute(self.sql, self._with([*numbers]))
            found = cursor.fetchall()
        return self.compiler.results_iter([found], tuple_expected=True)

    def _with(self, given: Sequence[Any]) -> list[Any]:
        def of(value: Any) -> Any:
            # By type too: to Python a flag is a number, and equal to one.
            pairs = zip(self.stand_ins, given, strict=True)
            return next((new for old, new in pairs if type(old) is type(value) and old == value),
                        value)  # fmt: skip

        return [of(value) for value in self.values]

    def _numbered(self, cursor: Any) -> str:
        return cursor.mogrify(self.sql, self._with(_places(len(self.stand_ins)))).decode()  # type: ignore[no-any-return]

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


class PreparedInsert(Generic[M]):
    """New rows of a model, one at a time, by a statement written and planned once.

    Defaults, moments set by themselves and checks of the database are as with `objects.create`;
    no `save` of the model's own and no signal is called: for models that have neither.
    """

    def __init__(self, model: type[M]) -> None:
        self.model = model
        self.name = f"outcomes_{next(_NAMES)}"
        self._sql = ""

    @cached_property
    def _fields(self) -> list[Any]:
        meta = self.model._meta
        return [field for field in meta.local_concrete_fields if field is not meta.auto_field]

    def create(self, **values: Any) -> M:
        row = self.model(**values)
        query = InsertQuery(self.model)
        query.insert_values(self._fields, [row])
        compiler = query.get_compiler(DEFAULT_DB_ALIAS)
        if not self._sql:  # before values are taken: writing it down sets moments as well
            compiler.returning_fields = [self.model._meta.pk]
            ((self._sql, _values),) = compiler.as_sql()
        given = [
            compiler.prepare_value(field, compiler.pre_save_val(field, row))
            for field in self._fields
        ]
        with connection.cursor() as cursor:
            if _plans_last():
                _plan(self.name, self._numbered)
                cursor.execute(_execution(self.name, len(given)), given)
            else:
                cursor.execute(self._sql, given)
            row.pk = cursor.fetchone()[0]
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
        return row

    def _numbered(self, cursor: Any) -> str:
        return cursor.mogrify(self._sql, _places(len(self._fields))).decode()  # type: ignore[no-any-return]
