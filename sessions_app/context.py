"""Who is acting: set in Python for the audit trail and in Postgres for row-level security.

The setting is local to a transaction, so a kept connection never carries one person's rights
into the next person's request. Work without a context is an error in the database, not an
empty page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from django.db import InternalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from sessions_app import clinic_time

T = TypeVar("T")


@dataclass(frozen=True)
class Actor:
    """A person, a named part of the system, a respondent's link, or nobody yet."""

    kind: str  # user | system | link | anonymous
    ref: str = ""
    user: Any = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.ref}" if self.ref else self.kind


ANONYMOUS = Actor("anonymous")

_current: ContextVar[Actor | None] = ContextVar("outcomes_actor", default=None)
_unit: ContextVar[dict[str, tuple[tuple[Any, ...], Any]] | None] = ContextVar(
    "outcomes_unit", default=None
)
_untold: ContextVar[bool] = ContextVar("outcomes_untold", default=False)
_after: ContextVar[list[Callable[[], None]] | None] = ContextVar("outcomes_after", default=None)


class NoActor(RuntimeError):
    """Clinical data was asked for outside `acting_as`."""


def system(name: str) -> Actor:
    """The named part of the system that works without a person: `night`, `import`."""
    return Actor("system", name)


def person(user: Any) -> Actor:
    """A signed-in user, by their random public id (audit rows outlive the account)."""
    return Actor("user", str(user.public_id), user)


def actor_of(by: Any) -> Actor:
    """Accept what callers pass as `by=`: a user or an actor."""
    return by if isinstance(by, Actor) else person(by)


def user_of(by: Any) -> Any:
    """The user behind `by=`; None for a part of the system."""
    return by.user if isinstance(by, Actor) else by


def current_actor() -> Actor:
    actor = _current.get()
    if actor is None:
        raise NoActor("Nobody is acting: wrap this work in sessions_app.context.acting_as(...).")
    return actor


def noted(name: str, read: Callable[[], T]) -> T:
    """What `read` gives, asked once in a unit of work (the outermost `acting_as`).

    For what is the same whoever acts in it and hardly ever changes: policies, measures, the plan.
    Whoever writes such a thing calls `forget`. What was read within a savepoint isn't trusted
    after it, as it may have been taken back. Outside a unit nothing is noted.
    """
    unit = _unit.get()
    if unit is None:
        return read()
    here = tuple(connection.savepoint_ids)
    if name in unit:
        within, value = unit[name]
        if here[: len(within)] == within:
            return cast(T, value)
    found = read()
    unit[name] = (here, found)
    return found


def promised_in_unit() -> dict[str, Any]:
    """What was promised once for the whole unit of work (outbox.py), by what it is."""
    unit = _unit.get()
    return {} if unit is None else unit.setdefault("promised", ((), {}))[1]  # type: ignore[no-any-return]


def once_answered(work: Callable[[], None]) -> None:
    """Do this when the answer is on its way, or now where nobody waits for one.

    For what may come too late or not at all: a message that is swept up each minute anyway.
    """
    waiting = _after.get()
    if waiting is None:
        work()
    else:
        waiting.append(work)


def forget(name: str) -> None:
    """The rest of the unit of work reads it anew."""
    (_unit.get() or {}).pop(name, None)


def _tell_postgres(actor: Actor | None) -> None:
    _untold.set(False)
    user_id = str(actor.user.pk) if actor and actor.user is not None else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('outcomes.actor', %s, true), "
            "set_config('outcomes.actor_ref', %s, true), "
            "set_config('outcomes.user_id', %s, true), "
            "set_config('outcomes.today', %s, true)",
            [
                actor.kind if actor else "",
                actor.ref if actor else "",
                user_id,
                clinic_time.today().isoformat(),
            ],
        )


def _tell_first(execute: Callable[..., Any], *statement: Any) -> Any:
    """Around each statement of a unit that began untold: the first is preceded by who acts."""
    if _untold.get():
        _tell_postgres(_current.get())
    return execute(*statement)


@contextmanager
def _told_when_asked() -> Iterator[None]:
    _untold.set(True)
    try:
        with connection.execute_wrapper(_tell_first):
            yield
    finally:
        _untold.set(False)


@contextmanager
def acting_as(by: Any, *, at_once: bool = True) -> Iterator[Actor]:
    """Open a unit of work: a transaction in which `by` is who the database sees.

    Not `at_once`: the database is told before the unit's first statement, and never where the
    first thing a unit says is that somebody else acts. Until then nobody acts there, which opens
    nothing.
    """
    actor = actor_of(by)
    outer = _current.get()
    known = outer == actor and connection.in_atomic_block
    remembered = None if connection.in_atomic_block and outer is not None else _unit.set({})
    try:
        with transaction.atomic():
            token = _current.set(actor)
            try:
                if not known and at_once:
                    _tell_postgres(actor)
                with nullcontext() if known or at_once else _told_when_asked():
                    yield actor
            finally:
                _current.reset(token)
    finally:
        # What is set for a transaction outlives a savepoint: a nested unit hands its caller's
        # rights back. A transaction that is over, or broken, has nothing to hand back.
        if not known and connection.in_atomic_block and not connection.needs_rollback:
            _tell_postgres(outer)
        if remembered is not None:
            _unit.reset(remembered)


@contextmanager
def speaking_as(by: Any, *, then: Any = None) -> Iterator[Actor]:
    """A nested unit without a savepoint of its own: what goes wrong in it ends the outer one.

    For parts of a request whose failure is the request's; a fifth of a form's time went into
    marking places to which nothing ever returned. `then`: who acts in the rest of the outer unit,
    in place of whoever did before; nobody, until a link said whose form it is.
    """
    if not connection.in_atomic_block:
        with acting_as(by) as actor:
            yield actor
        return
    actor, outer = actor_of(by), _current.get()
    if actor == outer and then is None:
        yield actor
        return
    token, after = _current.set(actor), outer
    _tell_postgres(actor)
    try:
        yield actor
        after = outer if then is None else actor_of(then)
    finally:
        _current.reset(token)
        if after != outer:
            _current.set(after)  # until the outer unit ends, which puts back what was before it
        if not connection.needs_rollback:
            with suppress(InternalError):  # a statement failed: nothing more can be said
                _tell_postgres(after)


def streamed(by: Any, rows: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """Stream a body within its own unit of work: the request's is over when bytes flow."""
    with acting_as(by):
        yield from rows()


class ActorMiddleware:
    """One transaction and one actor a request; an error in a view takes its writes back.

    Hours on its pages are the clinic's: what is stored is UTC.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        actor = person(user) if user is not None and user.is_authenticated else ANONYMOUS
        token = _after.set([])
        try:
            # Nobody yet: a link will say whose form it is before anything is asked.
            at_once = actor is not ANONYMOUS
            with acting_as(actor, at_once=at_once), timezone.override(clinic_time.zone()):
                response = self.get_response(request)
                if response.status_code >= 500:
                    transaction.set_rollback(True)
        finally:
            waiting = _after.get() or []
            _after.reset(token)
        if waiting:
            _do_once_sent(response, waiting)
        return response


def _do_once_sent(response: HttpResponse, waiting: list[Callable[[], None]]) -> None:
    """A server closes a response when its last byte is written (PEP 3333)."""
    close = response.close

    def close_and_do() -> None:
        close()
        while waiting:  # closed twice, it is done once
            waiting.pop(0)()

    response.close = close_and_do  # type: ignore[method-assign]
