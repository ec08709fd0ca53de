"""Where the cast stands, and scenes played once a run: each in a database of its own.

Building the cast, or a clinic with its night, takes longer than most tests that look at it. It is
built once in a database of the run's own; each test works there in a transaction that is rolled
back, as it would in the run's first database.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, transaction

from sessions_app import clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, Clinic, build

Play = Callable[..., Any]
SCENES: dict[str, Play] = {}  # by the name of the fixture


def _with_the_cast(play: Play) -> bool:
    return bool(inspect.signature(play).parameters)


def scene(play: Play) -> Any:
    """A fixture played once a run: `play(clinic)` or `play()`, called within `acting_as`.

    What it returns is each test's own copy, and so is `clinic` beside it. Nothing but the
    database may be changed in it. A test that asks for two plays the second by itself.
    """
    name = play.__name__
    if name in SCENES:
        raise ValueError(f"There is a scene {name} already: a test couldn't say which it means.")
    SCENES[name] = play

    def played(on_stage: Placed | None, arguments: list[Clinic]) -> Any:
        if on_stage is not None and on_stage.scene == name:
            return on_stage.result
        with acting_as(BY):
            return play(*arguments)

    def with_the_cast(on_stage: Placed | None, clinic: Clinic) -> Any:
        return played(on_stage, [clinic])

    def alone(on_stage: Placed | None, db: Any) -> Any:
        return played(on_stage, [])

    found = with_the_cast if _with_the_cast(play) else alone
    found.__doc__ = play.__doc__
    found.scene = name  # type: ignore[attr-defined]
    return pytest.fixture(name=name)(found)


@dataclass
class Placed:
    """A test's own copy of who is where it works, and of what the scene there came to."""

    clinic: Clinic
    scene: str = ""
    result: Any = None


class Stage:
    """Databases of the run's own, made when the first test asks for them."""

    def __init__(self, migrated: str) -> None:
        self.migrated = migrated
        self.built_on = clinic_time.today()
        self._built: dict[str, tuple[Clinic, Any]] = {}
        self._made = ExitStack()

    def open(self, scene: str) -> Placed:
        """Turn to a scene, or to the cast alone ("")."""
        from tests.conftest import point_at

        if self.built_on != clinic_time.today():
            self.close()  # days are counted from today: all is made anew at midnight
        if scene not in self._built:
            self._make(scene)
        point_at(self._name(scene))
        return Placed(*deepcopy((self._built[scene][0], scene, self._built[scene][1])))

    def _name(self, scene: str) -> str:
        return f"test_{os.getpid()}_{scene or 'cast'}"[:63]

    def _make(self, scene: str) -> None:
        from tests.conftest import clone, point_at

        play = SCENES[scene] if scene else build
        template, clinic = self.migrated, None
        if scene and _with_the_cast(play):
            clinic = self.open("").clinic
            template = self._name("")
            connection.close()  # a database in use can't be copied
        self._made.enter_context(clone(template, self._name(scene)))
        point_at(self._name(scene))
        with acting_as(BY), transaction.atomic():
            result = play() if clinic is None else play(clinic)
            if scene:  # as in a test's own transaction, nothing is sent on
                connection.run_on_commit.clear()
        self._built[scene] = (clinic or result, result)

    def close(self) -> None:
        self._made.close()
        self._built.clear()
        self.built_on = clinic_time.today()


@pytest.fixture(scope="session")
def stage(django_db_setup: None, migrated_template: str, django_db_blocker: Any) -> Iterator[Stage]:
    found = Stage(migrated_template)
    yield found
    with django_db_blocker.unblock():
        found.close()


@pytest.fixture
def on_stage(
    request: pytest.FixtureRequest, stage: Stage, django_db_blocker: Any
) -> Iterator[Placed | None]:
    """Where this test works; None if it began in another database."""
    from tests.conftest import point_at

    before = connection.settings_dict["NAME"]
    if connection.in_atomic_block or "committed_database" in request.fixturenames:
        yield None
        return
    # By the function and not by the name: another module's fixture may be called the same.
    known = request.node._fixtureinfo.name2fixturedefs
    asked = [
        name
        for name in request.fixturenames
        if name in known and getattr(known[name][-1].func, "scene", "") == name
    ]
    if "clinic" in request.fixturenames:
        asked = [name for name in asked if _with_the_cast(SCENES[name])]
    with django_db_blocker.unblock():
        placed = stage.open(asked[0] if asked else "")
        yield placed
        point_at(before)
