"""Scores through the page: the file, its columns, a preview, the import; what others can't see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from measures_app import measures, tasks
from measures_app.actions import drafts, record_administration
from measures_app.imports import parse_mapping
from measures_app.models import ImportDraft
from measures_app.views import imports as views
from sessions_app import actions, outbox, rights
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Job, Referral
from tests.cast import BY, PASSWORD, Clinic
from tests.imports.conftest import counts, scores_of


@pytest.fixture
def adam(db: Any) -> Browser:
    """An administrator's browser, in a clinic where nobody else is."""
    with acting_as(BY):
        user = actions.add_user(
            email="adam@clinic.example", name="Adam Ash", password=PASSWORD, by=BY
        )
        actions.grant_role(user=user, role="administrator", by=BY)
    browser = Browser()
    browser.force_login(user)
    return browser


BrowserOf = Callable[[str], Browser]
OWN_NAMES = "Patient;Visit date;PHQ9;Therapist;Sex\n7;31/01/2024;12;Mia;1\n8;05/02/2024;9;Jon;0\n"


def bring(browser: Browser, content: str | bytes, name: str = "scores.csv") -> str:
    """The draft's address."""
    body = content.encode() if isinstance(content, str) else content
    response = browser.post("/import/", {"file": SimpleUploadedFile(name, body)})
    assert response.status_code == 302, response.content.decode()
    return response["Location"]


def chosen(browser: Browser, place: str, **other: Any) -> dict[str, Any]:
    """What the form proposes, with `other` said instead."""
    form = browser.get(place).context["form"]
    proposed = {field.html_name: field.value() or "" for field in form}
    return proposed | {"do": "preview"} | other


def test_a_file_in_our_own_words_takes_three_steps(adam: Browser) -> None:
    place = bring(adam, "client,session_date,measure,total\nA,2024-01-08,phq-9,18\n")
    before = counts()
    said = chosen(adam, place)
    preview = adam.post(place, said, follow=True)
    assert preview.context["report"]["result"]["created"] == 1
    assert counts() == before
    done = adam.post(place, said | {"do": "import"}, follow=True)
    assert "1 score imported." in done.content.decode()
    assert len(scores_of("A")) == 1
    with acting_as(BY):
        assert not ImportDraft.objects.exists()


def test_columns_are_guessed_from_names_and_contents(browser_of: BrowserOf) -> None:
    adam = browser_of("adam")
    form = adam.get(bring(adam, OWN_NAMES)).context["form"]
    assert {field.label: field.value() for field in form.column_fields()} == {
        "Patient": "client", "Visit date": "session_date", "PHQ9": "total",
        "Therapist": "clinician", "Sex": "gender",
    }  # fmt: skip
    assert (form["measure"].value(), form["date_format"].value()) == ("phq-9", "%d/%m/%Y")


def test_the_files_own_words_are_asked_for_and_kept(adam: Browser) -> None:
    place = bring(adam, OWN_NAMES)
    asked = adam.post(place, chosen(adam, place, programme="Talking"))
    assert asked.status_code == 422
    page = asked.content.decode()
    assert "Say what this stands for." in page
    assert 'value="Talking"' in page
    said = chosen(adam, place, value_4_0="man", value_4_1="woman")
    preview = adam.post(place, said, follow=True)
    assert preview.context["report"]["count"] == 0
    # Left and found again: the choices are those of the preview, and the command's mapping too.
    again = adam.get(place)
    assert again.context["form"]["value_4_1"].value() == "woman"
    mapping = parse_mapping(again.context["toml"])
    assert mapping.values == {"gender": {"0": "man", "1": "woman"}}
    assert mapping.date_format == "%d/%m/%Y"


def test_bad_rows_are_shown_and_can_be_set_aside(adam: Browser) -> None:
    place = bring(
        adam,
        "client,session_date,measure,total\nA,2024-01-08,phq-9,18\nB,2024-01-08,phq-9,81\n",
    )
    said = chosen(adam, place)
    preview = adam.post(place, said | {"do": "import"}, follow=True)
    assert preview.context["report"]["bad_rows"] == 1
    page = preview.content.decode()
    assert "is outside 0 to 27" in page
    assert "Import 1 row, set 1 aside" in " ".join(page.split())
    assert scores_of("A") == []
    download = adam.get(place + "bad-rows.csv").content.decode()
    assert "3,total: is outside 0 to 27,B,2024-01-08,phq-9,81" in download
    after = adam.post(place, said | {"do": "set_aside"}, follow=True)
    assert after.context["report"]["did"] == "set_aside"
    assert len(scores_of("A")) == 1
    put_right = adam.get(place + "bad-rows.csv").content.decode().replace("81", "8")
    second = bring(adam, put_right)
    adam.post(second, chosen(adam, second, do="import"))
    assert len(scores_of("B")) == 1


def test_two_columns_for_one_thing_keep_what_was_chosen(browser_of: BrowserOf) -> None:
    adam = browser_of("adam")
    place = bring(adam, OWN_NAMES)
    response = adam.post(place, chosen(adam, place, column_3="client", clinician="Mia"))
    page = response.content.decode()
    assert response.status_code == 422
    assert "can&#x27;t both be client" in page
    assert 'value="Mia"' in page


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"PK\x03\x04 no workbook", "no readable XLSX"),
        (b"client,total\n", "has no rows"),
        (b"", "empty"),
    ],
)
def test_a_file_that_cant_be_read_is_refused_beside_its_field(
    content: bytes, why: str, adam: Browser
) -> None:
    response = adam.post("/import/", {"file": SimpleUploadedFile("x.csv", content)})
    assert response.status_code == 422
    assert why in response.content.decode()


def test_a_large_file_is_refused_unread(adam: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE_LIMIT", 1024 * 1024)
    monkeypatch.setattr(views.imports, "read_table", None)
    response = adam.post("/import/", {"file": SimpleUploadedFile("x.csv", b"x" * 2 * 1024 * 1024)})
    assert response.status_code == 422
    assert "2 MB; up to 1 MB" in response.content.decode()


# --- whose it is -------------------------------------------------------------------------------


@pytest.mark.parametrize("door", ["", "state/", "bad-rows.csv", "forget/"])
def test_a_draft_is_its_owners_alone(
    door: str, browser_of: BrowserOf, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = bring(browser_of("adam"), OWN_NAMES)
    with acting_as(BY):
        actions.grant_role(user=clinic.ruth, role="administrator", by=BY)
    for name in ("ruth", "alice", "dora"):
        browser = browser_of(name)
        if door != "forget/":  # which nobody opens
            assert browser.get(place + door).status_code == 404
        assert browser.post(place + door).status_code == 404
    with acting_as(BY):
        assert ImportDraft.objects.count() == 1


def test_the_page_says_nothing_of_what_is_stored(browser_of: BrowserOf, clinic: Clinic) -> None:
    """An administrator sees no clinical data, and can't ask for it by importing guesses either."""
    session = clinic.sessions["ana"][0]
    with acting_as(BY):
        record_administration(
            episode=clinic.episodes["ana"],
            session=session,
            measure=measures.get_measure("outcome-adult"),
            total=23.7,
            provenance="paper",
            by=BY,
        )
    adam = browser_of("adam")
    place = bring(
        adam,
        "client,session_date,measure,total,programme\n"
        f"{clinic.ana.code},{session.held_on},outcome-adult,4,Talking therapy\n",
    )
    page = adam.post(place, chosen(adam, place), follow=True).content.decode()
    assert "another score is stored for this session" in page
    assert "23.7" not in page
    assert "Ana" not in page


def test_the_audit_trail_names_who_imported(browser_of: BrowserOf, clinic: Clinic) -> None:
    adam = browser_of("adam")
    place = bring(adam, "client,session_date,measure,total\nA,2024-01-08,phq-9,18\n")
    adam.post(place, chosen(adam, place, do="import"))
    with acting_as(BY):
        event = AuditEvent.objects.get(action="scores imported")
        assert event.actor == f"user:{clinic.adam.public_id}"


# --- long files --------------------------------------------------------------------------------

LONG = "client,session_date,measure,total\n" + "".join(
    f"L{n},2024-01-08,phq-9,{n}\n" for n in range(5)
)


@pytest.fixture
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rows are a long file."""
    monkeypatch.setattr(drafts, "LONG", 4)
    assert tasks.run_import  # the worker's handler is registered by being imported


def test_a_long_import_can_be_left_and_found_again(long_ago: None, adam: Browser) -> None:
    place = bring(adam, LONG)
    said = chosen(adam, place)
    waiting = adam.post(place, said | {"do": "import"}, follow=True).content.decode()
    assert "You may leave this page" in waiting
    assert adam.get(place + "state/").json() == {"running": True, "done": 0, "total": 5}
    assert "being read" in adam.get("/import/").content.decode()
    assert adam.post(place + "forget/").status_code == 302
    assert scores_of("L1") == []
    assert outbox.sweep() == 1
    assert adam.get(place + "state/").json() == {"running": False}
    assert "5 scores imported." in adam.get(place, follow=True).content.decode()
    assert len(scores_of("L1")) == 1


def test_a_job_run_twice_imports_once(long_ago: None, adam: Browser) -> None:
    place = bring(adam, LONG)
    adam.post(place, chosen(adam, place, do="import"))
    with acting_as(BY):
        job = Job.objects.get()
        drafts.run_job(job)
        drafts.run_job(job)
        assert AuditEvent.objects.filter(action="scores imported").count() == 1


def test_a_right_taken_away_meanwhile_stops_the_job(
    long_ago: None, browser_of: BrowserOf, clinic: Clinic
) -> None:
    adam = browser_of("adam")
    place = bring(adam, LONG)
    adam.post(place, chosen(adam, place, do="import"))
    with acting_as(BY):
        clinic.adam.grants.update(to_on="2020-01-01", from_on="2019-01-01")
        job = Job.objects.get()
        drafts.run_job(job)
        job.refresh_from_db()
        assert (job.state, job.problem) == (
            "stopped", "The right to import was taken away meanwhile.",
        )  # fmt: skip
    assert scores_of("L1") == []


def test_files_nobody_came_back_to_are_forgotten(adam: Browser) -> None:
    place = bring(adam, OWN_NAMES)
    assert tasks.forget_import_files() == 0
    with acting_as(BY):
        draft = ImportDraft.objects.get()
        assert b"Therapist" not in bytes(draft.sealed)
        ImportDraft.objects.update(created_at=draft.created_at - drafts.KEPT_FOR * 1.1)
    assert tasks.forget_import_files() == 1
    assert adam.get(place).status_code == 404


def test_only_administrators_may_import() -> None:
    assert [role for role, held in rights.RIGHTS.items() if "import_scores" in held] == [
        "administrator"
    ]


def test_a_waiting_list_comes_by_the_page_too(adam: Browser) -> None:
    place = bring(adam, "Patient;Referral date;Referred by\n7;31/01/2024;GP\n8;05/02/2024;Court\n")
    said = chosen(adam, place)
    assert said["date_format"] == "%d/%m/%Y"
    preview = adam.post(place, said, follow=True)
    assert preview.context["report"]["result"]["referrals"] == 2
    with acting_as(BY):
        assert not Referral.objects.exists()
    done = adam.post(place, said | {"do": "import"}, follow=True)
    assert "2 referrals imported." in done.content.decode()
    with acting_as(BY):
        found = Referral.objects.values_list("source", "received_on", "outcome")
        assert set(found) == {
            ("doctor", date(2024, 1, 31), ""), ("court", date(2024, 2, 5), ""),
        }  # fmt: skip
