"""What another system is told of a score or a flag: codes and numbers, never a name or a text.

The scope is the one of a key for the same person: what they see, without records that rest.
"""

from __future__ import annotations

from typing import Any

from measures_app.models import Administration, Flag
from sessions_app import webhooks
from sessions_app.models import User


@webhooks.tells("score")
def score(subject: int, person: User) -> dict[str, Any] | None:
    row = (
        Administration.objects.visible_to(person)
        .unrestricted()
        .filter(pk=subject)
        .select_related("client", "measure", "respondent", "version")
        .first()
    )
    if row is None or row.total is None:
        return None
    return {
        "client": row.client.code,
        "episode": row.episode_id,
        "administration": row.pk,
        "session": row.session_id,
        "measure": row.measure.code,
        "respondent": row.respondent.relation,
        "taken_on": row.taken_on.isoformat(),
        "total": float(row.total),
        "supersedes": row.supersedes_id,
    }


@webhooks.tells("flag")
def flag(subject: int, person: User) -> dict[str, Any] | None:
    row = (
        Flag.objects.visible_to(person)
        .unrestricted()
        .filter(pk=subject)
        .select_related("client", "measure")
        .first()
    )
    if row is None:
        return None
    return {
        "client": row.client.code,
        "episode": row.episode_id,
        "flag": row.pk,
        "rule": row.rule,
        "kind": row.kind,
        "measure": row.measure.code if row.measure else None,
        "raised_on": row.raised_on.isoformat(),
    }
