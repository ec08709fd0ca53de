"""Clients' rights: what they are told and say, a record that rests, how long it is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from measures_app import measures
from measures_app.models import Administration
from sessions_app import actions, clinic_time, consent, retention
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Client, Consent, EntryLink, Session
from sessions_app.tasks import apply_retention
from tests.cast import BY, Clinic

ITEMS = {"individual": "6.4", "close": "0.0", "social": "5.0", "overall": "7.1"}


def _booked(clinic: Clinic, name: str = "ana") -> Session:
    soon = clinic_time.now() + timedelta(hours=1)
    return actions.book_session(episode=clinic.episodes[name], starts_at=soon, by=BY)


def _link(clinic: Clinic) -> str:
    with acting_as(BY):
        measures.sync_library()
        person = clinic.ana.respondents.get(relation="self")
        _row, token = actions.make_link(session=_booked(clinic), respondent=person, by=clinic.alice)
    return f"/m/{token}/"


def _answers(page: str) -> dict[str, str]:
    import re

    key = re.search(r'name="key" value="([^"]+)"', page)[1]
    names = {name.rpartition("_")[2]: name for name in re.findall(r'name="(\w+_\w+)"', page)}
    return {"key": key} | {names[item]: value for item, value in ITEMS.items()}


def _said(clinic: Clinic) -> list[tuple[str, int, str, str]]:
    with acting_as(BY):
        rows = Consent.objects.filter(client=clinic.ana).order_by("pk")
        return list(rows.values_list("answer", "version", "language", "way"))


def test_the_statement_stands_before_the_first_form_and_sending_is_recorded(
    clinic: Clinic,
) -> None:
    with acting_as(BY):
        clinic.ana.respondents.update(language="es")
    link = _link(clinic)
    first = Browser().get(link).content.decode()
    assert "Quién ve sus respuestas" in first
    assert consent.BUILT_IN["es"].split("\n")[0] in first
    assert first.index("Quién ve") < first.index('class="vas')
    assert Browser().post(link, _answers(first)).status_code == 200
    assert _said(clinic) == [("agreed", 0, "es", "device")]
    again = Browser().get(_link(clinic)).content.decode()
    assert "Quién ve sus respuestas" not in again


def test_a_new_version_asks_again_where_the_clinic_says_so(clinic: Clinic) -> None:
    person = clinic.ana.respondents.get
    with acting_as(BY):
        actions.record_consent(respondent=person(), answer="agreed", way="paper", by=clinic.alice)
        words = {"en": "First words.", "es": "Primeras palabras."}
        actions.set_statement(texts=words, asks_again=False, by=clinic.adam)
        assert consent.to_show(person()) is None
        actions.set_statement(texts=words | {"en": "Other words."}, by=clinic.adam)
        shown = consent.to_show(person())
        assert (shown.version, shown.text) == (2, "Other words.")
        with pytest.raises(ValidationError, match="in this language too"):
            actions.set_statement(texts={"en": "Only English."}, by=clinic.adam)


def test_who_would_rather_not_sends_nothing_and_may_change_their_mind(clinic: Clinic) -> None:
    link = _link(clinic)
    page = Browser().get(link).content.decode()
    answer = Browser().post(link, _answers(page) | {"decline": "1"})
    assert b"your care goes on as before" in answer.content
    assert _said(clinic) == [("declined", 0, "en", "device")]
    with acting_as(BY):
        assert not Administration.objects.filter(client=clinic.ana).exists()
    page = Browser().get(link).content.decode()
    Browser().post(link, _answers(page))
    assert [row[0] for row in _said(clinic)] == ["declined", "agreed"]


def test_withdrawing_closes_open_links(clinic: Clinic) -> None:
    link = _link(clinic)
    with acting_as(clinic.alice):
        actions.record_consent(
            respondent=clinic.ana.respondents.get(), answer="withdrawn", way="spoken",
            by=clinic.alice,
        )  # fmt: skip
    assert Browser().get(link).status_code == 404


def test_a_link_says_something_about_its_own_respondent_alone(clinic: Clinic) -> None:
    from django.db import DatabaseError, transaction

    from sessions_app import links

    _link(clinic)
    with acting_as(BY):
        link = EntryLink.objects.get(client=clinic.ana)
        other = clinic.dina.respondents.get()
    with (
        acting_as(links.holder_of(link.pk)),
        pytest.raises(DatabaseError),
        transaction.atomic(),
    ):
        Consent.objects.create(
            client_id=other.client_id, respondent_id=other.pk, version=0, language="en",
            answer="withdrawn", way="device",
        )  # fmt: skip


def test_a_record_that_rests_asks_sends_and_gives_away_nothing(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    link, alice = _link(clinic), browser_of("alice")

    def given_away() -> set[str]:
        rows = alice.get("/api/v1/clients/").json()["results"]
        bundle = alice.get("/fhir/Patient").json()
        return {row["code"] for row in rows} | {
            entry["resource"]["id"] for entry in bundle.get("entry", ())
        }

    assert clinic.ana.code in given_away()
    with acting_as(clinic.alice):
        resting = actions.restrict_client(client=clinic.ana, reason="objection", by=clinic.alice)
    assert Browser().get(link).status_code == 404
    with acting_as(BY), pytest.raises(ValidationError, match="record rests"):
        actions.make_link(
            session=_booked(clinic), respondent=clinic.ana.respondents.get(), by=clinic.alice
        )
    assert clinic.ana.code not in given_away()
    assert alice.get(f"/clients/{clinic.ana.code}/").status_code == 200
    with acting_as(clinic.alice):
        actions.lift_restriction(restriction=resting, by=clinic.alice)
    assert clinic.ana.code in given_away()


@pytest.fixture
def long_ago(clinic: Clinic) -> Clinic:
    """Emil's only episode ended two years ago, Dina's restricted one too; a rule of one year."""
    ended = clinic_time.today() - timedelta(days=730)
    with acting_as(BY):
        for name in ("emil", "dina_restricted", "ana"):
            episode = clinic.episodes[name]
            type(episode).objects.filter(pk=episode.pk).update(
                opened_on=ended - timedelta(days=50),
                closed_on=ended,
                ending="agreed",
                closed_recorded_at=clinic_time.now(),
            )
        actions.set_retention(programme=clinic.restricted, years=1, by=clinic.adam)
    return clinic


def test_a_rule_reaches_who_was_kept_long_enough_and_the_preview_says_so(
    long_ago: Clinic, browser_of: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ana's programme has no rule, and Dina is still in another's care."""
    page = browser_of("adam").get("/settings/retention/").content.decode()
    assert long_ago.emil.code in page
    assert long_ago.dina.code not in page
    assert "Novak" not in page
    assert apply_retention() == 0, "set today: the preview comes first"
    tomorrow = clinic_time.today() + timedelta(days=1)
    monkeypatch.setattr(clinic_time, "today", lambda *_: tomorrow)
    assert apply_retention() == 1
    assert apply_retention() == 0
    with acting_as(BY):
        assert Client.objects.get(pk=long_ago.emil.pk).key.destroyed_at is not None
        assert Client.objects.get(pk=long_ago.dina.pk).name == "Dina Haddad"
        row = AuditEvent.objects.get(action="identity erased")
        assert (row.actor, row.detail["reason"]) == ("system:retention", "retention")


def test_a_record_that_rests_is_not_erased(long_ago: Clinic) -> None:
    with acting_as(BY):
        today = clinic_time.today()
        assert [due.code for due in retention.due_until(today)] == [long_ago.emil.code]
        actions.restrict_client(client=long_ago.emil, reason="claims", by=BY)
        assert retention.due_until(today) == []


def test_the_longest_of_a_clients_programmes_keeps_them(long_ago: Clinic) -> None:
    with acting_as(BY):
        episode = long_ago.episodes["dina"]
        ended = clinic_time.today() - timedelta(days=400)
        type(episode).objects.filter(pk=episode.pk).update(
            opened_on=ended - timedelta(days=9),
            closed_on=ended,
            ending="agreed",
            closed_recorded_at=clinic_time.now(),
        )
        actions.set_retention(programme=long_ago.therapy, years=2, by=long_ago.adam)
        due = {due.code: due.on for due in retention.due_until(clinic_time.today())}
        assert long_ago.dina.code not in due
        actions.set_retention(programme=long_ago.therapy, years=1, by=long_ago.adam)
        due = {due.code: due.on for due in retention.due_until(clinic_time.today())}
        assert due[long_ago.dina.code] == retention.years_after(ended, 1)


def test_a_leap_day_is_kept_to_the_first_of_march() -> None:
    from datetime import date

    assert retention.years_after(date(2024, 2, 29), 1) == date(2025, 3, 1)
    assert retention.years_after(date(2024, 2, 29), 4) == date(2028, 2, 29)
