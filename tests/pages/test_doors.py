"""Every door, every role: what may be opened, and what looks absent."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, get_resolver

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Installation
from tests.cast import BY, ROLES, Clinic

# door -> {role: status}; roles in the order of ROLES:
#        alice (treats Ana), sofia (supervises Alice), dora, fred, adam, ruth (stranger)
DOORS: dict[str, tuple[int, int, int, int, int, int]] = {
    "/": (302, 302, 302, 302, 302, 302),
    "/today/": (200, 404, 404, 404, 404, 200),
    "/backlog/": (200, 404, 404, 404, 404, 200),
    "/schedule/": (200, 404, 404, 200, 404, 200),
    "/caseload/": (200, 200, 404, 404, 404, 200),
    "/caseload/hand-over/": (404, 200, 404, 404, 404, 404),
    "/clients/": (200, 200, 404, 200, 404, 200),
    "/clients/new/": (404, 404, 404, 200, 404, 404),
    "/waiting/": (404, 404, 404, 200, 404, 404),
    "/waiting/new/": (404, 404, 404, 200, 404, 404),
    "/waiting/{referral}/": (404, 404, 404, 200, 404, 404),
    "/clients/{ana}/": (200, 200, 404, 404, 404, 404),
    "/clients/{ana}/case-review.pdf": (200, 200, 404, 404, 404, 404),
    "/clients/{ana}/sessions/new/": (200, 200, 404, 404, 404, 404),
    "/clients/{ana}/ending/": (200, 404, 404, 404, 404, 404),
    "/clients/{ana}/transfer/": (404, 200, 404, 404, 404, 404),
    "/clients/{ana}/return/": (404, 404, 404, 200, 404, 404),
    "/sessions/{session}/": (200, 200, 404, 404, 404, 404),
    "/sessions/{session}/links/": (200, 200, 404, 200, 404, 404),
    "/sessions/{session}/picture/": (200, 200, 404, 404, 404, 404),
    "/measures/outcome-adult/form.pdf": (200, 200, 404, 404, 200, 200),
    "/sessions/{session}/forms.pdf": (200, 200, 404, 404, 404, 404),
    "/sessions/by-code/": (200, 200, 404, 404, 404, 200),
    "/clients/{ana}/scores/": (200, 200, 404, 404, 404, 404),
    "/scores/{score}/correct/": (200, 200, 404, 404, 404, 404),
    "/review/results/": (200, 200, 200, 404, 404, 200),
    "/review/": (200, 200, 404, 404, 404, 200),
    "/review/{ana}/": (200, 200, 404, 404, 404, 404),
    "/conferences/": (200, 200, 404, 404, 404, 200),
    "/conferences/new/": (200, 200, 404, 404, 404, 200),
    "/conferences/{conference}/": (200, 200, 404, 404, 404, 404),
    "/conferences/files/{uuid}.pdf": (404, 404, 404, 404, 404, 404),
    "/conferences/files/{uuid}/state/": (404, 404, 404, 404, 404, 404),
    "/messages/": (200, 200, 404, 404, 404, 200),
    "/practice/of/alice/": (404, 404, 404, 404, 404, 404),  # until Alice shares it
    "/team/": (404, 200, 404, 404, 404, 404),
    "/practice/": (200, 404, 404, 404, 404, 200),
    "/agency/groups/": (404, 404, 200, 404, 404, 404),
    "/agency/flow/": (404, 404, 200, 404, 404, 404),
    "/agency/funnel/": (404, 404, 200, 404, 404, 404),
    "/agency/funnel/?by=clinician": (404, 404, 404, 404, 404, 404),  # until the policy says so
    "/agency/": (404, 404, 200, 404, 404, 404),
    "/exports/": (404, 404, 200, 404, 404, 404),
    "/exports/{uuid}.zip": (404, 404, 404, 404, 404, 404),
    "/exports/{uuid}/state/": (404, 404, 404, 404, 404, 404),
    "/reports/": (404, 404, 302, 404, 404, 404),
    "/reports/{month}/": (404, 404, 200, 404, 404, 404),
    "/reports/{month}/csv/": (404, 404, 200, 404, 404, 404),
    "/reports/{month}/publishing/": (404, 404, 200, 404, 404, 404),
    "/reports/{month}/entries/": (404, 404, 200, 404, 200, 404),
    "/reports/editions/0/": (404, 404, 404, 404, 404, 404),
    "/rules/": (200, 200, 200, 404, 200, 200),
    "/rules/own-checkpoint/": (405, 405, 405, 404, 405, 405),
    "/rules/proposals/": (405, 405, 405, 404, 405, 405),
    "/rules/proposals/1/answer/": (404, 404, 404, 404, 405, 404),
    "/rules/back-test/": (404, 405, 405, 404, 405, 404),
    "/rules/back-test/state/": (200, 200, 200, 404, 200, 200),
    "/measures/": (200, 200, 200, 200, 200, 200),
    "/measures/outcome-adult/": (200, 200, 200, 200, 200, 200),
    "/measures/outcome-adult/definition.toml": (200, 200, 200, 200, 200, 200),
    "/measures/outcome-adult/questionnaire.json": (200, 200, 200, 200, 200, 200),
    "/measures/outcome-adult/constants/new/": (404, 404, 404, 404, 200, 404),
    "/measures/schema.json": (200, 200, 200, 200, 200, 200),
    "/measures/load/": (404, 404, 404, 404, 200, 404),
    "/measures/plans/": (200, 200, 200, 200, 200, 200),
    "/measures/plans/new/": (404, 404, 404, 404, 200, 404),
    "/measures/plans/alliance-self/": (404, 404, 404, 404, 200, 404),
    "/import/": (404, 404, 404, 404, 200, 404),
    "/import/{uuid}/": (404, 404, 404, 404, 404, 404),
    "/import/{uuid}/state/": (404, 404, 404, 404, 404, 404),
    "/import/{uuid}/bad-rows.csv": (404, 404, 404, 404, 404, 404),
    "/people/": (404, 404, 404, 404, 200, 404),
    "/absences/": (200, 200, 404, 404, 200, 200),
    "/settings/": (404, 404, 404, 404, 200, 404),
    "/meetings/{meeting}/": (200, 200, 404, 404, 404, 404),
    "/tablets/": (404, 404, 404, 200, 404, 404),
    "/settings/statement/": (404, 404, 404, 404, 200, 404),
    "/settings/retention/": (404, 404, 404, 404, 200, 404),
    "/emergency/": (200, 200, 404, 404, 200, 200),
    "/clients/{ana}/rights/": (200, 200, 404, 404, 404, 404),
    "/settings/alerts/": (404, 404, 404, 404, 200, 404),
    "/alerts/{alert}/": (200, 200, 404, 404, 404, 404),
    "/audit/": (404, 404, 404, 404, 200, 404),
    "/second-factor/": (200, 200, 200, 200, 200, 200),
    "/my-sign-ins/": (200, 200, 200, 200, 200, 200),
    "/sign-in/": (302, 302, 302, 302, 302, 302),
    "/api/v1/clients/": (200, 200, 403, 200, 403, 200),
    "/api/v1/clients/{ana}/": (200, 200, 403, 200, 403, 404),
    "/api/v1/episodes/": (200, 200, 403, 200, 403, 200),
    "/api/v1/episodes/{episode}/": (200, 200, 403, 200, 403, 404),
    "/api/v1/sessions/": (200, 200, 403, 200, 403, 200),
    "/api/v1/sessions/{session}/": (200, 200, 403, 200, 403, 404),
    "/api/v1/administrations/": (200, 200, 403, 403, 403, 200),
    "/api/v1/administrations/{score}/": (200, 200, 403, 403, 403, 404),
    "/api/v1/flags/": (200, 200, 403, 403, 403, 200),
    "/api/v1/flags/{flag}/": (404, 404, 403, 403, 403, 404),
    "/settings/webhooks/": (404, 404, 404, 404, 200, 404),
    "/settings/webhooks/{webhook}/": (404, 404, 404, 404, 200, 404),
    "/keys/": (200, 200, 404, 200, 200, 200),
    "/fhir/Patient": (200, 200, 403, 200, 403, 200),
    "/fhir/Patient/{ana}": (200, 200, 403, 200, 403, 404),
    "/fhir/Questionnaire": (200, 200, 200, 200, 200, 200),
    "/fhir/QuestionnaireResponse": (200, 200, 403, 403, 403, 200),
    "/fhir/QuestionnaireResponse/{score}": (200, 200, 403, 403, 403, 404),
    "/fhir/Observation": (200, 200, 403, 403, 403, 200),
    "/fhir/Observation/{score}-1": (200, 200, 403, 403, 403, 404),
    "/fhir/metadata": (200, 200, 200, 200, 200, 200),
    "/healthz": (200, 200, 200, 200, 200, 200),
}
# Doors that are not in the table: open to all, or only answering to POST (tested beside it).
ELSEWHERE = {
    "readyz", "metrics", "api/schema/", "keys/<int:pk>/revoke/",
    "settings/webhooks/<int:pk>/wake/", "webhooks/<int:pk>/agree/", "webhooks/<int:pk>/end/",
    "welcome/<uidb64>/<token>/",
    "sign-out/",
    "sessions/<int:pk>/attendance/", "schedule/upload/", "people/grants/<int:pk>/end/",
    "people/<int:pk>/invitation/", "people/<int:pk>/close/",
    "review/<code:code>/take-up/", "review/<code:code>/later/", "review/<code:code>/hand-to/",
    "review/<code:code>/result/", "conferences/<int:pk>/agenda/", "conferences/<int:pk>/file/",
    "practice/share/", "practice/log/<int:pk>/take-back/", "first-administrator/<str:token>/",
    "import/<uuid:pk>/forget/", "reports/<str:month>/publish/",
    "sessions/<int:pk>/hand-over/", "hand-over/<int:pk>/", "hand-over/<int:pk>/return/",
    # Steps of signing in and of the second factor: tests/people/test_second_factor.py.
    "sign-in/elsewhere/", "sign-in/elsewhere/back/", "people/<int:pk>/single-sign-on/",
    "sign-in/second-factor/", "sign-in/device/", "sign-in/passkey/", "second-factor/app/",
    "second-factor/app/remove/", "second-factor/codes/", "second-factor/codes/new/",
    "second-factor/passkeys/", "second-factor/passkeys/new/",
    "second-factor/passkeys/<int:pk>/remove/", "second-factor/again/",
    "second-factor/again/code/", "second-factor/again/passkey/",
    "second-factor/again/elsewhere/", "people/<int:pk>/unlock/",
    "people/<int:pk>/second-factor/",
    "tablet/", "tablet/state/", "tablets/<int:pk>/retire/", "sessions/<int:pk>/tablet/",
    "emergency/<int:pk>/end/", "clients/<code:code>/copy/<uuid:pk>.zip",
    "clients/<code:code>/copy/<uuid:pk>/state/",
    # A sign-in that rests, and the list of one's own: tests/people/test_presence.py.
    "presence/", "lock/", "unlock/", "kept/", "my-sign-ins/pin/", "my-sign-ins/end/",
    "people/<int:pk>/sign-ins/",
    "absences/<int:pk>/end/", "people/<int:pk>/open/", "people/<int:pk>/roles/",
    "sessions/<int:pk>/not-before/", "links/<int:pk>/close/", "m/<str:token>/",
    "sessions/<int:pk>/how-asked/",
}  # fmt: skip


@pytest.fixture
def places(clinic: Clinic) -> dict[str, Any]:
    with acting_as(BY):
        measures.sync_library()
        scores = [
            measure_actions.record_administration(
                episode=clinic.episodes["ana"],
                session=session,
                measure=measures.get_measure("outcome-adult"),
                total=total,
                provenance="paper",
                by=BY,
            )
            for session, total in zip(
                clinic.sessions["ana"], (18.0, 17.5, 16, 15.2, 14, 10), strict=True
            )
        ]
        alert = measure_actions.raise_alert(administration=scores[-1], items=(), by=BY)
        conference = actions.call_conference(
            held_on=clinic_time.today(), episodes=[clinic.episodes["ana"]], by=clinic.sofia
        )
        referral = actions.receive_referral(
            client=clinic.ana,
            programme=clinic.therapy,
            received_on=clinic_time.today(),
            by=clinic.fred,
        )
        webhook, _secret = actions.make_webhook(
            name="Records",
            url="https://records.clinic.example/",
            events=["score.recorded"],
            person=clinic.alice,
            by=clinic.adam,
        )
        run_night(clinic_time.today())
    return {
        "referral": referral.pk,
        "conference": conference.pk,
        "webhook": webhook.pk,
        "meeting": clinic.sessions["ana"][0].meeting_id,
        "alert": alert.pk,
        "ana": clinic.ana.code,
        "session": clinic.sessions["ana"][0].pk,
        "episode": clinic.episodes["ana"].pk,
        "score": scores[0].pk,
        "flag": 10**9,
        "uuid": uuid.uuid4(),
        "month": f"{clinic_time.today():%Y-%m}",
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_doors_and_no_other(
    role: str, places: dict[str, Any], browser_of: Callable[[str], Browser]
) -> None:
    browser, column = browser_of(role), ROLES.index(role)
    found = {door: browser.get(door.format(**places)).status_code for door in DOORS}
    assert found == {door: statuses[column] for door, statuses in DOORS.items()}


def test_nobody_signed_out_gets_further_than_the_sign_in(places: dict[str, Any]) -> None:
    browser = Browser()
    for door in DOORS:
        response = browser.get(door.format(**places))
        if door in ("/healthz", "/sign-in/", "/fhir/metadata"):
            assert response.status_code == 200
        elif door.startswith("/fhir/"):
            assert response.status_code == 401, door
        elif door.startswith("/api/"):
            assert response.status_code == 403, door
        else:
            assert response.status_code == 302, door
            assert response["Location"].startswith("/sign-in/"), door


def _routes(resolver: URLResolver, prefix: str = "") -> list[str]:
    found = []
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        found += [route] if isinstance(pattern, URLPattern) else _routes(pattern, route)
    return found


def _shape(route: str) -> str:
    """A route with every variable part as a star, regular expressions' signs taken off."""
    route = re.sub(r"\(\?P<\w+>(?:\[[^\]]*\]|[^)])*\)", "*", route)
    return re.sub(r"<[^>]+>|\{\w+\}", "*", route).replace("^", "").replace("$", "").strip("/")


def test_no_door_is_missing_from_the_table() -> None:
    """A new page or API route must be given a row, or a reason to stand elsewhere."""
    known = {_shape(door) for door in DOORS} | {_shape(route) for route in ELSEWHERE}
    routes = [_shape(route) for route in _routes(get_resolver())]
    assert not [route for route in routes if not any(_matches(route, k) for k in known)]


def _matches(route: str, known: str) -> bool:
    """A row with a concrete value (`csv`, `outcome-adult`) stands for its route's variable."""
    left, right = route.rstrip("/").split("/"), known.rstrip("/").split("/")
    return len(left) == len(right) and all(a in (b, "*") for a, b in zip(left, right, strict=True))


def test_every_answer_carries_the_strict_headers(places: dict[str, Any], browser_of: Any) -> None:
    response = browser_of("alice").get("/caseload/")
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["alice", "sofia", "dora", "adam"])
def test_a_page_is_headed_by_the_clinics_own_name(clinic, browser_of, name):
    with acting_as(BY):
        Installation.objects.update_or_create(defaults={"clinic_name": "Riverside"})
    page = browser_of(name).get("/", follow=True).content.decode()
    assert "<title>" in page
    assert page.split("<title>")[1].split("</title>")[0].strip().endswith("· Riverside")
