"""A double tap, a reload, two tabs and a retry give one write.

The key comes with the form or the request; the first arrival carries the work out and keeps its
result, the same key and body again replays that result, another body under the key is refused.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from sessions_app.atomic import as_a_whole
from sessions_app.context import actor_of
from sessions_app.models import Submission


class KeyReused(ValueError):
    """The key was used for another body: nothing was written (409)."""


@dataclass(frozen=True)
class Outcome:
    result: Any
    replayed: bool


def body_hash(body: Any) -> str:
    """Hash of a submission's content; the order of its fields doesn't matter."""
    text = json.dumps(body, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def replayed(*, key: uuid.UUID | str, body: Any, by: Any) -> Outcome | None:
    """What came of this submission when it was carried out before; None for a first arrival.

    Asked before a body is read: what was new at the first arrival isn't at the second.

    Raises
    ------
    KeyReused
        When the key came before with another body.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, body_hash FROM {Submission._meta.db_table} WHERE key = %s AND actor = %s",
            [str(key), str(actor_of(by))],
        )
        kept = cursor.fetchone()
    if kept is None:
        return None
    if kept[1] != body_hash(body):
        raise KeyReused("This form was sent before with other content.")
    return Outcome(Submission.objects.get(pk=kept[0]).result, True)


def once(*, key: uuid.UUID | str, body: Any, by: Any, perform: Callable[[], Any]) -> Outcome:
    """Carry out `perform` once for a key; a JSON-able result that it has is kept and replayed.

    A second arrival waits on the first one's row: it sees either the kept result or, when the
    first was taken back, does the work itself. `perform` runs in the same transaction.

    Raises
    ------
    KeyReused
        When the key came before with another body.
    """
    actor, digest = str(actor_of(by)), body_hash(body)
    with as_a_whole():
        first = _claimed(key, actor, digest)
        if first is None:
            kept = Submission.objects.select_for_update().get(key=key, actor=actor)
            if kept.body_hash != digest:
                raise KeyReused("This form was sent before with other content.")
            return Outcome(kept.result, True)
        result = perform()
        if result is not None:
            _keep_result(first, result)
        return Outcome(result, False)


def _keep_result(row: int, result: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {Submission._meta.db_table} SET result = %s WHERE id = %s",
            [json.dumps(result), row],
        )


def _claimed(key: uuid.UUID | str, actor: str, digest: str) -> int | None:
    """The row of a first arrival; None for a later one, which has waited for the first to end."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Submission._meta.db_table} (key, actor, body_hash, created_at) "
            "VALUES (%s, %s, %s, now()) ON CONFLICT (actor, key) DO NOTHING RETURNING id",
            [str(key), actor, digest],
        )
        row = cursor.fetchone()
        return None if row is None else int(row[0])
