"""A team's case conference: agenda from the queue, held together, minutes from the decisions."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pypdf
import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import flagging, measures
from measures_app.models import Flag
from reports_app import case_files, paper
from reports_app.models import CaseFile
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, CaseConference, CaseReview, ConferenceCase, Job
from tests.cast import BY, PEOPLE, Clinic
from tests.reports.conftest import browser_text, score

on_paper = pytest.mark.skipif(bool(paper.missing()), reason=paper.missing())
TODAY = clinic_time.today()


@pytest.fixture
def noticed(clinic: Clinic) -> Clinic:
    """Ana and Boris stand on Sofia's queue; Dina, whom she doesn't see, on Bob's."""
    with acting_as(BY):
        measures.sync_library()
        for name in ("ana", "boris", "dina"):
            Flag.objects.create(
                client=clinic.episodes[name].client, episode=clinic.episodes[name],
                rule="no_progress", kind="review", rule_set=flagging.current_rule_set(TODAY),
                evidence={}, raised_on=TODAY,
            )  # fmt: skip
        for session in clinic.sessions["ana"]:
            score(clinic.episodes["ana"], session, "outcome-adult", 20.0)
    return clinic


@pytest.fixture
def called(noticed: Clinic) -> CaseConference:
    """Sofia called Alice and Bob about Ana and Boris; Bob added Dina, his own."""
    with acting_as(noticed.sofia):
        conference = actions.call_conference(
            held_on=TODAY,
            people=[noticed.alice, noticed.bob],
            episodes=[noticed.episodes["ana"], noticed.episodes["boris"]],
            by=noticed.sofia,
        )
    with acting_as(noticed.bob):
        actions.add_to_conference(
            conference=conference, episode=noticed.episodes["dina"], by=noticed.bob
        )
    return conference


def test_from_the_queue_over_the_decisions_to_the_minutes(
    noticed: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    sofia, ana, boris = browser_of("sofia"), noticed.episodes["ana"], noticed.episodes["boris"]
    page = sofia.get("/conferences/new/")
    offered = {row.episode.pk for _name, rows in page.context["groups"] for row in rows}
    assert offered == {ana.pk, boris.pk}
    answer = sofia.post(
        "/conferences/new/",
        {"held_on": TODAY.isoformat(), "people": [noticed.alice.pk], "cases": [boris.pk, ana.pk]},
    )
    with acting_as(BY):
        conference = CaseConference.objects.get()
        cases = {case.episode_id: case for case in conference.cases.all()}
        assert cases[ana.pk].presenter == noticed.alice
    address = f"/conferences/{conference.pk}/"
    assert answer["Location"] == address

    def post(**data: Any) -> Any:
        return sofia.post(f"{address}agenda/", data)

    first = sofia.get(address).context["agenda"][0][0].case
    post(do="later", case=first.pk)
    assert sofia.get(address).context["agenda"][1][0].case == first
    case = cases[ana.pk]
    post(do="set", case=case.pk, **{f"case-{case.pk}-minutes": 25,
                                    f"case-{case.pk}-presenter": noticed.sofia.pk})  # fmt: skip
    assert "25 minutes · Sofia Spruce presents" in browser_text(sofia, address)

    review = f"/review/{noticed.ana.code}/?episode={ana.pk}&conference={conference.pk}"
    form = sofia.get(review).context["form"]
    assert (form.initial["talked"], form.initial["conference"]) == ("conference", conference.pk)
    answer = sofia.post(
        review,
        {"seen_reviews": 0, "decision": "change_approach", "change_of": "goals",
         "note": "New goals with Ana", "conference": conference.pk, "talked": "conference"},
    )  # fmt: skip
    assert answer["Location"] == address
    answer = post(do="off", case=case.pk)  # what was decided on stays on the agenda
    assert answer.status_code == 422
    assert "the case stays on it" in answer.content.decode()
    assert post(do="end").status_code == 302

    minutes = browser_text(sofia, address)
    assert "change approach (goals)" in minutes
    assert "New goals with Ana" in minutes
    assert "in a team case conference" in minutes
    assert "Nothing was decided; it stays on the list." in minutes
    assert "1 decided" in minutes
    assert "Take off" not in minutes
    with acting_as(BY):
        kept = CaseReview.objects.get()
        assert (kept.talked, kept.conference) == ("conference", conference)
        flags = {f.episode_id: f.state for f in Flag.objects.filter(episode__in=[ana, boris])}
        assert flags == {ana.pk: "decided", boris.pk: "open"}
        done = AuditEvent.objects.filter(action__contains="conference")
        assert {e.action for e in done} == {"conference called", "conference ended"}
    # Over is over: a page that lay open records nothing any more.
    answer = sofia.post(
        review, {"seen_reviews": 1, "decision": "continue", "note": "x",
                 "conference": conference.pk},
    )  # fmt: skip
    assert answer.status_code == 422
    assert "The conference is over" in answer.content.decode()
    with acting_as(BY):
        assert CaseReview.objects.count() == 1


def test_each_sees_the_cases_of_their_own_scope_in_the_page_and_beneath_it(
    noticed: Clinic, called: CaseConference, browser_of: Callable[[str], Browser]
) -> None:
    theirs = {"sofia": {"ana", "boris"}, "alice": {"ana", "boris"}, "bob": {"boris", "dina"},
              "carol": {"dina"}}  # fmt: skip
    address = f"/conferences/{called.pk}/"
    for who in PEOPLE:
        with acting_as(noticed.users[who]):
            codes = {case.client.code for case in ConferenceCase.objects.all()}
            by_page = ConferenceCase.objects.visible_to(noticed.users[who])
            assert codes == {case.client.code for case in by_page}
            assert codes == {noticed.clients[name].code for name in theirs.get(who, ())}, who
            shown = CaseConference.objects.filter(pk=called.pk).exists()
            assert shown is bool(theirs.get(who))
            seen = CaseConference.objects.visible_to(noticed.users[who])
            assert seen.filter(pk=called.pk).exists() is shown
        answer = browser_of(who).get(address)
        assert answer.status_code == (200 if shown else 404), who
        if shown:
            text = answer.content.decode()
            for name in ("ana", "boris", "dina"):
                assert (noticed.clients[name].code in text) is (name in theirs[who]), (who, name)


def test_who_is_asked_and_has_no_case_in_it_sees_the_day_and_the_people_alone(
    noticed: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    with acting_as(noticed.sofia):
        conference = actions.call_conference(
            held_on=TODAY, people=[noticed.ruth], episodes=[noticed.episodes["ana"]],
            by=noticed.sofia,
        )  # fmt: skip
    page = browser_text(browser_of("ruth"), f"/conferences/{conference.pk}/")
    assert "0 cases" in page
    assert noticed.ana.code not in page


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda c, k: actions.call_conference(held_on=TODAY - timedelta(days=1), by=c.sofia),
         "a day to come"),
        (lambda c, k: actions.call_conference(held_on=TODAY, people=[c.fred], by=c.sofia),
         "sees no cases"),
        (lambda c, k: actions.add_to_conference(
            conference=k, episode=c.episodes["ana"], by=c.sofia), "on the agenda already"),
        (lambda c, k: actions.add_to_conference(
            conference=k, episode=c.episodes["emil"], by=c.sofia), "your scope"),
        (lambda c, k: actions.set_conference_case(
            case=k.cases.first(), minutes=10, presenter=c.ruth, by=c.sofia), "may not see"),
        (lambda c, k: actions.set_conference_case(
            case=k.cases.first(), minutes=0, presenter=None, by=c.sofia), "Between 1 and 120"),
        (lambda c, k: actions.take_off_agenda(case=k.cases.first(), by=c.carol), "asked to it"),
        (lambda c, k: actions.end_conference(conference=k, by=c.alice), "ends it"),
        (lambda c, k: measure_actions.decide(
            episode=c.episodes["emil"], decision="continue", conference=k, by=c.carol),
         "isn't on the conference's agenda"),
    ],
)  # fmt: skip
def test_what_cannot_be_says_why(
    noticed: Clinic, called: CaseConference, wrong: Callable[[Any, Any], Any], says: str
) -> None:
    with acting_as(BY), pytest.raises(ValidationError, match=says):
        wrong(noticed, called)


def _pdf(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content))


def _carry_out() -> None:
    with acting_as(BY):
        for job in Job.objects.filter(kind=case_files.KIND, finished_at=None):
            case_files.carry_out_case_file(job.pk)
            case_files.carry_out_case_file(job.pk)  # a task delivered twice changes nothing


@on_paper
def test_all_cases_in_one_file_found_again_and_for_the_one_who_asked(
    noticed: Clinic, called: CaseConference, browser_of: Callable[[str], Browser]
) -> None:
    sofia, bob = browser_of("sofia"), browser_of("bob")
    address = f"/conferences/{called.pk}/"
    sofia.post(f"{address}file/")
    sofia.post(f"{address}file/")  # one that is being made serves
    with acting_as(BY):
        file = CaseFile.objects.get()
    state = sofia.get(f"/conferences/files/{file.pk}/state/").json()
    assert state == {"running": True, "done": 0, "total": 3}
    assert "You may leave this page" in browser_text(sofia, address)
    assert sofia.get(f"/conferences/files/{file.pk}.pdf").status_code == 404  # not made yet
    _carry_out()
    assert sofia.get(f"/conferences/files/{file.pk}/state/").json()["running"] is False
    assert f"/conferences/files/{file.pk}.pdf" in sofia.get(address).content.decode()
    answer = sofia.get(f"/conferences/files/{file.pk}.pdf")
    pdf = _pdf(answer.content)
    assert len(pdf.pages) == 5  # the contents, and two a case
    text = [" ".join(page.extract_text().split()) for page in pdf.pages]
    codes = [noticed.ana.code, noticed.boris.code]
    for place, code in enumerate(codes):
        assert text[1 + 2 * place].startswith(f"Case review {code}")
        assert f"p. {2 + 2 * place}" in text[0]
    everything = " ".join(text)
    assert noticed.dina.code not in everything
    assert "Oliveira" not in everything
    marks = [mark for mark in pdf.outline if not isinstance(mark, list)]
    assert [mark.title for mark in marks][1:] == [f"Case review {code}" for code in codes]
    assert [pdf.get_destination_page_number(mark) for mark in marks] == [0, 1, 3]
    root = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"].value is True
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert pdf.metadata.title
    tags = _tags(root["/StructTreeRoot"])
    assert {"/H1", "/Table", "/TH", "/TD", "/Figure"} <= {tag["/S"] for tag in tags}
    assert [dict(tag) for tag in tags if tag["/S"] == "/Figure" and not tag.get("/Alt")] == []
    with acting_as(BY):
        assert bytes(CaseFile.objects.get().sealed)[:5] != b"%PDF-"
    for who in ("alice", "bob", "dora", "ruth"):
        other = browser_of(who)
        assert other.get(f"/conferences/files/{file.pk}.pdf").status_code == 404
        with acting_as(noticed.users[who]):
            assert not CaseFile.objects.exists()
    bob.post(f"{address}file/")
    _carry_out()
    with acting_as(BY):
        bobs = CaseFile.objects.get(user=noticed.bob)
    text = bob.get(f"/conferences/files/{bobs.pk}.pdf")
    words = " ".join(page.extract_text() for page in _pdf(text.content).pages)
    assert noticed.boris.code in words
    assert noticed.dina.code in words
    assert noticed.ana.code not in words


@on_paper
def test_a_file_is_gone_with_the_scope_the_key_or_the_day(
    noticed: Clinic, called: CaseConference, browser_of: Callable[[str], Browser]
) -> None:
    sofia = browser_of("sofia")
    with acting_as(noticed.sofia):
        file = case_files.ask_for_case_file(conference=called, by=noticed.sofia)
    _carry_out()
    door = f"/conferences/files/{file.pk}.pdf"
    assert sofia.get(door).status_code == 200
    with acting_as(BY):
        noticed.supervision.to_on = TODAY - timedelta(days=1)
        noticed.supervision.save()
    assert sofia.get(door).status_code == 404
    with acting_as(BY):
        noticed.supervision.to_on = None
        noticed.supervision.save()
        assert case_files.forget_case_files(by=BY) == 0
        CaseFile.objects.update(created_at=clinic_time.now() - timedelta(days=1, minutes=1))
    assert sofia.get(door).status_code == 404
    with acting_as(BY):
        assert case_files.forget_case_files(by=BY) == 1
        file = case_files.ask_for_case_file(conference=called, by=noticed.sofia)
    _carry_out()
    with acting_as(BY):
        actions.erase_identity(client=noticed.boris, reason="request", by=BY)
    assert sofia.get(f"/conferences/files/{file.pk}.pdf").status_code == 404


def test_a_file_asked_for_by_somebody_who_lost_the_cases_says_so(
    noticed: Clinic, called: CaseConference
) -> None:
    with acting_as(noticed.sofia):
        file = case_files.ask_for_case_file(conference=called, by=noticed.sofia)
    with acting_as(BY):
        noticed.supervision.to_on = TODAY - timedelta(days=1)
        noticed.supervision.save()
    _carry_out()
    with acting_as(BY):
        job = Job.objects.get(pk=file.job_id)
        assert (job.state, job.problem) == ("stopped", case_files.NOTHING)
        assert not CaseFile.objects.get().sealed


def _tags(node: Any) -> list[Any]:
    """Every element below a node of a PDF's structure tree."""
    below = node.get("/K", [])
    found = []
    for kid in below if isinstance(below, list) else [below]:
        kid = kid.get_object() if hasattr(kid, "get_object") else kid
        if isinstance(kid, dict) and "/S" in kid:
            found += [kid, *_tags(kid)]
    return found
