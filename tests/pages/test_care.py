"""Care ends, changes hands and begins again on pages of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import alerts, flagging, measures
from measures_app.histories import unconfirmed_clinicians
from measures_app.models import Administration, Flag, ItemAlert
from sessions_app import actions, clinic_time, selectors
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Clinician, EntryLink, Episode
from tests.cast import BY
from tests.reports.conftest import score


def _episode(clinic, key):
    with acting_as(BY):
        return Episode.objects.get(pk=clinic.episodes[key].pk)


def test_a_clinician_ends_an_episode(clinic, browser_of):
    today = clinic_time.today()
    response = browser_of("alice").post(
        f"/clients/{clinic.ana.code}/ending/", {"ending": "agreed", "on": today.isoformat()}
    )
    assert response.status_code == 302
    ended = _episode(clinic, "ana")
    assert (ended.closed_on, ended.ending) == (today, "agreed")
    with acting_as(BY):
        assert AuditEvent.objects.filter(action="episode closed", subject=clinic.ana.code).exists()


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"ending": "", "on": 0}, "ending", "required"),
        ({"ending": "vanished", "on": 0}, "ending", "not one of"),
        ({"ending": "agreed", "on": 40}, "on", "There was a session on"),
        ({"ending": "agreed", "on": 400}, "on", "between the opening and today"),
        ({"ending": "agreed", "on": -1}, "on", "between the opening and today"),
        ({"ending": "agreed", "on": None}, "on", "Enter a valid date"),
    ],
)
def test_a_wrong_ending_is_said_beside_its_field_and_nothing_is_written(
    clinic, browser_of, given, field, said
):
    on = given["on"]
    day = "tomorrow" if on is None else (clinic_time.today() - timedelta(days=on)).isoformat()
    response = browser_of("alice").post(
        f"/clients/{clinic.ana.code}/ending/", {"ending": given["ending"], "on": day}
    )
    assert response.status_code == 422
    assert said in str(response.context["form"].errors[field])
    assert day in response.content.decode()
    assert _episode(clinic, "ana").is_open


def test_an_ended_episode_has_no_ending_page(clinic, browser_of):
    browser = browser_of("alice")
    path = f"/clients/{clinic.ana.code}/ending/"
    browser.post(path, {"ending": "agreed", "on": clinic_time.today().isoformat()})
    assert browser.get(path).status_code == 404


def test_a_supervisor_hands_a_client_over_and_sees_loads_not_results(clinic, browser_of):
    browser = browser_of("sofia")
    path = f"/clients/{clinic.ana.code}/transfer/"
    choices = [label for value, label in browser.get(path).context["form"]["to"].field.choices]
    # Bob leads Boris, Clara and Dina, none of whom Sofia may see; Alice has the client already.
    assert "Bob Birch · 3 open clients" in choices
    assert not any("Alice" in label for label in choices)
    today = clinic_time.today()
    given = {"to": clinic.clinicians["bob"].pk, "on": today.isoformat(), "reason": "Evenings"}
    assert browser.post(path, given).status_code == 302
    with acting_as(BY):
        lead = _episode(clinic, "ana").assignments.get(part="lead", to_on=None)
        assert (lead.clinician_id, lead.from_on) == (clinic.clinicians["bob"].pk, today)


def test_a_transfer_to_whom_has_the_client_or_without_a_reason_is_refused(clinic, browser_of):
    path = f"/clients/{clinic.ana.code}/transfer/"
    day = clinic_time.today().isoformat()
    to_alice = {"to": clinic.clinicians["alice"].pk, "on": day, "reason": "again"}
    silent = {"to": clinic.clinicians["bob"].pk, "on": day, "reason": ""}
    early = {
        "to": clinic.clinicians["bob"].pk,
        "on": (clinic_time.today() - timedelta(days=90)).isoformat(),
        "reason": "before it began",
    }
    browser = browser_of("sofia")
    for given, field in ((to_alice, "to"), (silent, "reason"), (early, "on")):
        response = browser.post(path, given)
        assert response.status_code == 422
        assert list(response.context["form"].errors) == [field]


def test_somebody_who_comes_back_gets_a_new_episode(clinic, browser_of):
    today = clinic_time.today()
    browser_of("alice").post(
        f"/clients/{clinic.ana.code}/ending/", {"ending": "agreed", "on": today.isoformat()}
    )
    desk = browser_of("fred")
    path = f"/clients/{clinic.ana.code}/return/"
    assert path in desk.get("/clients/").content.decode()
    given = {
        "programme": clinic.therapy.pk,
        "lead": clinic.clinicians["bob"].pk,
        "opened_on": today.isoformat(),
        "purpose": "stay_well",
    }
    assert desk.post(path, given).status_code == 302
    with acting_as(BY):
        again = Episode.objects.get(client=clinic.ana, closed_on=None)
        assert (again.purpose, again.opened_on) == ("stay_well", today)


@pytest.mark.parametrize(
    ("who", "page"), [("ruth", "ending"), ("ruth", "transfer"), ("felix", "return")]
)
def test_a_stranger_gets_404(clinic, browser_of, who, page):
    path = f"/clients/{clinic.ana.code}/{page}/"
    browser = browser_of(who)
    assert browser.get(path).status_code == 404
    assert browser.post(path, {}).status_code == 404


def test_an_ending_says_in_one_sentence_what_was_reached(clinic, browser_of):
    today = clinic_time.today()
    with acting_as(BY):
        measures.sync_library()
        for session, total in zip(clinic.sessions["ana"][:2], (15.0, 30.0), strict=True):
            score(clinic.episodes["ana"], session, "outcome-adult", total)
    page = browser_of("alice").post(
        f"/clients/{clinic.ana.code}/ending/",
        {"ending": "agreed", "on": today.isoformat()},
        follow=True,
    )
    assert page.context["reached"] == "15 at the start, 30 at the end: recovered."
    assert page.context["reached"] in page.content.decode()


def _due_at_the_end(clinic, browser):
    """The fields of Ana's last measure on her ending page, by the item's name."""
    page = browser.get(f"/clients/{clinic.ana.code}/ending/")
    form = page.context["form"]
    return [name for name in form.fields if name not in ("ending", "on")]


def _scored_but_for_the_last(clinic):
    with acting_as(BY):
        measures.sync_library()
        for session in clinic.sessions["ana"][:-1]:
            score(clinic.episodes["ana"], session, "outcome-adult", 15.0)


def _measures_at_the_last(clinic):
    with acting_as(BY):
        rows = Administration.objects.filter(session=clinic.sessions["ana"][-1])
        return [(row.total, row.not_taken) for row in rows]


def test_a_last_measure_is_typed_on_the_ending_page_and_counts_in_what_was_reached(
    clinic, browser_of
):
    _scored_but_for_the_last(clinic)
    alice = browser_of("alice")
    fields = _due_at_the_end(clinic, alice)
    marks = dict.fromkeys([name for name in fields if not name.endswith("_not_taken")], "75")
    assert len(marks) == 4
    given = {"ending": "agreed", "on": clinic_time.today().isoformat(), **marks}
    page = alice.post(f"/clients/{clinic.ana.code}/ending/", given, follow=True)
    assert page.context["reached"] == "15 at the start, 30 at the end: recovered."
    assert _measures_at_the_last(clinic) == [(30, "")]


@pytest.mark.parametrize(
    ("reason", "kept"), [("declined", [(None, "declined")]), ("", [])], ids=["a reason", "nothing"]
)
def test_an_ending_waits_for_no_measure(clinic, browser_of, reason, kept):
    _scored_but_for_the_last(clinic)
    alice = browser_of("alice")
    why = next(name for name in _due_at_the_end(clinic, alice) if name.endswith("_not_taken"))
    given = {"ending": "client_stopped", "on": clinic_time.today().isoformat(), why: reason}
    assert alice.post(f"/clients/{clinic.ana.code}/ending/", given).status_code == 302
    assert not _episode(clinic, "ana").is_open
    assert _measures_at_the_last(clinic) == kept


def test_a_wrong_mark_or_ending_keeps_what_was_typed_and_nothing_is_half_written(
    clinic, browser_of
):
    _scored_but_for_the_last(clinic)
    alice = browser_of("alice")
    fields = _due_at_the_end(clinic, alice)
    today = clinic_time.today()
    early = (today - timedelta(days=400)).isoformat()
    for on, mark, wrong in ((today.isoformat(), "750", fields[0]), (early, "75", "on")):
        given = {"ending": "agreed", "on": on, fields[0]: mark}
        answer = alice.post(f"/clients/{clinic.ana.code}/ending/", given)
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [wrong]
        assert f'value="{mark}"' in answer.content.decode()
        assert _episode(clinic, "ana").is_open
        assert _measures_at_the_last(clinic) == []


def test_where_the_last_measure_is_in_or_nobody_came_nothing_is_asked(clinic, browser_of):
    _scored_but_for_the_last(clinic)
    with acting_as(BY):
        score(clinic.episodes["ana"], clinic.sessions["ana"][-1], "outcome-adult", 20.0)
    alice = browser_of("alice")
    assert _due_at_the_end(clinic, alice) == []
    page = alice.get(f"/clients/{clinic.ana.code}/ending/").content.decode()
    assert "It is in: nothing more is asked." in page


@pytest.mark.parametrize(
    ("totals", "said"),
    [
        ((), "No score was taken: what was reached isn't known."),
        ((15.0,), "15 at the start and no second score: what was reached isn't known."),
        ((15.0, 17.0), "15 at the start, 17 at the end: no reliable change."),
        ((22.0, 12.0), "22 at the start, 12 at the end: lower than at the start."),
        ((10.0, 20.0), "10 at the start, 20 at the end: reliably better."),
    ],
)
def test_what_was_reached_is_said_without_a_verdict(clinic, browser_of, totals, said):
    with acting_as(BY):
        measures.sync_library()
        for session, total in zip(clinic.sessions["ana"], totals, strict=False):
            score(clinic.episodes["ana"], session, "outcome-adult", total)
        actions.close_episode(
            episode=clinic.episodes["ana"], on=clinic_time.today(), ending="client_stopped", by=BY
        )
    page = browser_of("alice").get(f"/clients/{clinic.ana.code}/")
    assert page.context["reached"] == said


# --- somebody has died ------------------------------------------------------------------------


@pytest.fixture
def died(clinic, browser_of):
    """Dina, in Bob's care and unknown to him in Carol's: a link, a flag, sessions to come."""
    now = clinic_time.now()
    with acting_as(BY):
        measures.sync_library()
        clinic.coming = actions.book_session(
            episode=clinic.episodes["dina"], starts_at=now + timedelta(days=3), by=BY
        )
        clinic.hidden = actions.book_session(
            episode=clinic.episodes["dina_restricted"], starts_at=now + timedelta(days=3), by=BY
        )
        clinic.unsaid = actions.book_session(
            episode=clinic.episodes["dina"], starts_at=now - timedelta(days=2), by=BY
        )
        clinic.links = [
            actions.make_link(session=s, respondent=clinic.dina.respondents.get(), by=who)
            for s, who in ((clinic.coming, clinic.bob), (clinic.hidden, clinic.carol))
        ]
        measure_actions.decide(
            episode=clinic.episodes["dina"], decision="continue", by=clinic.bob,
            follow_up_on=clinic_time.today(),
        )  # fmt: skip
        Flag.objects.create(
            client=clinic.dina, episode=clinic.episodes["dina"], rule="overdue", kind="review",
            rule_set=flagging.current_rule_set(clinic_time.today()), evidence={},
            raised_on=clinic_time.today(),
        )  # fmt: skip
    bob = browser_of("bob")
    for page in ("/today/", "/review/"):
        assert clinic.dina.code in bob.get(page).content.decode(), page
    given = {"ending": "died", "on": clinic_time.today().isoformat()}
    clinic.answer = bob.post(f"/clients/{clinic.dina.code}/ending/", given, follow=True)
    return clinic


def test_a_death_silences_links_diary_and_queue_at_once(died, browser_of):
    assert "Nothing more is asked or sent." in died.answer.content.decode()
    assert died.answer.context["reached"] == ""
    for _link, token in died.links:
        page = Browser().get(f"/m/{token}/")
        assert "entry/link_closed.html" in [template.name for template in page.templates]
    with acting_as(BY):
        assert not EntryLink.objects.filter(client=died.dina, revoked_at=None).exists()
        assert set(died.dina.episodes.values_list("ending", flat=True)) == {"died"}
        for who in ("bob", "carol"):
            assert selectors.diary(died.coming.held_on, died.users[who]) == []
            assert not selectors.unconfirmed(died.users[who], clinic_time.today()).exists()
        assert unconfirmed_clinicians(clinic_time.today()) == set()
    bob = browser_of("bob")
    for page in ("/today/", "/review/"):
        assert died.dina.code not in bob.get(page).content.decode(), page


def test_an_answer_that_could_not_wait_is_passed_on_no_further_after_a_death(clinic, mailoutbox):
    with acting_as(BY):
        measures.sync_library()
        score(clinic.episodes["ana"], clinic.sessions["ana"][0], "outcome-adult", 15.0)
        row = Administration.objects.get(client=clinic.ana)
        alert = measure_actions.raise_alert(administration=row, items=(), by=BY)
        assert [one.alert for one in alerts.waiting(clinic.alice)] == [alert]
        actions.close_episode(
            episode=clinic.episodes["ana"], on=clinic_time.today(), ending="died", by=clinic.alice
        )
        assert alerts.waiting(clinic.alice) == []
        told = measure_actions.tell_of_alert(alert=alert, part=alerts.CLINICIAN, by=BY)
        alert = ItemAlert.objects.get(pk=alert.pk)
        alerts.mail_about(alert, clinic.alice, "id")
    assert (told, mailoutbox) == ([], [])


def test_after_a_death_nobody_can_ask_again(died, browser_of):
    with acting_as(BY), pytest.raises(ValidationError, match="Nothing more is asked"):
        actions.make_link(session=died.coming, respondent=died.dina.respondents.get(), by=died.bob)
    assert browser_of("bob").get(f"/sessions/{died.coming.pk}/links/").status_code == 404
    desk = browser_of("fred")
    path = f"/clients/{died.dina.code}/return/"
    assert path not in desk.get("/clients/").content.decode()
    assert desk.get(path).status_code == 404


def test_a_death_before_a_session_elsewhere_is_refused_and_nothing_ends(clinic, browser_of):
    """Carol saw Dina 38 days ago: Bob, who doesn't know, is told no more than that."""
    day = clinic_time.today() - timedelta(days=40)
    answer = browser_of("bob").post(
        f"/clients/{clinic.dina.code}/ending/", {"ending": "died", "on": day.isoformat()}
    )
    assert answer.status_code == 422
    assert "saw this client after that day" in str(answer.context["form"].errors["on"])
    assert _episode(clinic, "dina").is_open
    assert _episode(clinic, "dina_restricted").is_open


# --- from a decision to its act ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "decision", "page"),
    [
        ("alice", "end", "ending"),
        ("alice", "refer", "ending"),
        ("sofia", "transfer", "transfer"),
        ("sofia", "end", None),
        ("alice", "transfer", None),
        ("alice", "continue", None),
    ],
)
def test_a_decision_leads_on_to_its_act_for_who_may(clinic, browser_of, who, decision, page):
    browser, code = browser_of(who), clinic.ana.code
    given = {"seen_reviews": 0, "decision": decision, "note": "as agreed"}
    answer = browser.post(f"/review/{code}/", given)
    if page is None:
        assert answer["Location"] == "/review/"
        return
    assert answer["Location"].startswith(f"/clients/{code}/{page}/?episode=")
    opened = browser.get(answer["Location"])
    assert opened.status_code == 200
    if decision == "refer":
        assert opened.context["form"]["ending"].value() == "referred"


def test_a_transfer_to_whoever_has_left_or_comes_later_is_refused(clinic, browser_of):
    today, bob = clinic_time.today(), clinic.clinicians["bob"]
    path = f"/clients/{clinic.ana.code}/transfer/"
    given = {"to": bob.pk, "on": today.isoformat(), "reason": "Evenings"}
    for gone in (
        {"active_to": today - timedelta(days=1)},
        {"active_from": today + timedelta(days=9)},
    ):
        with acting_as(BY):
            Clinician.objects.filter(pk=bob.pk).update(**gone)
            bob.refresh_from_db()
            with pytest.raises(ValidationError) as refused:
                actions.transfer_episode(
                    episode=clinic.episodes["ana"], to=bob, on=today, reason="x", by=clinic.sofia
                )
            assert list(refused.value.error_dict) == ["to"]
        answer = browser_of("sofia").post(path, given)
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["to"])
        with acting_as(BY):
            Clinician.objects.filter(pk=bob.pk).update(active_to=None, active_from=None)
