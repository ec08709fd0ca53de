"""What a person's roles let them do. Which rows they do it with is another question: access.py."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q

from sessions_app import clinic_time
from sessions_app.prepared import Prepared

if TYPE_CHECKING:
    from sessions_app.models import RoleGrant

CLINICIAN, SUPERVISOR = "clinician", "supervisor"
DIRECTOR, FRONT_DESK, ADMINISTRATOR = "director", "front_desk", "administrator"

# Roles are data. Rights are what a door asks for.
RIGHTS: dict[str, frozenset[str]] = {
    CLINICIAN: frozenset(
        {"see_clinical", "enter_scores", "record_sessions", "decide", "close_episode", "see_rules"}
    ),
    SUPERVISOR: frozenset(
        {"see_clinical", "review", "decide", "transfer", "enter_scores", "see_rules", "look_back"}
    ),
    DIRECTOR: frozenset(
        {"see_aggregates", "export_reports", "enter_months", "see_rules", "look_back"}
    ),
    FRONT_DESK: frozenset({"see_registry", "register_clients", "schedule", "record_attendance"}),
    ADMINISTRATOR: frozenset(
        {
            "manage_people",
            "manage_programmes",
            "manage_measures",
            "manage_policies",
            "enter_months",
            "import_scores",
            "see_audit",
            "see_rules",
            "look_back",
        }
    ),
}


def _grants(users: Any) -> models.QuerySet[Any]:
    from sessions_app.models import RoleGrant

    return RoleGrant.objects.filter(user__in=users)


_GRANTS = Prepared(_grants)


def grants_of(user: Any) -> list[RoleGrant]:
    """The user's grants in force today; read once per user object (so once a request)."""
    today = clinic_time.today()
    cached = getattr(user, "_grants_in_force", None)
    if cached is None or cached[0] != today:
        known = user is not None and user.is_authenticated
        rows = [
            grant
            for grant in (_GRANTS.objects([user.pk]) if known else ())
            if grant.from_on <= today and (grant.to_on is None or grant.to_on >= today)
        ]
        cached = (today, rows)
        if user is not None:
            user._grants_in_force = cached
    return cached[1]


def roles(user: Any) -> frozenset[str]:
    grants = grants_of(user)
    known = getattr(user, "_roles_in_force", None)
    if known is None or known[0] is not grants:  # a page asks forty times
        known = (grants, frozenset(grant.role for grant in grants))
        if user is not None:
            user._roles_in_force = known
    return known[1]


def may(user: Any, right: str) -> bool:
    """Whether any of the user's roles carries the right. Systems may all they are coded to.

    Whoever holds a respondent's link may answer; row-level security says about whom.
    """
    if getattr(user, "kind", None) == "system":
        return True
    if getattr(user, "kind", None) == "link":
        return right == "enter_scores"
    user = getattr(user, "user", None) or user  # an actor stands for its user
    return any(right in RIGHTS[role] for role in roles(user))


def require(user: Any, right: str) -> None:
    """Raise PermissionDenied unless the user (or the actor's user) has the right."""
    if not may(user, right):
        raise PermissionDenied(f"This needs the right to {right.replace('_', ' ')}.")


def needs(*rights: str) -> Any:
    """View decorator: signed in and holding one of the rights, else sign-in or 404.

    A page outside one's role looks as absent as a client outside one's scope.
    """

    def decorate(view: Any) -> Any:
        @wraps(view)
        def guarded(request: Any, *args: Any, **kwargs: Any) -> Any:
            from django.contrib.auth.views import redirect_to_login
            from django.http import Http404

            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not any(may(request.user, right) for right in rights):
                raise Http404
            return view(request, *args, **kwargs)

        guarded.needs_rights = rights
        return guarded

    return decorate


def in_force(today: Any) -> Q:
    """Rows with `to_on` that still hold on the day."""
    return Q(to_on=None) | Q(to_on__gte=today)
