"""The respondent's own device: a link that opens one form, and only that, until it is closed."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration
from measures_app.series import as_series, scores
from measures_app.single import series_of_episode
from outcomes_site.joined import SOURCES, joined, place_of
from sessions_app import actions, clinic_time, links
from sessions_app.context import acting_as
from sessions_app.models import Client, EntryLink, Respondent, Session
from tests.cast import BY, Clinic

Sign = Callable[[str], Browser]
ITEMS = {"individual": "6.4", "close": "0.0", "social": "5.0", "overall": "7.1"}


@pytest.fixture
def booked(clinic: Clinic) -> Session:
    """Ana's next session, at the end of today whatever the hour; the library is there."""
    with acting_as(BY):
        measures.sync_library()
        return actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.at(clinic_time.today(), 23, 59),
            by=BY,
        )


def _self(client: Client) -> Respondent:
    return client.respondents.get(relation="self")


@pytest.fixture
def link(clinic: Clinic, booked: Session) -> str:
    """The address that Alice shows Ana."""
    with acting_as(clinic.alice):
        _link, token = actions.make_link(
            session=booked, respondent=_self(clinic.ana), by=clinic.alice
        )
    return f"/m/{token}/"


class Phone:
    """A respondent's browser, with no account."""

    def __init__(self, path: str) -> None:
        self.browser, self.path = Browser(), path
        self.open()

    def open(self) -> Any:
        response = self.browser.get(self.path)
        form = (response.context or {}).get("form")
        if form is not None:
            self.key = str(form["key"].value())
            self.names = {n.split("_", 1)[1]: n for n in form.fields if "_" in n}
        return response

    def send(self, answers: dict[str, str], **more: str) -> Any:
        given = {self.names[item]: value for item, value in answers.items()}
        return self.browser.post(self.path, {"key": self.key, **given, **more})


def _scores() -> list[Administration]:
    with acting_as(BY):
        return list(Administration.objects.current().order_by("pk"))


def test_answers_come_in_by_the_respondents_own_device(link: str, booked: Session) -> None:
    phone = Phone(link)
    assert phone.send(ITEMS, manner="alone").status_code == 200
    (score,) = _scores()
    assert score.total == Decimal("18.5")
    assert (score.provenance, score.manner) == ("own_device", "alone")
    assert (score.session_id, score.recorded_by_id) == (booked.pk, None)


def test_opening_uses_nothing_up_and_sending_twice_is_sending_once(link: str) -> None:
    phone = Phone(link)
    assert [phone.open().status_code for _ in range(3)] == [200] * 3
    assert [phone.send(ITEMS).status_code for _ in range(2)] == [200, 200]
    assert len(_scores()) == 1


def test_a_scanner_that_asks_whether_there_is_a_page_opens_nothing(link: str) -> None:
    assert Browser().head(link).status_code == 200
    for method in ("put", "delete", "options"):
        assert getattr(Browser(), method)(link).status_code == 405
    with acting_as(BY):
        assert EntryLink.objects.get().opened_at is None
    Browser().get(link)
    with acting_as(BY):
        assert EntryLink.objects.get().opened_at is not None


def test_a_second_device_is_told_that_it_came_late(link: str) -> None:
    one, two = Phone(link), Phone(link)
    one.send(ITEMS)
    late = two.send({**ITEMS, "individual": "1.0"})
    assert late.status_code == 409
    assert "came in already" in late.content.decode()
    assert "18.5" not in late.content.decode()
    assert [score.total for score in _scores()] == [Decimal("18.5")]


def test_a_phone_that_keeps_no_cookies_can_send(link: str) -> None:
    """The address is the only right there is, so no cookie has to agree with it."""
    phone = Phone(link)
    phone.browser = Browser(enforce_csrf_checks=True)
    assert phone.send(ITEMS).status_code == 200
    assert len(_scores()) == 1


def test_an_untouched_question_is_asked_about_once_and_may_stay_empty(link: str) -> None:
    phone = Phone(link)
    asked = phone.send({"individual": "6.4"})
    assert asked.status_code == 422
    assert "3 questions have no answer yet" in asked.content.decode()
    assert 'value="6.4"' in asked.content.decode()
    assert _scores() == []
    assert phone.send({"individual": "6.4"}, as_it_is="1").status_code == 200
    (score,) = _scores()
    assert (score.answers["close"], score.total) == (None, None)


def test_how_the_session_was_is_asked_once_it_has_begun(link: str, booked: Session) -> None:
    phone = Phone(link)
    assert "individual" in phone.names
    assert "this same link asks how the session was" in phone.send(ITEMS).content.decode()
    assert phone.open().context.get("form") is None
    with acting_as(BY):
        actions.set_attendance(session=booked, status="attended", by=BY)
    phone.open()
    assert "heard" in phone.names


def test_a_number_outside_the_line_is_refused_in_its_place(link: str) -> None:
    phone = Phone(link)
    response = phone.send({**ITEMS, "close": "11"})
    assert response.status_code == 422
    assert "between 0 and 10, not 11" in response.content.decode()
    assert _scores() == []


def test_a_closed_an_old_and_a_made_up_link_look_the_same(
    clinic: Clinic, booked: Session, link: str, browser_of: Sign
) -> None:
    made_up = Browser().get(f"/m/{uuid.uuid4()}/")
    assert made_up.status_code == 404
    with acting_as(BY):
        row = EntryLink.objects.get(session=booked)
    for who in ("bob", "ruth", "dora", "adam"):
        assert browser_of(who).post(f"/links/{row.pk}/close/").status_code == 404
    phone = Phone(link)
    assert browser_of("alice").post(f"/links/{row.pk}/close/").status_code == 302
    closed = phone.send(ITEMS)
    assert (closed.status_code, closed.content) == (404, made_up.content)
    with acting_as(BY):
        EntryLink.objects.update(revoked_at=None, expires_at=clinic_time.now() - timedelta(1))
    assert Browser().get(link).content == made_up.content
    assert _scores() == []


def test_the_page_of_a_link_names_nobody_and_stores_no_token(
    clinic: Clinic, link: str, booked: Session
) -> None:
    page = Browser().get(link).content.decode()
    for secret in ("Ana", "Oliveira", clinic.ana.code, "Alice"):
        assert secret not in page
    with acting_as(BY):
        assert link.split("/")[2] not in str(EntryLink.objects.values().get(session=booked))


def test_the_holder_of_a_link_reaches_no_other_row(
    clinic: Clinic, booked: Session, link: str
) -> None:
    with acting_as(BY):
        row = EntryLink.objects.get(session=booked)
        mother = actions.add_respondent(client=clinic.ana, relation="carer", by=BY)
    with acting_as(links.holder_of(row.pk)):
        assert [c.code for c in Client.objects.all()] == [clinic.ana.code]
        assert [r.relation for r in Respondent.objects.all()] == ["self"]
        assert not hasattr(Client.objects.get(), "identity")
    with acting_as(BY):
        EntryLink.objects.update(revoked_at=clinic_time.now())
    with acting_as(links.holder_of(row.pk)):
        assert list(Client.objects.all()) == []
    assert mother.pk


def test_each_respondent_is_asked_their_own_and_a_new_link_closes_the_old(
    clinic: Clinic, booked: Session, link: str, browser_of: Sign
) -> None:
    with acting_as(BY):
        carer = actions.add_respondent(client=clinic.ana, relation="carer", label="mother", by=BY)
        child = clinic.ana
        child.birth_year = clinic_time.today().year - 9
        child.save(update_fields=["birth_year"])
    desk = browser_of("fred")
    page = desk.post(f"/sessions/{booked.pk}/links/", {"respondent": carer.pk})
    assert "<svg" in page.content.decode()
    address = re.search(r"http://testserver(/m/[^/]+/)", page.content.decode())
    assert address is not None
    phone = Phone(address.group(1))
    assert all(name.split("_")[0].endswith(f"r{carer.pk}") for name in phone.names.values())
    again = desk.post(f"/sessions/{booked.pk}/links/", {"respondent": carer.pk})
    assert again.status_code == 200
    assert Browser().get(address.group(1)).status_code == 404
    assert Browser().get(link).status_code == 200


def test_links_of_a_session_out_of_scope_are_absent(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    with acting_as(BY):
        asked = {"respondent": _self(clinic.ana).pk}
    for who in ("bob", "ruth", "dora", "adam", "felix"):
        door = f"/sessions/{booked.pk}/links/"
        assert browser_of(who).get(door).status_code == 404
        assert browser_of(who).post(door, asked).status_code == 404


def test_the_form_is_light_and_asks_little_of_the_database(
    link: str, django_assert_max_num_queries: Any
) -> None:
    Browser().get(link)  # what is read once a process isn't the form's own
    with django_assert_max_num_queries(23):
        page = Browser().get(link)
    # Whole: each file of its own would be a way back and forth on a slow phone.
    assert not re.findall(r'(?:href|src)="(?!data:,|#)', page.content.decode())
    assert len(page.content) < 60_000
    short = Browser().get(link, headers={"Accept-Encoding": "gzip"})
    assert short["Content-Encoding"] == "gzip"
    assert len(short.content) < 15_000


def test_what_stands_within_the_form_is_what_its_hash_lets_run(link: str) -> None:
    page = Browser().get(link)
    policy = page["Content-Security-Policy"]
    for element in ("style", "script"):
        (text,) = re.findall(f"<{element}>(.*?)</{element}>", page.content.decode(), re.DOTALL)
        known = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        (allowed,) = re.findall(f"{element}-src ([^;]+)", policy)
        assert f"'sha256-{known}'" in allowed.split()
        assert "'unsafe-inline'" not in allowed
    for other in ("/m/made-up/", "/sign-in/"):  # no other page has any use for them
        strict = Browser().get(other)["Content-Security-Policy"]
        assert "script-src 'self'; style-src 'self' 'sha256-47DEQpj8" in strict
        assert strict.count("sha256-") == 1


def test_answered_before_the_session_it_is_the_next_one_s_score(
    clinic: Clinic, booked: Session, link: str
) -> None:
    """Nobody has said yet that she came: it doesn't take the place of last week's score."""
    with acting_as(BY):
        for session, total in zip(clinic.sessions["ana"][-2:], (20, 24), strict=True):
            measure_actions.record_administration(
                episode=clinic.episodes["ana"], session=session, total=total, provenance="paper",
                measure=measures.get_measure("outcome-adult"), by=BY,
            )  # fmt: skip
    Phone(link).send(ITEMS)
    with acting_as(BY):
        (before,) = series_of_episode(clinic.episodes["ana"])
        assert before == as_series(scores(episode_ids=[clinic.episodes["ana"].pk]))[0]
        actions.set_attendance(session=booked, status="attended", by=BY)
        (after,) = series_of_episode(clinic.episodes["ana"])
    assert (before.t, before.scores) == ((5, 6, 7), (20.0, 24.0, 18.5))
    assert (after.t, after.scores) == (before.t, before.scores)


def test_today_says_whether_a_link_was_opened_and_sent(
    clinic: Clinic, booked: Session, link: str, browser_of: Sign
) -> None:
    alice = browser_of("alice")
    assert "not opened yet" in alice.get("/today/").content.decode()
    Browser().get(link)
    assert "opened" in alice.get("/today/").content.decode().split("link:")[1][:40]
    with acting_as(BY):
        actions.send_link(session=booked, respondent=_self(clinic.ana), way="mail", by=clinic.alice)
    assert "on its way" in alice.get("/today/").content.decode()
    with acting_as(BY):
        EntryLink.objects.filter(way="mail").update(sent_at=clinic_time.now())
    assert "sent" in alice.get("/today/").content.decode().split("link:")[1][:40]


@pytest.mark.parametrize("name", SOURCES)
def test_style_and_script_of_the_form_are_those_of_their_sources(name: str) -> None:
    assert place_of(name).read_text(encoding="utf-8") == joined(name), "run manage.py join_files"
