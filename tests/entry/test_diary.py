"""The day's diary: whose it is, one tap each, and files that are booked whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Session
from tests.cast import BY, Clinic

Sign = Callable[[str], Browser]


def _book(clinic: Clinic, key: str = "ana", days: int = 0, hour: int = 9) -> Session:
    with acting_as(BY):
        day = clinic_time.today() + timedelta(days=days)
        return actions.book_session(
            episode=clinic.episodes[key], starts_at=clinic_time.at(day, hour), by=BY
        )


def _status(session: Session) -> tuple[str, str]:
    with acting_as(BY):
        now = Session.objects.get(pk=session.pk)
    return now.status, now.obstacle


def _all() -> int:
    with acting_as(BY):
        return Session.objects.count()


def _typed(**other: str) -> dict[str, str]:
    return {"client": "", "time": "09:00", "minutes": "50", "kind": "treatment"} | other


def test_the_desk_sees_everyones_day_and_a_clinician_their_own(
    clinic: Clinic, browser_of: Sign
) -> None:
    _book(clinic)
    _book(clinic, "boris", hour=11)
    at_desk = browser_of("fred").get("/schedule/").content.decode()
    assert "Ana Oliveira" in at_desk
    assert "Boris Petrov" in at_desk
    mine = browser_of("alice").get("/schedule/").content.decode()
    assert "Ana Oliveira" in mine
    assert "Boris Petrov" not in mine


def test_hours_are_the_clinics_own(clinic: Clinic, browser_of: Sign, settings: Any) -> None:
    """What is stored is UTC, and no page may say so."""
    settings.CLINIC_TIME_ZONE = "Asia/Kathmandu"  # a quarter of an hour beside every other
    session = _book(clinic, hour=9)
    assert session.meeting.starts_at.strftime("%H:%M") == "03:15"
    page = browser_of("alice").get("/schedule/").content.decode()
    assert ">09:00<" in page
    assert "03:15" not in page


def test_a_whole_clinics_day_is_read_by_site_and_in_pages(
    clinic: Clinic, browser_of: Sign, monkeypatch: Any
) -> None:
    sessions = [_book(clinic, hour=9), _book(clinic, "boris", hour=11)]
    with acting_as(BY):
        client = actions.register_client(by=BY, site=clinic.south, name="Sol Southern")
        episode = actions.open_episode(
            client=client,
            programme=clinic.therapy,
            opened_on=clinic_time.today(),
            lead=clinic.clinicians["ruth"],
            site=clinic.south,
            by=BY,
        )
        actions.book_session(
            episode=episode, starts_at=clinic_time.at(clinic_time.today(), 10), by=BY
        )
    desk = browser_of("fred")

    def codes(address: str) -> list[str]:
        rows = desk.get(address).content.decode()
        known = {"ana": clinic.ana.code, "boris": clinic.clients["boris"].code, "sol": client.code}
        return [name for name, code in known.items() if f">{code}</span></th>" in rows]

    assert codes("/schedule/") == ["ana", "boris", "sol"]
    assert codes(f"/schedule/?site={clinic.south.pk}") == ["sol"]
    assert codes(f"/schedule/?site={clinic.north.pk}") == ["ana", "boris"]
    monkeypatch.setattr("sessions_app.views.schedule.ROWS_A_PAGE", 1)
    north = f"/schedule/?site={clinic.north.pk}"
    assert [codes(north), codes(f"{north}&page=2")] == [["ana"], ["boris"]]
    assert "2 sessions" in desk.get(north).content.decode()  # of the day, not of the page
    # A tap on the second page of a site leads back to it.
    tap = f"/sessions/{sessions[1].pk}/attendance/?site={clinic.north.pk}&page=2&x=/elsewhere"
    assert tap.replace("&x=/elsewhere", "").replace("&", "&amp;") in (
        desk.get(f"{north}&page=2").content.decode()
    )
    back = desk.post(tap, {"status": "arrived"}).headers["Location"]
    day = clinic_time.today().isoformat()
    assert back == (f"/schedule/?day={day}&site={clinic.north.pk}&page=2#session-{sessions[1].pk}")


def test_a_clinician_books_their_own_client_by_code_or_name(
    clinic: Clinic, browser_of: Sign
) -> None:
    alice, browser = clinic.clinicians["alice"], browser_of("alice")
    for time, text in (("09:00", clinic.ana.code.lower()), ("10:00", "Ana Oliveira")):
        typed = _typed(client=text, time=time, clinician=str(alice.pk))
        assert browser.post("/schedule/", typed).status_code == 302
    with acting_as(BY):
        booked = Session.objects.filter(status="booked", client=clinic.ana)
        assert [list(s.meeting.clinicians.all()) for s in booked] == [[alice], [alice]]


BOOKED_WRONG = [
    ({"client": "NOBODY"}, "client", "There is no client “NOBODY” here."),
    ({"client": "Boris Petrov"}, "client", "There is no client"),
    ({"time": "25:00"}, "time", "Enter a valid time."),
    ({"minutes": "0"}, "minutes", "greater than or equal to 5"),
    ({"clinician": "bob"}, "clinician", "Select a valid choice"),
]


def test_what_cannot_be_booked_is_said_beside_its_field_and_what_was_typed_stays(
    clinic: Clinic, browser_of: Sign
) -> None:
    """Boris is out of Ruth's scope, so for her there is no such client."""
    before = _all()
    for change, field, words in BOOKED_WRONG:
        who = "ruth" if "Boris" in change.get("client", "") else "alice"
        typed = _typed(client=clinic.ana.code, clinician=str(clinic.clinicians[who].pk)) | change
        if change.get("clinician"):
            typed["clinician"] = str(clinic.clinicians[change["clinician"]].pk)
        response = browser_of(who).post("/schedule/", typed)
        assert response.status_code == 422
        form = response.context["book"]
        assert words in " ".join(form.errors[field])
        assert form["client"].value() == typed["client"]
    assert _all() == before


def test_one_tap_says_what_became_of_a_session_and_another_what_stood_in_the_way(
    clinic: Clinic, browser_of: Sign
) -> None:
    session, fred = _book(clinic), browser_of("fred")
    door = f"/sessions/{session.pk}/attendance/"
    fred.post(door, {"status": "arrived"})
    assert "arrived" in browser_of("alice").get("/today/").content.decode()
    fred.post(door, {"status": "no_show"})
    fred.post(door, {"status": "no_show", "obstacle": "transport"})
    assert _status(session) == ("no_show", "transport")
    fred.post(door, {"status": "booked"})
    assert _status(session) == ("booked", "")


def _taps(page: str, session: Session) -> list[str]:
    """What one tap says of a session on this page."""
    form = page.partition(f'action="/sessions/{session.pk}/attendance/')[2].partition("</form>")[0]
    return re.findall(r'name="status" value="(\w+)"', form)


def test_each_way_a_booked_hour_ends_is_one_tap_and_one_tap_takes_it_back(
    clinic: Clinic, browser_of: Sign
) -> None:
    session, alice = _book(clinic), browser_of("alice")
    door = f"/sessions/{session.pk}/attendance/"

    def tap(status: str) -> list[str]:
        answer = alice.post(door, {"status": status, "back": "today"}, follow=True)
        return _taps(answer.content.decode(), session)

    first = _taps(alice.get("/today/").content.decode(), session)
    assert first == ["arrived", "no_show", "late_cancel", "clinic_cancel"]
    for status in first[1:]:
        assert tap(status) == ["booked"]
        assert _status(session)[0] == status
        assert tap("booked") == first
    # Two were booked for one hour: this one came, and we had no time.
    assert "not_seen_by_us" in tap("arrived")
    tap("not_seen_by_us")
    assert _status(session)[0] == "not_seen_by_us"


def test_a_tap_cannot_undo_or_make_an_entered_session(clinic: Clinic, browser_of: Sign) -> None:
    session, alice = clinic.sessions["ana"][0], browser_of("alice")
    page = alice.post(
        f"/sessions/{session.pk}/attendance/", {"status": "no_show"}, follow=True
    ).content.decode()
    assert "This session was entered" in page
    assert _status(session)[0] == "attended"
    booked = _book(clinic)
    alice.post(f"/sessions/{booked.pk}/attendance/", {"status": "attended"})
    assert _status(booked)[0] == "booked"


def test_a_day_ahead_offers_only_what_can_be_said_of_it(clinic: Clinic, browser_of: Sign) -> None:
    session, alice = _book(clinic, days=1), browser_of("alice")
    page = alice.get(f"/today/?day={session.held_on}").content.decode()
    assert "Did not come" not in page
    assert "We cancelled" in page
    alice.post(f"/sessions/{session.pk}/attendance/", {"status": "no_show"})
    assert _status(session)[0] == "booked"


def test_a_session_out_of_scope_is_absent_for_taps(clinic: Clinic, browser_of: Sign) -> None:
    session = _book(clinic)
    for who in ("bob", "ruth", "dora", "adam", "felix"):
        door = f"/sessions/{session.pk}/attendance/"
        assert browser_of(who).post(door, {"status": "no_show"}).status_code == 404
    assert _status(session)[0] == "booked"


def _upload(browser: Browser, text: str) -> Any:
    file = SimpleUploadedFile("diary.csv", text.encode())
    return browser.post("/schedule/upload/", {"file": file})


def test_a_diary_file_is_booked_whole(clinic: Clinic, browser_of: Sign) -> None:
    day, before = clinic_time.today() + timedelta(days=3), _all()
    text = "date,time,client,clinician,minutes\n"
    text += f"{day},09:00,{clinic.ana.code},alice,50\n{day},10:00,{clinic.boris.code},bob,\n"
    assert _upload(browser_of("fred"), text).status_code == 302
    assert _all() == before + 2


def test_a_diary_file_with_bad_rows_names_each_and_books_none(
    clinic: Clinic, browser_of: Sign
) -> None:
    day, before = clinic_time.today() + timedelta(days=3), _all()
    text = "date,time,client,clinician,minutes\n"
    for row in (
        f"{day},09:00,{clinic.ana.code},alice",
        f"{day},9 o'clock,{clinic.ana.code},alice",
        f"{day},10:00,{clinic.boris.code},alice",
        f"{day},11:00,{clinic.ana.code},bob",
        f"0001-01-01,00:00,{clinic.ana.code},alice",
        f"{day},12:00,{clinic.ana.code},alice,²",
        f"9999-12-31,12:00,{clinic.ana.code},alice",
        f"{day.replace(year=day.year + 10, day=1)},12:00,{clinic.ana.code},alice",
    ):
        text += row + "\n"
    response = _upload(browser_of("alice"), text)
    assert response.status_code == 422
    rows = [problem.split(":")[0] for problem in response.context["problems"]]
    assert rows == ["Row 3", "Row 5", "Row 6", "Row 7", "Row 8", "Row 9"]
    assert "“bob” has no diary that you can book in" in response.context["problems"][1]
    assert all("too far ahead" in problem for problem in response.context["problems"][4:])
    assert _all() == before


def test_a_file_that_is_no_diary_is_refused_where_it_was_chosen(
    clinic: Clinic, browser_of: Sign
) -> None:
    before, fred = _all(), browser_of("fred")
    for text in ("", "date,time,client\n", "\x00\x01", "date;time;client;clinician\n;;;\n"):
        assert _upload(fred, text).status_code == 422
    assert _all() == before


def test_past_sessions_of_which_nothing_was_said_wait_on_a_page_with_a_tap_each(
    clinic: Clinic, browser_of: Sign
) -> None:
    sessions = [_book(clinic, days=-days) for days in (3, 8, 4)]
    others, to_come = _book(clinic, "dina", days=-3), _book(clinic, days=1)
    alice = browser_of("alice")
    page = alice.get("/backlog/").content.decode()
    places = [page.index(f"/sessions/{s.pk}/attendance/") for s in sessions]
    assert places[0] < places[2] < places[1]  # the newest first
    for absent in (others, to_come, clinic.sessions["ana"][0]):
        assert f"/sessions/{absent.pk}/" not in page
    given = {"status": "no_show", "back": "backlog"}
    after = alice.post(f"/sessions/{sessions[1].pk}/attendance/?page=1", given, follow=True)
    assert after.redirect_chain == [("/backlog/?page=1", 302)]
    assert f"/sessions/{sessions[1].pk}/" not in after.content.decode()
    assert _status(sessions[1]) == ("no_show", "")
    for session in (sessions[0], sessions[2]):
        alice.post(f"/sessions/{session.pk}/attendance/", {"status": "late_cancel"})
    assert "Nothing waits" in alice.get("/backlog/").content.decode()


def test_a_long_backlog_is_read_in_pages_and_today_shows_its_newest(
    clinic: Clinic, browser_of: Sign, monkeypatch: Any
) -> None:
    monkeypatch.setattr("measures_app.views.today.ROWS_A_PAGE", 2)
    monkeypatch.setattr("measures_app.views.today.BACKLOG_SHOWN", 2)
    sessions, alice = [_book(clinic, days=-days) for days in (2, 3, 4)], browser_of("alice")
    shown = alice.get("/today/").content.decode()
    assert [f"/sessions/{s.pk}/" in shown for s in sessions] == [True, True, False]
    assert "All of them" in shown
    pages = [alice.get(f"/backlog/?page={n}").content.decode() for n in (1, 2)]
    assert [[f"/sessions/{s.pk}/" in page for s in sessions] for page in pages] == [
        [True, True, False],
        [False, False, True],
    ]
