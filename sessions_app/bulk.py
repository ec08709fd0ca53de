"""Bulk reads and writes under row-level security, within the caller's transaction.

`COPY FROM` into a protected table is refused, so rows go into a temporary table and from there
by an ordinary insert, which the policies check. `COPY (query) TO` passes them like any query.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pandas as pd
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import connection, models

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
NULL = "\\N"
JSON = json.JSONEncoder(ensure_ascii=False).encode
ATTEMPTS = 5
PORTION = 50_000
MANY = 1_000  # so many new rows make what the planner knows of a small table wrong
GROWN = 5  # and of any table one new row in so many


class CannotReserve(RuntimeError):
    """Others took numbers from the same sequence each time we tried."""


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value.translate(ESCAPES)
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value)  # numbers, Decimals, dates, aware datetimes, UUIDs


def _bytes(value: Any) -> str:
    return "\\\\x" + bytes(value).hex()


def _json(value: Any) -> str:
    # A string is taken for JSON that somebody wrote already.
    text = value if isinstance(value, str) else JSON(value)
    return text.translate(ESCAPES)


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list | tuple):
        return _elements(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _plain(value)


def _elements(values: Sequence[Any]) -> str:
    return "{" + ",".join(map(_element, values)) + "}"


def _array(values: Sequence[Any]) -> str:
    return _elements(values).translate(ESCAPES)


def _numbers(values: Sequence[Any]) -> str:
    """As `_array`: Python writes a list of plain numbers as Postgres reads it."""
    if set(map(type, values)) <= {int, float}:
        return "{" + str(list(values))[1:-1] + "}"
    return _array(values)


# Nothing in what these hold needs an escape.
UNESCAPED = (
    models.IntegerField, models.FloatField, models.DecimalField, models.DateField,
    models.BooleanField, models.UUIDField,
)  # fmt: skip


def _writer(field: Any) -> Callable[[Any], str]:
    """How a field's values stand in COPY's text format."""
    if isinstance(field, models.JSONField):
        return _json
    if isinstance(field, ArrayField):
        numeric = isinstance(field.base_field, models.IntegerField | models.FloatField)
        return _numbers if numeric else _array
    if isinstance(getattr(field, "target_field", field), UNESCAPED):
        return str
    if isinstance(field, models.BinaryField):
        return _bytes
    return _plain


def _lines(writers: Sequence[Callable[[Any], str]], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as COPY reads them; nothing when there are none left."""
    return "".join(
        "\t".join(
            NULL if value is None else write(value)
            for write, value in zip(writers, row, strict=True)
        )
        + "\n"
        for row in rows
    )


def copy_rows(
    model: type[models.Model],
    fields: Sequence[str],
    rows: Iterable[Sequence[Any]],
    constants: Mapping[str, Any] | None = None,
) -> int:
    """Insert many rows of a model.

    Parameters
    ----------
    fields : sequence of str
        Field names (`client`, `client_id` and `id` alike). Every column without a database
        default must be here or among the constants; `auto_now_add` isn't one.
    rows : iterable of sequences
        Values in the order of `fields`, None for NULL. For a JSON field anything that JSON
        knows, or its text; for an array field a list or tuple.
    constants : mapping, optional
        Values that are the same in all rows: they aren't sent a million times.

    Returns
    -------
    int
        Rows inserted.
    """
    constants = dict(constants or {})
    copied = [model._meta.get_field(name) for name in fields]
    quoted = [f'"{field.column}"' for field in copied]
    same = [model._meta.get_field(name) for name in constants]
    values = [
        field.get_db_prep_save(value, connection)
        for field, value in zip(same, constants.values(), strict=True)
    ]
    table = model._meta.db_table
    temporary = f'"copy_{table}"'
    into = ", ".join(quoted + [f'"{field.column}"' for field in same])
    # A bare parameter in a SELECT has no type of its own.
    chosen = ", ".join(quoted + [f"CAST(%s AS {field.db_type(connection)})" for field in same])
    with _copied(model, copied, rows) as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({into}) SELECT {chosen} FROM {temporary}', values or None
        )
        inserted: int = cursor.rowcount
        if inserted >= MANY and _outgrown(cursor, f'"{table}"', inserted):
            # Autovacuum counts rows within minutes: until then what follows in the same night
            # or command would be planned as for the empty table.
            cursor.execute("SELECT outcomes_analyze(%s::regclass)", [f'"{table}"'])
    return inserted


def _outgrown(cursor: Any, table: str, inserted: int) -> bool:
    """Whether rows just inserted make a table another than the planner takes it for.

    A night that writes a large table block by block has it counted a few times, not each time.
    """
    cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])
    return bool(inserted > cursor.fetchone()[0] / GROWN)


def update_rows(
    model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Write new values of many rows, each found by its primary key.

    Parameters
    ----------
    fields : sequence of str
        Field names, as for `copy_rows`.
    rows : iterable of sequences
        The key, then the values in the order of `fields`.

    Returns
    -------
    int
        Rows updated: those there are, and that the policies let be seen.
    """
    key = model._meta.pk
    changed = [model._meta.get_field(name) for name in fields]
    table = model._meta.db_table
    new = ", ".join(f'"{field.column}" = new."{field.column}"' for field in changed)
    with _copied(model, [key, *changed], rows) as cursor:
        cursor.execute(
            f'UPDATE "{table}" AS old SET {new} FROM "copy_{table}" AS new '
            f'WHERE old."{key.column}" = new."{key.column}"'
        )
        updated: int = cursor.rowcount
    return updated


@contextmanager
def _copied(
    model: type[models.Model], fields: Sequence[Any], rows: Iterable[Sequence[Any]]
) -> Iterator[Any]:
    """A cursor beside a temporary table `copy_<table>` that holds these columns of these rows."""
    table = model._meta.db_table
    temporary = f'"copy_{table}"'
    writers = [_writer(field) for field in fields]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f'CREATE TEMPORARY TABLE {temporary} ON COMMIT DROP AS SELECT {columns} FROM "{table}" '
            "WITH NO DATA"
        )
        remaining = iter(rows)
        # In portions: a million rows as one text would take a gigabyte.
        while chunk := _lines(writers, islice(remaining, PORTION)):
            command = f"COPY {temporary} ({columns}) FROM STDIN"
            cursor.cursor.copy_expert(command, io.StringIO(chunk))
        yield cursor
        cursor.execute(f"DROP TABLE {temporary}")


def prefer_indexes() -> None:
    """Until the commit, look rows up by their index rather than read whole tables.

    The planner's own price of a look-up is that of a disk with moving heads. For a block of
    episodes it read all meetings the clinic ever had: with the clinic grew the time of each block.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL random_page_cost = 1.1")


@models.ForeignObject.register_lookup
@models.Field.register_lookup
class AnyOf(models.Lookup):  # type: ignore[type-arg]  # generic in the stubs alone
    """`column = ANY(array)`: thousands of ids as one parameter, where `in` sends one each."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        ids = ",".join(str(int(one)) for one in self.rhs)
        return f"{column} = ANY (%s::bigint[])", [*params, "{" + ids + "}"]


def read_frame(rows: models.QuerySet[Any], columns: Mapping[str, str]) -> pd.DataFrame:
    """Numbers and words of many rows as a frame, several times faster than row by row.

    Parameters
    ----------
    rows : QuerySet
    columns : mapping
        Lookup to column name. Dates and times arrive as their ISO text; a column of whole
        numbers with nulls as floats with NaN.

    Returns
    -------
    DataFrame
    """
    nothing = pd.DataFrame(columns=list(columns.values()))
    try:
        sql, params = rows.values_list(*columns).query.sql_with_params()
    except EmptyResultSet:  # a filter that nothing can meet has no SQL
        return nothing
    with connection.cursor() as cursor, tempfile.TemporaryFile() as text:
        query = cursor.cursor.mogrify(sql, params).decode()
        cursor.cursor.copy_expert(f"COPY ({query}) TO STDOUT WITH (FORMAT csv)", text)
        text.seek(0)
        try:
            return pd.read_csv(text, header=None, names=list(columns.values()))
        except pd.errors.EmptyDataError:
            return nothing


def copy_out(rows: models.QuerySet[Any], columns: Mapping[str, str], out: Any) -> int:
    """Write many rows as CSV with a header as fast as the database sends them; how many.

    Nothing is held: `out.write` is handed each block of bytes. Texts are the caller's to defuse.
    """
    named = rows.annotate(**{f"_{i}": models.F(path) for i, path in enumerate(columns)})
    sql, params = named.values_list(*(f"_{i}" for i in range(len(columns)))).query.sql_with_params()
    out.write((",".join(columns.values()) + "\n").encode())
    with connection.cursor() as cursor:
        query = cursor.cursor.mogrify(sql, params).decode()
        cursor.cursor.copy_expert(f"COPY ({query}) TO STDOUT WITH (FORMAT csv)", out)
        written: int = cursor.cursor.rowcount
    return written


def reserve_ids(model: type[models.Model], count: int) -> range:
    """`count` new primary keys of a model, one after the other, nobody else's.

    Each is drawn from the model's sequence, so an ordinary insert at the same moment can't get
    one of them; numbers drawn in vain are left out, as a rolled-back insert's are.

    Raises
    ------
    CannotReserve
        When others were in between at every attempt.
    """
    if count <= 0:
        return range(0)
    key = model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [model._meta.db_table, key])
        (sequence,) = cursor.fetchone()
        # Two loaders wait for one another rather than spoil each other's row of numbers.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [sequence])
        for _attempt in range(ATTEMPTS):
            cursor.execute(
                "SELECT min(n), max(n) FROM "
                "(SELECT nextval(%s) AS n FROM generate_series(1, %s)) AS drawn",
                [sequence, count],
            )
            first, last = cursor.fetchone()
            if last - first + 1 == count:
                return range(first, last + 1)
    raise CannotReserve(f"{count} ids in a row of {model._meta.label} were not to be had.")
