"""A case on two pages of paper: the page's numbers, and nothing that names the client."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app import paper
from reports_app.case_review import case_review_pdf
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import ExternalId, Respondent
from tests.cast import BY, Clinic
from tests.reports.conftest import browser_text, score
from tests.stage import scene

on_paper = pytest.mark.skipif(bool(paper.missing()), reason=paper.missing())
COURSE = (22.4, 21.3, 19.6, 18.1, 15.9, 13.7)


@scene
def ana(clinic: Clinic) -> Clinic:
    """Ana with a course, an alliance, a mother who answers too, and a decision."""
    episode = clinic.episodes["ana"]
    measures.sync_library()
    mother = Respondent.objects.create(
        client=clinic.ana, relation="carer", label="mother", from_on=episode.opened_on
    )
    for session, total in zip(clinic.sessions["ana"], COURSE, strict=True):
        score(episode, session, "outcome-adult", total)
        score(episode, session, "alliance-adult", 36.8)
    for session, total in zip(clinic.sessions["ana"][:2], (20.5, 27.5), strict=True):
        measure_actions.record_administration(
            episode=episode, session=session, respondent=mother,
            measure=measures.get_measure("outcome-carer"), total=total,
            provenance="paper", by=BY,
        )  # fmt: skip
    run_night(clinic_time.today())
    with acting_as(clinic.sofia):
        measure_actions.decide(
            episode=episode, decision="consult", note="Ask the team on Thursday", by=clinic.sofia
        )
    return clinic


def _read(content: bytes) -> tuple[int, str]:
    pages = pypdf.PdfReader(io.BytesIO(content)).pages
    return len(pages), " ".join(" ".join(page.extract_text() for page in pages).split())


@on_paper
def test_two_pages_with_the_pages_own_numbers(
    ana: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    sofia = browser_of("sofia")
    page = sofia.get(f"/clients/{ana.ana.code}/")
    response = sofia.get(f"/clients/{ana.ana.code}/case-review.pdf")
    pages, text = _read(response.content)
    assert (response["Content-Type"], pages) == ("application/pdf", 2)
    assert len(response.content) < 300_000
    main = page.context["main"]
    assert len(main.table) == len(COURSE)
    for row in main.table:
        for words in row.values():
            assert words in text, row
    for name, value in main.facts:
        assert value in text, name
    assert main.headline in text
    for _style, _words, said in page.context["noticed"]:
        assert all(one.sentence in text for one in said)
    assert "Ask the team on Thursday" in text
    assert "What would the client want us to decide today?" in text
    assert "mother" in text
    assert "Oliveira" not in text  # paper lies about: the code, never the name
    # And the other way round: paper has no number that the screen doesn't have.
    on_screen = "".join(
        browser_text(sofia, f"/{where}/{ana.ana.code}/") for where in ("clients", "review")
    )
    assert _numbers(text) <= _numbers(on_screen) | {"1", "2"}  # its own pages


def _numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", text))


@on_paper
def test_a_long_course_stays_on_two_pages(ana: Clinic) -> None:
    episode = ana.episodes["boris"]
    with acting_as(BY):
        for days in range(45, 0, -1):
            session = actions.record_session(
                episode=episode, held_on=clinic_time.today() - timedelta(days=days), by=BY
            )
            score(episode, session, "outcome-adult", 15 + days % 7)
        pages, text = _read(case_review_pdf(ana.boris, BY))
    assert pages == 2
    assert "sessions before stand on the client's page" in text


@on_paper
def test_by_code_and_by_the_clinics_own_number(ana: Clinic, tmp_path: Path) -> None:
    with acting_as(BY):
        ExternalId.objects.create(client=ana.ana, source="emr", value="77")
    for name in (ana.ana.code, "emr:77"):
        file = tmp_path / "case.pdf"
        out = io.StringIO()
        call_command("case_review", name, "--output", str(file), stdout=out)
        assert file.read_bytes()[:5] == b"%PDF-"
        assert ana.ana.code in out.getvalue()


@pytest.mark.parametrize("wanted", ["ZZZZ-999", "emr:78"])
def test_an_unknown_client_is_one_clear_line(ana: Clinic, tmp_path: Path, wanted: str) -> None:
    with pytest.raises(CommandError, match="There is no client") as caught:
        call_command("case_review", wanted, "--output", str(tmp_path / "x.pdf"))
    assert caught.value.returncode == 2
    assert not (tmp_path / "x.pdf").exists()


def test_without_the_engine_the_page_says_what_is_missing(
    ana: Clinic, browser_of: Callable[[str], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> Any:
        raise paper.PaperUnavailable(paper.MISSING)

    monkeypatch.setattr(paper, "_engine", absent)
    sofia, code = browser_of("sofia"), ana.ana.code
    for door in (f"/clients/{code}/", f"/review/{code}/"):
        assert "apt-get install libpango" in browser_text(sofia, door)
    answer = sofia.get(f"/clients/{code}/case-review.pdf")
    assert (answer.status_code, "libpango" in answer.content.decode()) == (503, True)


def test_a_stranger_gets_404(ana: Clinic, browser_of: Callable[[str], Browser]) -> None:
    for name in ("ruth", "bob", "dora", "fred", "adam"):
        answer = browser_of(name).get(f"/clients/{ana.ana.code}/case-review.pdf")
        assert answer.status_code == 404, name
