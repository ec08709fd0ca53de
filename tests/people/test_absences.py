"""Somebody is away and another stands in: for those days, those clients, and no longer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client as Browser

from measures_app import alerts
from reports_app import digest
from reports_app.selectors import rows_of
from sessions_app import access, actions, clinic_time, leaving, safety
from sessions_app.context import acting_as
from sessions_app.models import Absence, Assignment, Episode, User
from tests.cast import BY, Clinic

Sign = Callable[[str], Browser]
TODAY = clinic_time.today()


def day(n: int) -> date:
    return TODAY + timedelta(days=n)


def away(clinic: Clinic, who: str, cover: str, first: int = 0, last: int | None = 5) -> Absence:
    with acting_as(clinic.adam):
        return actions.set_absence(
            clinician=clinic.clinicians[who], cover=clinic.clinicians[cover], from_on=day(first),
            to_on=None if last is None else day(last), by=clinic.adam,
        )  # fmt: skip


def seen(clinic: Clinic, who: str) -> tuple[set[str], set[str]]:
    """Names of the episodes in scope: as the application filters, and as the database does."""
    user = User.objects.get(pk=clinic.users[who].pk)

    def names(ids: Any) -> set[str]:
        found = set(ids)
        return {name for name, episode in clinic.episodes.items() if episode.pk in found}

    with acting_as(user):
        filtered = names(Episode.objects.visible_to(user).values_list("pk", flat=True))
        return filtered, names(Episode.objects.values_list("pk", flat=True))


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    moment = clinic_time.now() + timedelta(days=days)
    monkeypatch.setattr(clinic_time, "now", lambda: moment)
    monkeypatch.setattr(clinic_time, "today", lambda *_: day(days))


def test_the_cover_sees_present_clients_from_the_first_day_to_the_last(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(clinic, "alice", "ruth", 1, 3)
    assert seen(clinic, "ruth") == (set(), set())
    for days, names in ((1, {"ana"}), (3, {"ana"}), (4, set())):  # Boris is Bob's by now
        with monkeypatch.context() as patch:
            later(patch, days)
            assert seen(clinic, "ruth") == (names, names)
            with acting_as(BY):
                people = access.people_seeing(clinic.episodes["ana"])
                assert people.filter(pk=clinic.ruth.pk).exists() == bool(names)


def test_it_ends_with_the_word_and_not_only_with_the_day(clinic: Clinic) -> None:
    absence = away(clinic, "alice", "ruth", 0, None)
    with acting_as(clinic.ruth):
        assert Episode.objects.count() == 1
    with acting_as(clinic.alice):
        actions.end_absence(absence=absence, last_day=day(-1), by=clinic.alice)
    assert seen(clinic, "ruth") == (set(), set())
    absence.refresh_from_db()
    assert absence.withdrawn_at is not None


def test_what_is_remembered_of_a_scope_ends_with_the_absence(clinic: Clinic) -> None:
    absence = away(clinic, "alice", "ruth")
    with acting_as(clinic.ruth):
        assert Episode.objects.count() == 1
        actions.end_absence(absence=absence, last_day=day(-1), by=clinic.adam)
        assert Episode.objects.count() == 0


def test_a_restricted_programme_is_not_opened_by_covering(clinic: Clinic) -> None:
    with pytest.raises(ValidationError, match="restricted programme"):
        away(clinic, "carol", "ruth")
    with acting_as(BY):
        actions.grant_role(user=clinic.ruth, role="clinician", programme=clinic.restricted, by=BY)
    clinic.ruth.__dict__.pop("_grants_in_force", None)
    away(clinic, "carol", "ruth")
    both = {"dina", "dina_restricted", "emil"}
    assert seen(clinic, "ruth") == (both, both)
    with acting_as(BY):
        clinic.ruth.grants.filter(programme=clinic.restricted).delete()
    assert seen(clinic, "ruth") == (set(), set())


def test_covers_stand_one_step_behind_and_never_in_a_chain(clinic: Clinic) -> None:
    away(clinic, "alice", "bob", 2, 6)
    with pytest.raises(ValidationError, match="Bob Birch stands in for Alice Alder"):
        away(clinic, "bob", "ruth", 5, 9)
    with pytest.raises(ValidationError, match=r"Alice Alder is away .* choose somebody"):
        away(clinic, "ruth", "alice", 6, 6)
    with pytest.raises(ValidationError, match=r"Alice Alder is away .* already"):
        away(clinic, "alice", "ruth", 0, None)
    with pytest.raises(ValidationError, match="Somebody else"):
        away(clinic, "ruth", "ruth")
    away(clinic, "bob", "ruth", 7, 9)  # from the day after he is free to go


def test_bad_days_are_refused(clinic: Clinic) -> None:
    with pytest.raises(ValidationError, match="today or later"):
        away(clinic, "alice", "bob", -1)
    with pytest.raises(ValidationError, match="end before it begins"):
        away(clinic, "alice", "bob", 3, 2)
    absence = away(clinic, "alice", "bob", 0, 5)
    for last, why in ((-2, "yesterday"), (6, "one of its own")):
        with acting_as(clinic.alice), pytest.raises(ValidationError, match=why):
            actions.end_absence(absence=absence, last_day=day(last), by=clinic.alice)


@pytest.mark.parametrize(
    ("who", "may"),
    [("alice", True), ("sofia", True), ("adam", True), ("bob", False), ("fred", False)],
)
def test_oneself_the_supervisor_and_an_administrator_enter_it(
    clinic: Clinic, who: str, may: bool
) -> None:
    given = {"clinician": clinic.clinicians["alice"], "cover": clinic.clinicians["ruth"]}
    user = clinic.users[who]
    with acting_as(user):
        if may:
            actions.set_absence(**given, from_on=TODAY, by=user)
        else:
            with pytest.raises(PermissionDenied):
                actions.set_absence(**given, from_on=TODAY, by=user)


def test_an_alert_reaches_who_stands_in_at_once(clinic: Clinic) -> None:
    episode = clinic.episodes["ana"]
    with acting_as(BY):
        actions.set_duty(clinician=clinic.clinicians["alice"], by=BY)
        assert alerts.reached(episode, alerts.CLINICIAN) == [clinic.alice]
    away(clinic, "alice", "ruth")
    with acting_as(BY):
        assert alerts.reached(episode, alerts.CLINICIAN) == [clinic.ruth]
        assert alerts.reached(episode, alerts.SUPERVISOR) == [clinic.sofia]
        assert safety.on_duty() == clinic.clinicians["ruth"]  # duty is covered as well
        # A co-therapist who is away is stood in for too, and nobody is told twice.
        actions.assign_clinician(
            episode=episode, clinician=clinic.clinicians["carol"],
            part=Assignment.Part.CO_THERAPIST, from_on=TODAY, by=BY,
        )  # fmt: skip
        assert alerts.reached(episode, alerts.COVER) == [clinic.carol]
        clinic.ruth.is_active = False
        clinic.ruth.save()
        assert alerts.reached(episode, alerts.CLINICIAN) == [clinic.alice]  # rather than nobody


def test_lists_and_the_weekly_mail_say_who_stands_in(clinic: Clinic) -> None:
    away(clinic, "alice", "bob", 0, 9)
    with acting_as(clinic.sofia):
        (row,) = rows_of([clinic.episodes["ana"].pk])
        assert row.lead == "Alice Alder (away; Bob Birch stands in)"
    with acting_as(clinic.bob):
        counts = digest.counts_of(clinic.bob)
        assert counts.covered == 1
        assert "stand in for 1 colleague" in digest.text_of(counts)


def test_nobody_leaves_while_they_stand_in_for_somebody(clinic: Clinic) -> None:
    away(clinic, "alice", "ruth", 3, 4)
    assert "1 colleague to cover for" in leaving.refusal(clinic.ruth)


def test_one_enters_ones_own_and_an_error_keeps_what_was_typed(
    clinic: Clinic, browser_of: Sign
) -> None:
    alice = browser_of("alice")
    given = {
        "clinician": clinic.clinicians["alice"].pk, "from_on": TODAY.isoformat(),
        "to_on": day(-1).isoformat(), "cover": clinic.clinicians["bob"].pk,
    }  # fmt: skip
    answer = alice.post("/absences/", given)
    assert answer.status_code == 422
    assert day(-1).isoformat() in answer.content.decode()
    assert alice.post("/absences/", given | {"to_on": day(4).isoformat()}).status_code == 302
    assert "Bob Birch" in browser_of("bob").get("/absences/").content.decode()
    absence = Absence.objects.get()
    assert browser_of("ruth").post(
        f"/absences/{absence.pk}/end/", {"last_day": TODAY.isoformat()}
    ).status_code == 404  # fmt: skip
    alice.post(f"/absences/{absence.pk}/end/", {"last_day": TODAY.isoformat()})
    absence.refresh_from_db()
    assert absence.to_on == TODAY
    stranger = {"clinician": clinic.clinicians["alice"].pk, "cover": clinic.clinicians["carol"].pk}
    answer = browser_of("ruth").post("/absences/", given | stranger)
    assert answer.status_code == 422
