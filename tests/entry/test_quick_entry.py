"""Typing a session in from paper: what is kept, what is refused, and that it is kept once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client as Browser

from measures_app import measures
from measures_app.models import Administration
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Session
from tests.cast import BY, Clinic

MARKS = {"individual": "64", "close": "0", "social": "5,1", "overall": "7.0"}


@pytest.fixture
def library(clinic: Clinic) -> None:
    with acting_as(BY):
        measures.sync_library()


class Paper:
    """The entry page of one client, as a browser fills it in."""

    def __init__(self, browser: Browser, path: str) -> None:
        self.browser, self.path = browser, path
        self.form = browser.get(path).context["form"]
        self.prefix = {due.measure.purpose: f"{due.key}_" for due in self.form.due}

    def send(self, outcome: dict[str, str], **other: Any) -> Any:
        sent = {
            "key": str(self.form["key"].value()),
            "held_on": clinic_time.today().isoformat(),
            "time": "10:00",
            "status": "attended",
            "minutes": "50",
            "kind": "treatment",
            "format": "individual",
        }
        sent |= {self.prefix["outcome"] + name: mark for name, mark in outcome.items()}
        sent |= {
            self.prefix[name.split("__")[0]] + name.split("__")[1] if "__" in name else name: value
            for name, value in other.items()
        }
        return self.browser.post(self.path, sent)


@pytest.fixture
def paper(
    clinic: Clinic, library: None, browser_of: Callable[[str], Browser]
) -> Callable[..., Paper]:
    def open_page(path: str = "", who: str = "alice") -> Paper:
        return Paper(browser_of(who), path or f"/clients/{clinic.ana.code}/sessions/new/")

    return open_page


@pytest.fixture
def booked(clinic: Clinic, library: None) -> Session:
    with acting_as(BY):
        return actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.at(clinic_time.today(), 9),
            by=BY,
        )


def _scores() -> list[Administration]:
    with acting_as(BY):
        return list(Administration.objects.current().select_related("respondent").order_by("pk"))


def _sessions(clinic: Clinic) -> int:
    with acting_as(BY):
        return Session.objects.filter(client=clinic.ana).count()


def _errors(response: Any) -> dict[str, str]:
    return {name: " ".join(found) for name, found in response.context["form"].errors.items()}


def test_millimetres_points_and_commas_are_read_and_zero_is_an_answer(paper: Any) -> None:
    response = paper().send(MARKS)
    assert response.status_code == 302
    (score,) = _scores()
    assert score.answers == {"individual": "6.4", "close": "0.0", "social": "5.1", "overall": "7.0"}
    assert score.total == Decimal("18.5")
    assert score.provenance == "paper"


def test_an_untouched_line_is_missing_and_makes_no_total(paper: Any) -> None:
    paper().send({**MARKS, "close": ""})
    (score,) = _scores()
    assert score.answers["close"] is None
    assert score.total is None


REFUSED = {
    "101": "With those close to me: the line is 100 mm long, not 101.",
    "10.1": "With those close to me: between 0 and 10, not 10.1.",
    "-1": "With those close to me: between 0 and 10, not -1.",
    "6.45": "With those close to me: 0.1 is the finest step.",
    "9": "With those close to me: 9 could be millimetres or the scale: write 09 or 9.0.",
    "10": "With those close to me: 10 could be millimetres or the scale: write 010 or 10.0.",
    "six": "With those close to me: “six” is not a number.",
    "NaN": "With those close to me: between 0 and 10, not NaN.",
}


def test_what_the_line_cannot_hold_is_refused_naming_the_item(paper: Any, clinic: Clinic) -> None:
    before, page = _sessions(clinic), paper()
    for mark, why in REFUSED.items():
        response = page.send({**MARKS, "close": mark})
        assert response.status_code == 422
        assert _errors(response) == {f"{page.prefix['outcome']}close": why}
        assert f'value="{mark}"' in response.content.decode()
        assert 'value="64"' in response.content.decode()
    assert (_scores(), _sessions(clinic)) == ([], before)


def test_a_reason_is_kept_where_nothing_was_answered(paper: Any) -> None:
    reasons = ["declined", "too_distressed", "no_time", "no_language", "not_asked"]
    for reason in reasons:
        sent = paper().send({}, outcome__not_taken=reason, another="on")
        assert sent.status_code == 302
    rows = [(row.not_taken, row.answers, row.total) for row in _scores()]
    assert rows == [(reason, None, None) for reason in reasons]


def test_it_was_either_taken_or_not(paper: Any) -> None:
    response = paper().send(MARKS, outcome__not_taken="declined")
    assert response.status_code == 422
    assert "It was either taken or not." in response.content.decode()
    assert _scores() == []


def test_who_did_not_come_has_no_score(paper: Any) -> None:
    assert paper().send(MARKS, status="no_show").status_code == 422
    assert _scores() == []


def test_a_double_press_and_a_retry_give_one_session(paper: Any, clinic: Clinic) -> None:
    before, page = _sessions(clinic), paper()
    first, second = page.send(MARKS), page.send(MARKS)
    assert first["Location"] == second["Location"]
    assert (len(_scores()), _sessions(clinic)) == (1, before + 1)


def test_a_double_press_on_a_booked_session_gives_the_same_answer(
    paper: Any, booked: Session
) -> None:
    """What was due at the first press is in at the second: the second is still the first."""
    page = paper(f"/sessions/{booked.pk}/")
    first, second = page.send(MARKS), page.send(MARKS)
    assert (first.status_code, second.status_code) == (302, 302)
    assert len(_scores()) == 1


def test_a_booked_session_is_kept_as_it_was_held_and_not_as_it_was_booked(
    paper: Any, booked: Session
) -> None:
    """Length, kind and video were greyed out where they had been booked."""
    held = {"minutes": "25", "kind": "crisis", "telehealth": "on"}
    assert paper(f"/sessions/{booked.pk}/").send(MARKS, **held).status_code == 302
    again = paper(f"/sessions/{booked.pk}/", who="alice")
    wrong = again.browser.post(again.path, {"key": str(again.form["key"].value()),
                               "status": "attended", "minutes": "2", "kind": "tea"})  # fmt: skip
    assert wrong.status_code == 422
    assert set(_errors(wrong)) == {"minutes", "kind"}
    with acting_as(BY):
        meeting = Session.objects.select_related("meeting").get(pk=booked.pk).meeting
        told = AuditEvent.objects.filter(action="meeting facts set")
        assert (meeting.minutes, meeting.kind, meeting.telehealth) == (25, "crisis", True)
        assert meeting.starts_at == booked.meeting.starts_at
        assert told.count() == 1


def test_the_same_form_with_other_answers_is_refused_and_keeps_what_was_typed(paper: Any) -> None:
    page = paper()
    page.send(MARKS)
    response = page.send({**MARKS, "individual": "33"})
    assert response.status_code == 409
    text = response.content.decode()
    assert "was sent before with other answers" in text
    assert 'value="33"' in text
    assert str(page.form["key"].value()) not in text  # what is below can be sent as its own
    assert [row.total for row in _scores()] == [Decimal("18.5")]


def test_two_tabs_on_a_new_session_ask_before_they_make_two(paper: Any, clinic: Clinic) -> None:
    before, one, two = _sessions(clinic), paper(), paper()
    one.send(MARKS)
    response = two.send({**MARKS, "individual": "33"})
    assert response.status_code == 409
    assert "There is a session on this day already, at 10:00" in response.content.decode()
    assert 'value="33"' in response.content.decode()
    assert _sessions(clinic) == before + 1
    assert two.send({**MARKS, "individual": "33"}, another="on").status_code == 302
    assert _sessions(clinic) == before + 2


def test_two_tabs_on_a_booked_session_never_drop_what_the_second_typed(
    paper: Any, booked: Session
) -> None:
    one, two = (paper(f"/sessions/{booked.pk}/") for _ in range(2))
    one.send(MARKS)
    response = two.send({**MARKS, "individual": "33"})
    assert response.status_code == 409
    assert "was entered for this session meanwhile: 18.50" in response.content.decode()
    assert 'value="33"' in response.content.decode()
    assert [row.total for row in _scores()] == [Decimal("18.5")]


def test_a_session_with_answers_stays_attended(paper: Any, booked: Session) -> None:
    page = paper(f"/sessions/{booked.pk}/")
    page.send(MARKS)
    again = paper(f"/sessions/{booked.pk}/")
    again.prefix["outcome"] = page.prefix["outcome"]
    response = again.send({}, status="no_show")
    assert response.status_code == 409
    assert "it was attended" in " ".join(response.context["form"].errors["status"])
    with acting_as(BY):
        assert Session.objects.get(pk=booked.pk).status == "attended"


def test_a_form_that_lost_its_key_says_so(paper: Any) -> None:
    response = paper().send(MARKS, key="nonsense")
    assert response.status_code == 422
    assert "open it again" in response.content.decode()


def test_a_session_ahead_can_be_called_off_and_nothing_else(
    paper: Any, clinic: Clinic, library: None
) -> None:
    with acting_as(BY):
        ahead = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.at(clinic_time.today() + timedelta(days=400), 9),
            by=BY,
        )
    page = paper(f"/sessions/{ahead.pk}/")
    assert page.send(MARKS).status_code == 422
    assert page.send({}, status="no_show").status_code == 422
    assert page.send({}, status="late_cancel").status_code == 302


def test_the_picture_says_where_it_stands_in_one_plain_sentence(
    paper: Any, clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    location = paper().send(
        MARKS,
        alliance__heard="88",
        alliance__goals="80",
        alliance__approach="90",
        alliance__overall="09",
    )["Location"]
    response = browser_of("alice").get(location)
    text = response.content.decode()
    assert "This is where you start" in text
    assert "How we work together: 26.7 of 40." in text
    assert "not_on_track" not in text
    assert browser_of("ruth").get(location).status_code == 404
    assert browser_of("fred").get(location).status_code == 404


def test_each_respondent_has_their_own_form(paper: Any, clinic: Clinic) -> None:
    """A child's carers answer in series of their own, on the page of one meeting."""
    with acting_as(BY):
        child = actions.register_client(
            by=BY, site=clinic.north, name="Kim Young", birth_year=clinic_time.today().year - 10
        )
        actions.open_episode(
            client=child,
            programme=clinic.therapy,
            opened_on=clinic_time.today(),
            lead=clinic.clinicians["alice"],
            by=BY,
        )
        for label in ("mother", "father"):
            actions.add_respondent(client=child, relation="carer", label=label, by=BY)
    page = paper(f"/clients/{child.code}/sessions/new/")
    carers = [d for d in page.form.due if d.respondent.relation == "carer"]
    assert [str(d.respondent) for d in carers] == ["mother", "father"]
    item = carers[0].definition.items[0].id
    page.send({}, **{f"{carers[0].key}_{item}": "40", f"{carers[1].key}_{item}": "70"})
    kept = {str(row.respondent): row.answers[item] for row in _scores()}
    assert kept == {"mother": "4.0", "father": "7.0"}
