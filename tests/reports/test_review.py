"""From the queue to a recorded decision: who sees what, two at once, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Flag
from reports_app.nightly import run_night
from reports_app.queue import queue_of
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import CaseReview, Episode
from tests.cast import BY, Clinic
from tests.reports.conftest import FALLING, browser_text, score

TODAY = clinic_time.today()


@pytest.fixture
def second_supervisor(flagged: Clinic) -> Browser:
    with acting_as(BY):
        user = actions.add_user(email="sven@clinic.example", name="Sven Spindle", by=BY)
        actions.grant_role(user=user, role="supervisor", by=BY)
        actions.supervise(supervisor=user, clinician=flagged.clinicians["alice"], by=BY)
    browser = Browser()
    browser.force_login(user)
    return browser


def _decision(**more: Any) -> dict[str, Any]:
    return {
        "seen_reviews": 0, "decision": "change_approach", "note": "Ask about goals",
        "follow_up_on": (TODAY + timedelta(days=28)).isoformat(), **more,
    }  # fmt: skip


def _live(clinic: Clinic) -> list[str]:
    with acting_as(BY):
        rows = Flag.objects.live().for_review().filter(episode=clinic.episodes["ana"])
        return sorted(rows.values_list("rule", flat=True))


def _reviews() -> list[CaseReview]:
    with acting_as(BY):
        return list(CaseReview.objects.select_related("client__key", "recorded_by"))


def test_one_entry_a_client_with_its_strongest_reason(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    text = browser_text(browser_of("sofia"), "/review/")
    assert {"deteriorated", "overdue"} <= set(_live(flagged))
    assert text.count("Reliably lower than at the start: 26 then, 12 now.") == 1
    assert "nobody yet" in text
    assert f'aria-label="Take up {flagged.ana.code}"' in (
        browser_of("sofia").get("/review/").content.decode()
    )


def test_from_queue_to_decision_in_four_clicks_and_a_sentence(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    """Take up, choose, record: each form is posted as the page before gave it."""
    sofia = browser_of("sofia")
    code, episode = flagged.ana.code, flagged.episodes["ana"]
    taken = sofia.post(f"/review/{code}/take-up/", {"episode": episode.pk})
    assert taken["Location"] == f"/review/{code}/?episode={episode.pk}"
    page = sofia.get(taken["Location"])
    assert page.context["form"].initial["follow_up_on"] > TODAY  # nothing to type but why
    done = sofia.post(taken["Location"], _decision())
    assert (done.status_code, done["Location"]) == (302, "/review/")
    assert _live(flagged) == []
    assert [(r.decision, r.note, r.recorded_by.name) for r in _reviews()] == [
        ("change_approach", "Ask about goals", "Sofia Spruce")
    ]
    assert "Nobody this week" in browser_text(sofia, "/review/")


def test_the_second_of_two_sees_the_firsts_decision_and_keeps_what_was_typed(
    flagged: Clinic, browser_of: Callable[[str], Browser], second_supervisor: Browser
) -> None:
    door = f"/review/{flagged.ana.code}/"
    assert browser_of("sofia").post(door, _decision(note="First")).status_code == 302
    late = second_supervisor.post(door, _decision(note="Second thoughts", decision="consult"))
    text = late.content.decode()
    assert late.status_code == 409
    assert "Someone decided on this case while you were writing." in text
    assert "First" in text
    assert "Second thoughts" in text
    assert len(_reviews()) == 1
    form = late.context["form"]
    typed = _decision(note="Second thoughts", decision="consult")
    typed["seen_reviews"] = form["seen_reviews"].value()
    again = second_supervisor.post(door, typed)
    assert (again.status_code, len(_reviews())) == (302, 2)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"follow_up_on": (TODAY - timedelta(days=1)).isoformat()}, "follow_up_on"),
        ({"follow_up_on": "soon"}, "follow_up_on"),
        ({"decision": ""}, "decision"),
        ({"decision": "give_up"}, "decision"),
        ({"note": ""}, "note"),
    ],
)
def test_what_cant_be_recorded_is_said_beside_its_field(
    flagged: Clinic, browser_of: Callable[[str], Browser], sent: dict[str, str], field: str
) -> None:
    answer = browser_of("sofia").post(
        f"/review/{flagged.ana.code}/", _decision(client_said="Wants to stop smoking", **sent)
    )
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert "Wants to stop smoking" in answer.content.decode()
    assert _reviews() == []
    assert _live(flagged)


def test_an_ended_episode_takes_no_decision(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(BY):
        actions.close_episode(episode=flagged.episodes["ana"], on=TODAY, ending="agreed", by=BY)
    door = f"/review/{flagged.ana.code}/"
    answer = browser_of("sofia").post(door, _decision())
    assert (answer.status_code, _reviews()) == (422, [])
    assert "ended" in answer.content.decode()


def test_nothing_to_take_up_is_said_and_not_an_error_page(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    sofia = browser_of("sofia")
    sofia.post(f"/review/{flagged.ana.code}/", _decision())
    answer = sofia.post(f"/review/{flagged.ana.code}/take-up/", follow=True)
    assert "There is nothing to take up any more." in answer.content.decode()


def test_a_client_with_two_episodes_is_taken_up_in_the_flagged_one(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    """An ended episode before and a newer one beside: neither is what the flag is about."""
    with acting_as(BY):
        old = actions.open_episode(
            client=flagged.ana, programme=flagged.therapy, lead=flagged.clinicians["alice"],
            opened_on=TODAY - timedelta(days=400), by=BY,
        )  # fmt: skip
        actions.close_episode(episode=old, on=TODAY - timedelta(days=300), ending="agreed", by=BY)
        groups = actions.add_programme(name="Groups", by=BY)
        actions.open_episode(
            client=flagged.ana, programme=groups, lead=flagged.clinicians["alice"],
            opened_on=TODAY - timedelta(days=2), by=BY,
        )  # fmt: skip
    sofia, code = browser_of("sofia"), flagged.ana.code
    taken = sofia.post(f"/review/{code}/take-up/")
    assert taken["Location"].endswith(f"?episode={flagged.episodes['ana'].pk}")
    assert sofia.get(f"/review/{code}/").context["episode"] == flagged.episodes["ana"]
    sofia.post(f"/review/{code}/", _decision())
    assert [r.episode_id for r in _reviews()] == [flagged.episodes["ana"].pk]


def _more(clinic: Clinic, count: int) -> list[Episode]:
    episodes = []
    for number in range(count):
        client = actions.register_client(
            by=BY, site=clinic.north, name=f"More {number}", birth_year=1980
        )
        episode = actions.open_episode(
            client=client, programme=clinic.therapy, lead=clinic.clinicians["alice"],
            opened_on=TODAY - timedelta(days=70), by=BY,
        )  # fmt: skip
        for session, total in zip((60, 50, 40, 30, 20, 10), FALLING, strict=True):
            held = actions.record_session(
                episode=episode, held_on=TODAY - timedelta(days=session), by=BY
            )
            score(episode, held, "outcome-adult", total + number / 10)
        episodes.append(episode)
    return episodes


def test_beyond_the_weeks_room_folds_and_what_is_taken_up_stays_in_sight(flagged: Clinic) -> None:
    with acting_as(BY):
        _more(flagged, 3)
        run_night(clinic_time.today())
        everyone = queue_of(flagged.sofia, 20)
        last = everyone.talk[-1].episode
    with acting_as(flagged.sofia):
        measure_actions.take_up(episode=last, by=flagged.sofia)
    with acting_as(BY):
        found = queue_of(flagged.sofia, 2)
    assert (found.talk_total, found.beyond_total) == (4, 1)
    assert [row.episode for row in found.talk][-1] == last
    assert found.talk[-1].owner == flagged.sofia
    clients = [row.client.pk for row in (*found.talk, *found.beyond)]
    assert len(clients) == len(set(clients)) == 4


def test_the_list_stands_in_the_order_of_what_a_look_would_bring(flagged: Clinic) -> None:
    """As the night stored it; a flag nobody has for four weeks overtakes one that is .05 above."""
    with acting_as(BY):
        episodes = _more(flagged, 3)
        run_night(clinic_time.today())
        worse = Flag.objects.filter(rule="deteriorated")
        assert worse.count() == 4
        Flag.objects.exclude(rule="deteriorated").update(benefit=0.0)
        for episode, benefit in zip(episodes, (0.40, 0.45, 0.70), strict=True):
            worse.filter(episode=episode).update(benefit=benefit)
        worse.filter(episode=flagged.episodes["ana"]).update(benefit=0.50)
        first, second, third = episodes

        def order() -> list[Episode]:
            return [row.episode for row in queue_of(flagged.sofia, 20).talk]

        assert order() == [third, flagged.episodes["ana"], second, first]
        weeks_ago = TODAY - timedelta(weeks=4)
        worse.filter(episode=first).update(raised_on=weeks_ago)
        assert order() == [third, flagged.episodes["ana"], first, second]


def test_what_waits_below_the_line_is_shown_apart_and_raised_by_taking_it_up(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(BY):
        measures.sync_library()
        actions.set_policy(key="notice_above", value=0.95, by=BY)
        for session, total in zip(clinic.sessions["ana"], FALLING, strict=True):
            score(clinic.episodes["ana"], session, "outcome-adult", total)
        run_night(TODAY)
        found = queue_of(clinic.sofia, 20)
    assert (found.talk, found.waiting_total) == ([], 1)
    assert found.waiting[0].client == clinic.ana
    sofia, code = browser_of("sofia"), clinic.ana.code
    assert f'aria-label="Take up {code}"' in sofia.get("/review/").content.decode()
    assert sofia.post(f"/review/{code}/take-up/").status_code == 302
    with acting_as(BY):
        flags = list(Flag.objects.for_review().filter(episode=clinic.episodes["ana"]))
        assert {(f.state, f.owner, f.raised_on) for f in flags} == {
            ("taken_up", clinic.sofia, TODAY)
        }
        run_night(TODAY)
        found = queue_of(clinic.sofia, 20)
    assert (len(found.talk), found.waiting_total) == (1, 0)


def test_a_supervisor_sees_their_clinicians_clients_only(
    flagged: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(BY):
        other = actions.add_user(email="sia@clinic.example", name="Sia Sorrel", by=BY)
        actions.grant_role(user=other, role="supervisor", by=BY)
        actions.supervise(supervisor=other, clinician=flagged.clinicians["ruth"], by=BY)
    stranger = Browser()
    stranger.force_login(other)
    code = flagged.ana.code
    assert code not in browser_text(stranger, "/review/")
    assert "Ana Oliveira" not in browser_text(stranger, "/caseload/")
    for door in (f"/review/{code}/", f"/clients/{code}/", f"/clients/{code}/case-review.pdf"):
        assert stranger.get(door).status_code == 404
    assert stranger.post(f"/review/{code}/take-up/").status_code == 404
    assert stranger.post(f"/review/{code}/", _decision()).status_code == 404
    assert _reviews() == []


@pytest.mark.parametrize("door", ["/agency/", "/reports/{month}/", "/rules/"])
def test_a_director_sees_no_client(
    flagged: Clinic, browser_of: Callable[[str], Browser], door: str
) -> None:
    text = browser_text(browser_of("dora"), door.format(month=f"{TODAY:%Y-%m}"))
    for client in flagged.clients.values():
        assert client.code not in text
    assert "Oliveira" not in text


def test_the_caseload_filters_the_whole_caseload(
    flagged: Clinic, browser_of: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One flagged client, on a later page of the list, is found by the filter."""
    from reports_app.views import clients

    monkeypatch.setattr(clients, "ROWS_A_PAGE", 1)
    with acting_as(BY):
        new = actions.register_client(by=BY, site=flagged.north, name="Newer", birth_year=1990)
        actions.open_episode(
            client=new, programme=flagged.therapy, opened_on=TODAY,
            lead=flagged.clinicians["alice"], by=BY,
        )  # fmt: skip
    alice = browser_of("alice")
    assert "Ana Oliveira" not in browser_text(alice, "/caseload/")
    assert "Ana Oliveira" in browser_text(alice, "/caseload/?show=flagged")
    assert "Newer" not in browser_text(alice, "/caseload/?show=flagged")
    assert "Newer" in browser_text(alice, "/caseload/?show=waiting")
