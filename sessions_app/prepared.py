"""Queries set down as SQL once a process and asked again with other numbers.

For the few that a client waits for at each form: there Django took longer to write a query than
the database to answer it. What is asked stays a queryset; only its writing isn't repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import QuerySet
from django.db.models.query import get_related_populators

FEW = 4
# Stand in for the numbers while the SQL is written; no row has these.
_STAND_INS = [9_000_000_000_000_000_001 + place for place in range(FEW)]


class _Written:
    """One queryset's SQL, and the compiler that knows what its columns are."""

    def __init__(self, queryset: QuerySet[Any]) -> None:
        self.compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        self.sql, self.values = self.compiler.as_sql()

    def ask(self, numbers: Collection[int]) -> Iterable[Any]:
        given = dict(zip(_STAND_INS, numbers, strict=False))
        with connection.cursor() as cursor:
            # By type too: to Python a flag is a number, and equal to one.
            cursor.execute(
                self.sql, [given.get(v, v) if type(v) is int else v for v in self.values]
            )
            found = cursor.fetchall()
        return self.compiler.results_iter([found], tuple_expected=True)

    def objects(self, numbers: Collection[int]) -> list[Any]:
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
    """A query by a few row numbers: `build(numbers)` gives its queryset.

    `rows` answers as `values_list` does, for a queryset that ends in it; `objects` with the
    model's own objects and what is joined by `select_related`. Nothing but the numbers may
    differ between two askings: not the day, the language or the person. With more numbers, or
    none, the queryset is asked as it is.
    """

    def __init__(self, build: Callable[[Any], QuerySet[Any]]) -> None:
        self._build = build
        self._written: dict[int, _Written] = {}

    def _for(self, count: int) -> _Written:
        if count not in self._written:
            self._written[count] = _Written(self._build(_STAND_INS[:count]))
        return self._written[count]

    def rows(self, numbers: Collection[int]) -> list[tuple[Any, ...]]:
        if 0 < len(numbers) <= FEW:
            return list(self._for(len(numbers)).ask(numbers))
        return list(self._build(numbers))

    def objects(self, numbers: Collection[int]) -> list[Any]:
        if 0 < len(numbers) <= FEW:
            return self._for(len(numbers)).objects(numbers)
        return list(self._build(numbers))
