"""The append-only record of who did or saw what. Plain inserts; a sealer chains them later."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from sessions_app.context import actor_of, current_actor


@cache
def _events() -> Any:
    from sessions_app.models import AuditEvent
    from sessions_app.prepared import PreparedInsert

    return PreparedInsert(AuditEvent)


def record(
    action: str, *, subject_kind: str = "", subject: Any = "", by: Any = None, **detail: Any
) -> None:
    """Write one audit row in the current transaction.

    `subject` is a random code or public id, never a name; `detail` holds codes and counts.
    """
    actor = actor_of(by) if by is not None else current_actor()
    _events().create(
        actor=str(actor),
        action=action,
        subject_kind=subject_kind,
        subject=str(subject),
        detail=detail,
    )


def client_read(client: Any, what: str, *, by: Any = None) -> None:
    """A person opened a client's record: `what` names the page or file."""
    record("read", subject_kind="client", subject=client.code, by=by, what=what)


def sees_numbers_of(clinician: Any, what: str, *, by: Any = None) -> None:
    """A person looked at a clinician's numbers: shown to that clinician."""
    record("read", subject_kind="clinician", subject=clinician.code, by=by, what=what)


def sees_team(clinicians: Iterable[Any], what: str) -> None:
    """A person looked at the numbers of several clinicians: shown to each, in one statement."""
    from sessions_app.models import AuditEvent

    actor = str(current_actor())
    AuditEvent.objects.bulk_create(
        AuditEvent(
            actor=actor,
            action="read",
            subject_kind="clinician",
            subject=clinician.code,
            detail={"what": what},
        )
        for clinician in clinicians
    )
