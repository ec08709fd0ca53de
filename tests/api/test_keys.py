"""Keys of other systems: what their person sees, or less, until they end."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client as Browser

from measures_app import measures
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import ApiKey, AuditEvent
from tests.cast import BY, Clinic


def make(clinic: Clinic, name: str = "alice", **changes: Any) -> tuple[ApiKey, str]:
    person = getattr(clinic, name)
    wanted = {"name": "Records system", "days": 30, "may_write": False, **changes}
    with acting_as(person):
        return actions.make_key(**wanted, by=person)


def send(text: str, address: str, browser: Browser | None = None) -> Any:
    return (browser or Browser()).get(address, headers={"Authorization": f"Bearer {text}"})


def codes(answer: Any) -> set[str]:
    return {row["code"] for row in answer.json()["results"]}


@pytest.mark.parametrize("name", ["alice", "bob", "fred"])
def test_a_key_sees_what_its_person_sees(clinic: Clinic, name: str) -> None:
    _key, text = make(clinic, name)
    person = Browser()
    person.force_login(getattr(clinic, name))
    assert codes(send(text, "/api/v1/clients/")) == codes(person.get("/api/v1/clients/"))


def test_rights_that_end_end_for_the_key_too(clinic: Clinic) -> None:
    _key, text = make(clinic, "ruth")
    assert send(text, "/api/v1/clients/").status_code == 200
    with acting_as(BY):
        for grant in clinic.ruth.grants.all():
            actions.end_role(grant=grant, by=BY, on=clinic_time.today() - timedelta(days=1))
    assert send(text, "/api/v1/clients/").status_code == 403


@pytest.mark.parametrize("how", ["revoked", "over", "closed", "cut", "other", "empty"])
def test_a_key_that_does_not_hold_is_refused(clinic: Clinic, how: str) -> None:
    key, text = make(clinic)
    if how == "revoked":
        with acting_as(clinic.adam):
            actions.revoke_key(key=key, by=clinic.adam)
    elif how == "over":
        ApiKey.objects.update(expires_on=clinic_time.today() - timedelta(days=1))
    elif how == "closed":
        type(clinic.alice).objects.filter(pk=clinic.alice.pk).update(is_active=False)
    sent = {"cut": text[:-1], "other": text[:-5] + "AAAAA", "empty": ""}.get(how, text)
    # A cookie beside it doesn't help: the key alone counts.
    browser = Browser()
    browser.force_login(clinic.bob)
    answer = send(sent, "/api/v1/clients/", browser)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert send(sent, "/fhir/Patient", browser).json()["resourceType"] == "OperationOutcome"


def test_a_key_opens_no_page(clinic: Clinic) -> None:
    _key, text = make(clinic)
    for page in ("/caseload/", "/keys/", f"/clients/{clinic.ana.code}/"):
        assert send(text, page).status_code == 302
    assert send(text, "/fhir/Patient").status_code == 200


def test_a_key_records_only_where_it_may(clinic: Clinic) -> None:
    with acting_as(BY):
        measures.sync_library()
    body = {"episode": clinic.episodes["ana"].pk, "measure": "outcome-adult", "total": "18.5"}

    def post(text: str) -> int:
        return Browser(enforce_csrf_checks=True).post(
            "/api/v1/administrations/",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {text}", "Idempotency-Key": str(uuid.uuid4())},
        ).status_code  # fmt: skip

    assert post(make(clinic)[1]) == 403
    assert post(make(clinic, may_write=True)[1]) == 201


def test_the_text_is_shown_once_and_stored_nowhere(clinic: Clinic) -> None:
    browser = Browser()
    browser.force_login(clinic.alice)
    page = browser.post("/keys/", {"name": "Records", "days": "30"}).content.decode()
    handle = ApiKey.objects.get().handle
    text = next(word for word in page.replace("<", " ").replace(">", " ").split()
                if word.startswith(f"oc_{handle}_"))  # fmt: skip
    assert send(text, "/fhir/Patient").status_code == 200
    assert text not in browser.get("/keys/").content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sessions_app_apikey k WHERE k::text LIKE %s",
                       [f"%{text.removeprefix(f'oc_{handle}_')}%"])  # fmt: skip
        assert cursor.fetchone() == (0,)


def test_nobody_makes_a_key_for_another_and_the_administrator_can_end_all(clinic: Clinic) -> None:
    key, text = make(clinic)
    for name in ("bob", "sofia", "dora"):
        browser = Browser()
        browser.force_login(getattr(clinic, name))
        assert browser.post(f"/keys/{key.pk}/revoke/").status_code == 404
        with acting_as(getattr(clinic, name)), pytest.raises(PermissionDenied):
            actions.revoke_key(key=key, by=getattr(clinic, name))
    browser = Browser()
    browser.force_login(clinic.adam)
    assert "Records system" in browser.get("/keys/").content.decode()
    assert browser.post(f"/keys/{key.pk}/revoke/").status_code == 302
    assert send(text, "/fhir/Patient").status_code == 401


def test_wrong_input_is_said_beside_its_field_and_kept(clinic: Clinic) -> None:
    browser = Browser()
    browser.force_login(clinic.alice)
    answer = browser.post("/keys/", {"name": "Records", "days": "9999"})
    assert answer.status_code == 422
    assert 'value="Records"' in answer.content.decode()
    with acting_as(clinic.alice), pytest.raises(ValidationError):
        actions.make_key(name=" ", days=3, may_write=False, by=clinic.alice)


def test_a_key_opens_no_session_and_asks_for_no_second_factor(
    clinic: Clinic, settings: Any
) -> None:
    _key, text = make(clinic)
    settings.SECOND_FACTORS = True
    before = Session.objects.count()
    answer = send(text, "/fhir/Patient")
    assert answer.status_code == 200
    assert not answer.cookies
    assert Session.objects.count() == before


def test_what_a_key_does_is_audited_under_its_person(clinic: Clinic) -> None:
    key, text = make(clinic)
    send(text, f"/fhir/Patient/{clinic.ana.code}")
    with acting_as(BY):
        rows = AuditEvent.objects.filter(actor=f"user:{clinic.alice.public_id}")
        assert {"API key made", "read"} <= set(rows.values_list("action", flat=True))
    key.refresh_from_db()
    assert key.last_used_on == clinic_time.today()
