"""Nobody leaves clients or cases behind: a caseload goes over whole, then the account closes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import flagging
from measures_app.models import Flag
from sessions_app import actions, clinic_time, leaving
from sessions_app.context import acting_as
from sessions_app.models import Assignment, Clinician, Supervision, User
from tests.cast import BY, PASSWORD, Clinic

TODAY = clinic_time.today()


@pytest.fixture
def leaver(clinic: Clinic) -> Clinic:
    """Alice leads Ana and a second client, helps with Boris, and has Ana's case."""
    with acting_as(BY):
        clinic.clients["nina"] = actions.register_client(by=BY, site=clinic.north, name="Nina Noor")
        clinic.episodes["nina"] = actions.open_episode(
            client=clinic.nina, programme=clinic.therapy, opened_on=TODAY - timedelta(days=20),
            lead=clinic.clinicians["alice"], by=BY,
        )  # fmt: skip
        actions.assign_clinician(
            episode=clinic.episodes["boris"], clinician=clinic.clinicians["alice"],
            part="co_therapist", from_on=TODAY - timedelta(days=9), by=BY,
        )  # fmt: skip
        Flag.objects.create(
            client=clinic.ana, episode=clinic.episodes["ana"], rule="overdue", kind="review",
            rule_set=flagging.current_rule_set(TODAY), evidence={}, raised_on=TODAY,
        )  # fmt: skip
        measure_actions.take_up(episode=clinic.episodes["ana"], by=clinic.alice)
    return clinic


def lead_of(clinic: Clinic, name: str) -> str:
    with acting_as(BY):
        row = Assignment.objects.get(episode=clinic.episodes[name], part="lead", to_on=None)
        return row.clinician.code


def page(clinic: Clinic, who: str = "alice") -> str:
    return f"/caseload/hand-over/?clinician={clinic.clinicians[who].pk}"


def given(clinic: Clinic, **more: Any) -> dict[str, Any]:
    return {
        "on": TODAY.isoformat(), "reason": "Alice moves away",
        "everybody": clinic.clinicians["bob"].pk, **more,
    }  # fmt: skip


def test_a_supervisor_hands_a_whole_caseload_over_on_one_page(
    leaver: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    sofia = browser_of("sofia")
    assert "Alice Alder" in sofia.get("/caseload/hand-over/").content.decode()
    one = {f"to-{leaver.episodes['nina'].pk}": leaver.clinicians["ruth"].pk}
    assert sofia.post(page(leaver), given(leaver, **one)).status_code == 302
    assert (lead_of(leaver, "ana"), lead_of(leaver, "nina")) == ("bob", "ruth")
    with acting_as(BY):
        alice = leaver.clinicians["alice"]
        assert not Assignment.objects.filter(clinician=alice, to_on=None).exists()
        past = Assignment.objects.get(episode=leaver.episodes["ana"], clinician=alice)
        assert (past.to_on, past.why) == (TODAY, "Alice moves away")
        # What Alice had taken up goes to who goes on.
        assert Flag.objects.get(episode=leaver.episodes["ana"]).owner == leaver.bob


def test_all_go_or_none_and_the_client_without_anybody_is_named(
    leaver: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    name = f"to-{leaver.episodes['nina'].pk}"
    only_ana = {f"to-{leaver.episodes['ana'].pk}": leaver.clinicians["bob"].pk, "everybody": ""}
    answer = browser_of("sofia").post(page(leaver), given(leaver, **only_ana))
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, [name])
    assert "Alice moves away" in answer.content.decode()
    early = (TODAY - timedelta(days=30)).isoformat()  # before Nina came
    answer = browser_of("sofia").post(page(leaver), given(leaver, on=early))
    assert answer.status_code == 422
    assert leaver.nina.code in str(answer.context["form"].non_field_errors())
    assert (lead_of(leaver, "ana"), lead_of(leaver, "nina")) == ("alice", "alice")
    with acting_as(BY), pytest.raises(ValidationError, match=leaver.nina.code):
        actions.hand_over_caseload(
            clinician=leaver.clinicians["alice"], on=TODAY, reason="x", by=leaver.sofia,
            to={leaver.episodes["ana"].pk: leaver.clinicians["bob"]},
        )  # fmt: skip


def test_somebody_elses_caseload_is_absent(
    leaver: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    assert browser_of("sofia").get(page(leaver, "bob")).status_code == 404
    assert browser_of("sofia").get("/caseload/hand-over/?clinician=x").status_code == 404
    with acting_as(BY), pytest.raises(PermissionDenied):
        actions.hand_over_caseload(
            clinician=leaver.clinicians["bob"], to={}, on=TODAY, reason="x", by=leaver.sofia
        )


def test_an_account_with_open_clients_stays_and_says_how_many(
    leaver: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    adam, path = browser_of("adam"), f"/people/{leaver.alice.pk}/close/"
    said = adam.post(path, follow=True).content.decode()
    assert "Alice Alder still has 3 open clients and 1 case taken up" in said
    assert leaver.ana.code not in said
    assert User.objects.get(pk=leaver.alice.pk).is_active
    grant = leaver.alice.grants.get()
    said = adam.post(f"/people/grants/{grant.pk}/end/", follow=True).content.decode()
    assert "3 open clients" in said
    grant.refresh_from_db()
    assert grant.to_on is None


def test_a_case_alone_keeps_an_account_open(leaver: Clinic) -> None:
    with acting_as(BY):
        measure_actions.hand_to(episode=leaver.episodes["ana"], to=leaver.sofia, by=leaver.alice)
        assert leaving.left_open(leaver.sofia) == ["1 case taken up"]
        with pytest.raises(ValidationError, match="1 case taken up"):
            actions.close_account(user=leaver.sofia, by=leaver.adam)


def test_a_closed_account_signs_nobody_in_gets_no_clients_and_supervises_nobody(
    leaver: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    alice = browser_of("alice")
    browser_of("sofia").post(page(leaver), given(leaver))
    said = browser_of("adam").post(f"/people/{leaver.alice.pk}/close/", follow=True)
    assert "The account of Alice Alder is closed." in said.content.decode()
    assert alice.get("/today/").status_code == 302  # to the sign-in
    hers = {"username": "alice@clinic.example", "password": PASSWORD}
    assert Browser().post("/sign-in/", hers).status_code == 200  # and no redirect into the house
    with acting_as(BY):
        assert Clinician.objects.get(code="alice").active_to == TODAY
        assert not Supervision.objects.filter(clinician__code="alice", to_on=None).exists()
        with pytest.raises(ValidationError, match="account is closed"):
            actions.transfer_episode(
                episode=leaver.episodes["ana"], to=Clinician.objects.get(code="alice"),
                on=TODAY, reason="back", by=BY,
            )  # fmt: skip
    again = browser_of("adam").post(f"/people/{leaver.alice.pk}/close/", follow=True)
    assert "closed already" in again.content.decode()


def test_nobody_closes_their_own_account_and_only_an_administrator_anothers(
    leaver: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    said = browser_of("adam").post(f"/people/{leaver.adam.pk}/close/", follow=True)
    assert "Nobody closes their own account." in said.content.decode()
    for who in ("alice", "sofia", "dora", "fred"):
        assert browser_of(who).post(f"/people/{leaver.ruth.pk}/close/").status_code == 404
