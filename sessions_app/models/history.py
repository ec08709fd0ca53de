"""What rows said before they were changed or taken away: kept by the database itself.

django-pghistory writes the triggers: each update of one of the columns below, and each delete,
adds a row with what stood there until then, when, and who acted, whatever code or SQL did it.
The application can neither write nor change these rows, and sees those of the rows it sees
(row_security_history.py). Chosen are rows that say who may see what and what happened in care,
as far as they can change at all: scores, decisions, policies, consent, measure versions and norms
can't (a correction is a new row). No column holds words about a client or anything that names
one, so an erasure has nothing to do here.
"""

from __future__ import annotations

from typing import Any

import pghistory
import pghistory.models
import pgtrigger
from django.db import models
from django.db.models import Value
from django.db.models.functions import Coalesce, Concat

from sessions_app.models.absences import Absence
from sessions_app.models.care import Assignment, Episode, Session
from sessions_app.models.organisation import Programme, RoleGrant, Supervision
from sessions_app.models.rights import Restriction, RetentionRule
from sessions_app.models.users import User


def _setting(name: str) -> Coalesce:
    read = models.Func(Value(name), Value(True), function="current_setting")
    return Coalesce(read, Value(""), output_field=models.TextField())


class Before(pghistory.models.Event):
    """A row as it stood; `pgh_obj` is the row of now, `pgh_label` what became of it."""

    # As the audit trail writes it: `user:` and a public id, `system:` and a name.
    pgh_actor = models.TextField(
        db_default=Concat(
            _setting("outcomes.actor"), Value(":"), _setting("outcomes.actor_ref"),
            output_field=models.TextField(),
        )
    )  # fmt: skip

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.pgh_label} {self.pgh_created_at:%Y-%m-%d %H:%M}"


def _before(model: type[models.Model], *fields: str, unless: str = "") -> Any:
    """The base of a history table: these columns of a model, as they were."""
    old, new = (", ".join(f"{row}.{_column(model, f)}" for f in fields) for row in ("OLD", "NEW"))
    changed = f"ROW({old}) IS DISTINCT FROM ROW({new})"
    return pghistory.create_event_model(
        model,
        pghistory.UpdateEvent(
            "changed",
            row=pghistory.Old,
            condition=pgtrigger.Condition(f"{changed} AND NOT ({unless})" if unless else changed),
        ),
        pghistory.DeleteEvent("taken away"),
        fields=list(fields),
        base_model=Before,
        obj_field=pghistory.ObjForeignKey(related_name="before"),
        context_field=None,
        model_name=f"{model.__name__}BeforeBase",
        meta={"ordering": ["pgh_id"]},
    )


def _column(model: type[models.Model], field: str) -> str:
    return str(model._meta.get_field(field).column)


class UserBefore(_before(User, "email", "name", "is_active")):  # type: ignore[misc]
    """Accounts: the password's hash and the PIN's stay out."""


class RoleGrantBefore(  # type: ignore[misc]
    _before(RoleGrant, "role", "scope", "site", "programme", "team", "from_on", "to_on")
):
    pass


class SupervisionBefore(  # type: ignore[misc]
    _before(Supervision, "supervisor", "clinician", "from_on", "to_on")
):
    pass


class AbsenceBefore(  # type: ignore[misc]
    _before(Absence, "clinician", "cover", "from_on", "to_on", "withdrawn_at")
):
    pass


class ProgrammeBefore(_before(Programme, "name", "restricted", "active")):  # type: ignore[misc]
    pass


class RetentionRuleBefore(_before(RetentionRule, "years", "from_on", "to_on")):  # type: ignore[misc]
    pass


class EpisodeBefore(  # type: ignore[misc]
    _before(
        Episode,
        "programme", "site", "purpose", "purpose_agreed_on", "problem", "funder", "opened_on",
        "care_began_on", "sessions_before", "closed_on", "ending",
    )
):  # fmt: skip
    """The clinic's own reference isn't kept: it may name somebody."""


class AssignmentBefore(  # type: ignore[misc]
    _before(Assignment, "clinician", "part", "from_on", "to_on")
):
    pass


class SessionBefore(  # type: ignore[misc]
    _before(Session, "held_on", "status", "obstacle", unless="OLD.status = 'booked'")
):
    """Attendance that was said otherwise before; that a booked session was held is no change."""


class RestrictionBefore(_before(Restriction, "reason", "from_on", "to_on")):  # type: ignore[misc]
    pass
