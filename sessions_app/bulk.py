"""Bulk writes under row-level security.

`COPY FROM` into a protected table is refused, so rows go into a temporary table and from there
by an ordinary insert, which the policies check. Within the caller's transaction.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, models

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _array(values: Sequence[Any]) -> str:
    return "{" + ",".join("NULL" if v is None else str(v) for v in values) + "}"


def _text(value: Any) -> str:
    """A value as COPY's text format writes it."""
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes | memoryview):
        return "\\\\x" + bytes(value).hex()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False).translate(ESCAPES)
    if isinstance(value, list | tuple):
        return _array(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).translate(ESCAPES)


def copy_rows(
    model: type[models.Model], fields: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Insert many rows of a model.

    Parameters
    ----------
    fields : sequence of str
        Field names; every column without a database default must be among them.
    rows : iterable of sequences
        Values in the order of `fields`: a dict is JSON, a list or tuple an array (of a JSON
        field: wrap a list in a dict, or give its text).

    Returns
    -------
    int
        Rows inserted.
    """
    table = model._meta.db_table
    columns = ", ".join(f'"{model._meta.get_field(name).column}"' for name in fields)
    temporary = f"copy_{table}"
    buffer = io.StringIO()
    for row in rows:
        buffer.write("\t".join(map(_text, row)))
        buffer.write("\n")
    buffer.seek(0)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {temporary}")
        cursor.execute(
            f"CREATE TEMPORARY TABLE {temporary} ON COMMIT DROP AS "
            f"SELECT {columns} FROM {table} WITH NO DATA"
        )
        cursor.cursor.copy_expert(f"COPY {temporary} ({columns}) FROM STDIN", buffer)
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {temporary}")
        inserted: int = cursor.rowcount
        cursor.execute(f"DROP TABLE {temporary}")
    return inserted


def reserve_ids(model: type[models.Model], count: int) -> range:
    """`count` new primary keys of a model, one after the other, nobody else's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [model._meta.db_table])
        (sequence,) = cursor.fetchone()
        # One lock for the whole range: two loaders can't interleave.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [sequence])
        cursor.execute("SELECT nextval(%s)", [sequence])
        (first,) = cursor.fetchone()
        cursor.execute("SELECT setval(%s, %s)", [sequence, first + max(count, 1) - 1])
    return range(first, first + count)
