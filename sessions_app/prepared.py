"""Queries set down as SQL once a process and asked again with other numbers.

For the few that a client waits for at each form: there Django took longer to write a query than
the database to answer it. What is asked stays a queryset; only its writing isn't repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

FEW = 4
# Stand in for the numbers while the SQL is written; no row has these.
_STAND_INS = [9_000_000_000_000_000_001 + place for place in range(FEW)]


class Prepared:
    """A query by row numbers: `build(numbers)` gives its queryset, with `...__in=numbers`.

    `rows` answers as `values_list` does, with the columns that `build` names by it; `objects` as
    the model's own rows, of a queryset that joins and defers nothing. Columns whose Python value
    isn't what the driver gives (JSON) don't belong here. Nothing but the numbers may differ
    between two askings: not the day, the language or the person. For more than a few numbers the
    queryset is asked as it is.
    """

    def __init__(self, build: Callable[[Collection[int]], QuerySet[Any]]) -> None:
        self._build = build
        self._written: dict[int, tuple[str, tuple[Any, ...], list[str], type[Model]]] = {}

    def _ask(self, numbers: Collection[int]) -> tuple[list[Any], list[str], type[Model]]:
        count = len(numbers)
        if count not in self._written:
            queryset = self._build(_STAND_INS[:count])
            sql, values = queryset.query.sql_with_params()
            names = [field.attname for field in queryset.model._meta.concrete_fields]
            self._written[count] = sql, values, names, queryset.model
        sql, values, names, model = self._written[count]
        given = dict(zip(_STAND_INS, numbers, strict=False))
        with connection.cursor() as cursor:
            # By type too: to Python a flag is a number, and equal to one.
            cursor.execute(sql, [given.get(v, v) if type(v) is int else v for v in values])
            return cursor.fetchall(), names, model

    def rows(self, numbers: Collection[int]) -> list[tuple[Any, ...]]:
        if not 0 < len(numbers) <= FEW:
            return list(self._build(numbers))
        return self._ask(numbers)[0]

    def objects(self, numbers: Collection[int]) -> list[Any]:
        if not 0 < len(numbers) <= FEW:
            return list(self._build(numbers))
        rows, names, model = self._ask(numbers)
        return [model.from_db(connection.alias, names, row) for row in rows]
