"""A restricted programme's care is seen elsewhere while its client agrees, and not otherwise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.test import Client as Browser

from sessions_app import access, actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Release, User
from tests.cast import Clinic
from tests.people.test_absences import seen

OTHERS, ALL = {"boris", "clara", "dina"}, {"boris", "clara", "dina", "dina_restricted"}


def _agreed(clinic: Clinic, **more: Any) -> Release:
    with acting_as(clinic.carol):
        return actions.release_programme(
            client=clinic.dina, programme=clinic.restricted, way="spoken", by=clinic.carol,
            **{"until_on": clinic_time.today() + timedelta(days=30), **more},
        )  # fmt: skip


def _named(clinic: Clinic) -> set[str]:
    """Who is said to see the restricted episode, in both ways of asking."""
    episode = clinic.episodes["dina_restricted"]
    with acting_as(clinic.carol):
        people = {user.name for user in access.people_seeing(episode)}
        assert {name for _pk, name in access.names_seeing(episode)} == people
    return people


def test_it_is_seen_by_who_treats_the_client_elsewhere_until_they_no_longer_agree(
    clinic: Clinic,
) -> None:
    assert seen(clinic, "bob") == (OTHERS, OTHERS)
    before = _named(clinic)
    release = _agreed(clinic)
    assert seen(clinic, "bob") == (ALL, ALL)
    assert _named(clinic) >= before | {clinic.bob.name}
    assert seen(clinic, "alice") == ({"ana", "boris"}, {"ana", "boris"})  # treats others
    with acting_as(clinic.carol):
        actions.withdraw_release(release=release, by=clinic.carol)
    assert seen(clinic, "bob") == (OTHERS, OTHERS)
    assert _named(clinic) == before


def test_it_ends_on_its_day(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    today = clinic_time.today()
    _agreed(clinic, until_on=today)
    assert seen(clinic, "bob") == (ALL, ALL)
    monkeypatch.setattr(clinic_time, "today", lambda: today + timedelta(days=1))
    assert seen(clinic, "bob") == (OTHERS, OTHERS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"until_on": date(2020, 1, 1)},
        {"until_on": date(2099, 1, 1)},
        {"way": "device"},
        {"programme": "therapy"},
    ],
)
def test_a_consent_without_an_end_or_for_what_all_see_is_refused(
    clinic: Clinic, wrong: dict[str, Any]
) -> None:
    given = {
        "programme": clinic.restricted, "way": "paper",
        "until_on": clinic_time.today() + timedelta(days=9), **wrong,
    }  # fmt: skip
    if given["programme"] == "therapy":
        given["programme"] = clinic.therapy
    by = clinic.bob if given["programme"] == clinic.therapy else clinic.carol
    with acting_as(by), pytest.raises(ValidationError):
        actions.release_programme(client=clinic.dina, by=by, **given)


def test_who_doesnt_see_the_care_neither_learns_of_it_nor_opens_it(clinic: Clinic) -> None:
    """Bob treats Dina and guesses; past the action the database refuses him."""
    until = clinic_time.today() + timedelta(days=30)
    with acting_as(clinic.bob):
        with pytest.raises(PermissionDenied):
            actions.release_programme(
                client=clinic.dina, programme=clinic.restricted, way="paper", by=clinic.bob,
                until_on=until,
            )  # fmt: skip
        with pytest.raises(DatabaseError), transaction.atomic():
            Release.objects.create(
                client=clinic.dina, programme=clinic.restricted, way="paper",
                from_on=clinic_time.today(), until_on=until,
            )  # fmt: skip
    release = _agreed(clinic)
    for who in ("alice", "sofia", "dora", "fred", "adam"):
        with acting_as(User.objects.get(pk=clinic.users[who].pk)):
            assert not Release.objects.filter(pk=release.pk).exists()
    with acting_as(clinic.carol), pytest.raises(DatabaseError), transaction.atomic():
        Release.objects.filter(pk=release.pk).update(until_on=until + timedelta(days=900))
    assert not AuditEvent.objects.filter(action="consent to show care").filter(
        detail__icontains="substance"
    )


def test_it_is_recorded_on_the_rights_page_and_taken_back_there(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    page = f"/clients/{clinic.dina.code}/rights/"
    heading = "Care that others aren&#x27;t told of"
    carol, bob = browser_of("carol"), browser_of("bob")
    assert heading in carol.get(page).content.decode().replace("'", "&#x27;")
    assert clinic.restricted.name not in bob.get(page).content.decode()
    given = {"form": "release", "programme": clinic.restricted.pk, "way": "spoken"}
    assert bob.post(page, {**given, "until_on": "2027-01-01"}).status_code == 404
    again = carol.post(page, {**given, "until_on": "2020-02-01"})
    assert again.status_code == 422
    assert "2020-02-01" in again.content.decode()
    until = clinic_time.today() + timedelta(days=60)
    assert carol.post(page, {**given, "until_on": until.isoformat()}).status_code == 302
    assert clinic.restricted.name in bob.get(page).content.decode()
    assert seen(clinic, "bob") == (ALL, ALL)
    assert carol.post(page, {**given, "form": "withdraw"}).status_code == 302
    assert clinic.restricted.name not in bob.get(page).content.decode()
