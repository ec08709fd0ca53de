"""What the site writes of its work holds nothing of a client, and numbers each request."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client as Browser
from django.test import override_settings

from outcomes_site import logs, metrics
from reports_app.views import clients as client_views
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, PASSWORD, Clinic
from tests.pages.test_doors import DOORS, places  # noqa: F401 - a fixture


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is written, in the site's own form and as closely as anybody would set it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logs.Lines())
    root, levels = logging.getLogger(), {}
    for name in ("", "django.request", "django.db.backends", "outcomes.request", "axes"):
        levels[name] = logging.getLogger(name).level
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield text
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def _lines(text: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.getvalue().splitlines()]


def test_nothing_of_a_client_is_in_the_log_whatever_is_opened(
    places: dict[str, Any],  # noqa: F811 - the fixture
    clinic: Clinic,
    browser_of: Callable[[str], Browser],
    written: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with acting_as(BY):
        soon = clinic_time.now() + timedelta(hours=1)
        session = actions.book_session(episode=clinic.episodes["ana"], starts_at=soon, by=BY)
        person = clinic.ana.respondents.get(relation="self")
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    alice = browser_of("alice")
    for door in DOORS:
        alice.get(door.format(**places))
    alice.post("/clients/", {"text": "Oliveira"})
    alice.post(f"/clients/{clinic.ana.code}/ending/", {"ending": "Oliveira", "on": "Ana"})
    browser_of("fred").post("/clients/new/", {"name": "Ana Oliveira", "email": "ana@mail.example"})
    Browser().get(f"/m/{token}/")
    Browser().post(f"/m/{token}/", {"item": "Ana"})
    Browser().get(f"/m/{token}x/")
    Browser().post("/sign-in/", {"username": "alice@clinic.example", "password": PASSWORD + "x"})

    def breaks(*args: Any, **kwargs: Any) -> Any:
        try:
            raise IntegrityError("Key (name)=(Ana Oliveira) already exists")
        except IntegrityError as problem:
            raise ValueError(f"Ana Oliveira {clinic.ana.code}") from problem

    monkeypatch.setattr(client_views.audit, "client_read", breaks)
    alice.raise_request_exception = False
    assert alice.get(f"/clients/{clinic.ana.code}/").status_code == 500
    text = written.getvalue()
    assert len(text) > 10_000
    for secret in ("Oliveira", "mail.example", clinic.ana.code, token, "alice@clinic", PASSWORD):
        assert secret not in text, secret
    broken = next(line for line in _lines(written) if "error" in line)
    assert broken["message"] == "Internal Server Error"
    assert broken["error"] == ["ValueError", "IntegrityError"]
    assert any("reports_app/views/clients.py" in place for place in broken["passed"])


def test_each_request_has_a_number_that_its_lines_its_page_and_its_answer_carry(
    clinic: Clinic,
    browser_of: Callable[[str], Browser],
    written: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = browser_of("alice")
    alice.raise_request_exception = False
    given = alice.get("/today/", headers={"x-request-id": "proxy-made-0001"})
    assert given["X-Request-ID"] == "proxy-made-0001"
    made_up = alice.get("/today/", headers={"x-request-id": "Ana Oliveira <b>"})
    assert len(made_up["X-Request-ID"]) == 32
    monkeypatch.setattr(client_views.audit, "client_read", None)
    broken = alice.get(f"/clients/{clinic.ana.code}/")
    number = broken["X-Request-ID"]
    assert number in broken.content.decode()
    mine = [line for line in _lines(written) if line.get("request_id") == number]
    assert {"outcomes.request", "django.request"} <= {line["logger"] for line in mine}
    own = next(line for line in mine if line["logger"] == "outcomes.request")
    assert (own["view"], own["status"]) == ("client", 500)
    assert own["ms"] > 0


def _away(*args: Any, **kwargs: Any) -> Any:
    raise OperationalError("could not connect")


@pytest.mark.parametrize(
    ("status", "says"),
    [(400, "cut off"), (413, "too large"), (500, "taken back as a whole"), (503, "half a minute")],
)
def test_error_pages_say_what_became_of_it_and_what_to_do(
    status: int,
    says: str,
    clinic: Clinic,
    browser_of: Callable[[str], Browser],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice = browser_of("alice")
    alice.raise_request_exception = False
    if status == 400:
        answer = Browser().get("/today/", headers={"host": "elsewhere.example"})
    elif status == 413:
        with override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=2):
            answer = alice.post("/messages/", {"a": 1, "b": 2, "c": 3})
    else:
        monkeypatch.setattr(client_views.audit, "client_read", None if status == 500 else _away)
        answer = alice.get(f"/clients/{clinic.ana.code}/")
    assert answer.status_code == status
    assert says in answer.content.decode()
    assert answer["X-Request-ID"] in answer.content.decode()
    assert (status == 503) == ("Retry-After" in answer)
    machine = alice.get("/api/v1/clients/", headers={"host": "elsewhere.example"})
    assert machine.json()["request_id"] == machine["X-Request-ID"]


def test_metrics_count_by_view_and_say_what_waits(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    def count() -> float:
        found = metrics.OWN.get_sample_value(
            "outcomes_requests_total", {"view": "caseload", "method": "GET", "status": "200"}
        )
        return found or 0.0

    before = count()
    browser_of("alice").get("/caseload/")
    browser_of("alice").get(f"/clients/{clinic.ana.code}/")
    assert count() == before + 1
    text = Browser().get("/metrics").content.decode()
    assert 'outcomes_request_seconds_bucket{le="0.5",view="client"}' in text
    for name in ("outbox_unsent", "outbox_overdue_seconds", "night_age_days -1.0",
                 "audit_unsealed", 'jobs{state="waiting"}'):  # fmt: skip
        assert f"outcomes_{name}" in text
    assert clinic.ana.code not in text


def test_metrics_are_for_this_machine_or_the_key(clinic: Clinic, settings: Any) -> None:
    assert Browser(REMOTE_ADDR="192.0.2.7").get("/metrics").status_code == 404
    proxied = Browser(headers={"x-forwarded-for": "192.0.2.7"})
    assert proxied.get("/metrics").status_code == 404
    settings.METRICS_KEY = "a key of the clinic's own"
    assert Browser().get("/metrics").status_code == 404
    for key, status in (("a key of the clinic's own", 200), ("another", 404)):
        asked = proxied.get("/metrics", headers={"authorization": f"Bearer {key}"})
        assert asked.status_code == status
