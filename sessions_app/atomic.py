"""All of an action is kept, or nothing of it.

Actions call actions: a session with its measures is six of them, and what came with a form's key
(submissions.py) is one too. Only the outermost sets a savepoint, to which a refusal takes
everything back; what goes wrong in an inner one ends the outer one too. An action that goes on
after a part of it was refused puts that part within a `transaction.atomic()` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import transaction

P = ParamSpec("P")
T = TypeVar("T")

_within: ContextVar[bool] = ContextVar("within an action", default=False)


@contextmanager
def as_a_whole() -> Iterator[None]:
    """What is written within is kept whole or not at all, alone or as a part of more."""
    with transaction.atomic(savepoint=not _within.get()):
        token = _within.set(True)
        try:
            yield
        finally:
            _within.reset(token)


def action(work: Callable[P, T]) -> Callable[P, T]:
    """A write that is kept whole or not at all, alone or as a part of another."""

    @wraps(work)
    def whole(*args: P.args, **kwargs: P.kwargs) -> T:
        with as_a_whole():
            return work(*args, **kwargs)

    return whole
