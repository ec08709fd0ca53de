"""The API keeps its own description, whatever is sent: tried by schemathesis, route by route."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.api import KINDS
from tests.cast import BY, Clinic

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
QUIET = [
    HealthCheck.function_scoped_fixture,
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
]


def _tried(examples: int) -> Any:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=QUIET,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )


@pytest.fixture
def _in_one_transaction() -> Iterator[None]:
    """As Django's own test client: a request's end leaves the test's connection open."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def described(clinic: Clinic, _in_one_transaction: None) -> Any:
    """The document as it is served, over a clinic in which Alice treats Ana."""
    from outcomes_site.wsgi import application

    with acting_as(BY):
        measures.sync_library()
        for session, total in zip(clinic.sessions["ana"], (24, 20, 18, 14, 11, 10), strict=True):
            measure_actions.record_administration(
                episode=clinic.episodes["ana"],
                session=session,
                measure=measures.get_measure("outcome-adult"),
                total=total,
                provenance="paper",
                by=BY,
            )
        run_night(clinic_time.today())
    with acting_as(clinic.alice):
        _key, text = actions.make_key(name="Trial", days=1, may_write=True, by=clinic.alice)
    headers = {"Authorization": f"Bearer {text}"}
    schema = schemathesis.openapi.from_wsgi(
        "/api/schema/?format=json", application, headers=headers
    )
    schema.headers_of_the_trial = headers
    return schema


def _try_one(operation: Any, headers: dict[str, str], examples: int) -> set[int]:
    statuses: set[int] = set()

    @_tried(examples)
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        case.headers = {**(case.headers or {}), **headers}
        statuses.add(case.call_and_validate(checks=CHECKS).status_code)

    holds()
    return statuses


def _try_all(described: Any, examples: int) -> dict[str, set[int]]:
    """Each route with the statuses that it answered, tried with so many bodies and questions."""
    answered = {}
    operations = [found.ok() for found in described.get_all_operations()]
    for operation in operations:
        route = f"{operation.method.upper()} {operation.path}"
        try:
            answered[route] = _try_one(operation, described.headers_of_the_trial, examples)
        except BaseException as problem:
            problem.add_note(route)
            raise
    return answered


def test_every_route_answers_as_its_description_says(described: Any) -> None:
    answered = _try_all(described, 25)
    assert len(answered) == 2 * len(KINDS) + 1
    # It was let in, and what it sent was read.
    assert all(200 in statuses for route, statuses in answered.items() if "{" not in route
               and route.startswith("GET"))  # fmt: skip
    assert {400} <= answered["POST /api/v1/administrations/"] <= {200, 201, 400, 409}


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
def test_every_route_answers_as_its_description_says_a_thousand_times(described: Any) -> None:
    assert _try_all(described, int(os.environ.get("OUTCOMES_FUZZ_EXAMPLES", "1000")))
