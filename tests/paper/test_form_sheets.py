"""Forms on paper: the line is 100 mm, the code leads back, no name stands on the sheet."""

from __future__ import annotations

import io
import math
import re
from datetime import timedelta
from typing import Any

import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measures_app import measures
from reports_app import form_sheets
from reports_app.paper import missing
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.session_code import SIGNS, NoSessionCode, decode, encode
from tests.cast import BY

MM = 72 / 25.4
numbers = st.integers(min_value=1, max_value=2**40)


@given(numbers)
def test_a_code_leads_back_to_its_session_however_it_is_typed(number):
    code = encode(number)
    assert decode(code) == number
    assert decode(f" {code.lower().replace('-', ' ')} ") == number
    assert decode(code.replace("0", "o").replace("1", "l")) == number


@given(numbers, st.data())
def test_one_wrong_sign_is_noticed(number, data):
    code = encode(number)
    place = data.draw(st.sampled_from([i for i, sign in enumerate(code) if sign != "-"]))
    right = SIGNS.index(code[place])
    # 29 signs apart weigh the same: the price of a check sign that people can read.
    wrong = data.draw(
        st.sampled_from([s for s in SIGNS if abs(SIGNS.index(s) - right) not in (0, 29)])
    )
    with pytest.raises(NoSessionCode):
        decode(code[:place] + wrong + code[place + 1 :])


@given(numbers, st.data())
def test_neighbours_that_changed_places_are_noticed(number, data):
    signs = encode(number).replace("-", "")
    place = data.draw(st.integers(0, len(signs) - 3))
    a, b = SIGNS.index(signs[place]), SIGNS.index(signs[place + 1])
    if abs(a - b) in (0, 29):
        return
    with pytest.raises(NoSessionCode):
        decode(signs[:place] + signs[place + 1] + signs[place] + signs[place + 2 :])


@pytest.mark.parametrize("text", ["", "-", "0003", "0003P", "0003P-!", "Ana Oliveira", "1" * 40])
def test_what_is_no_code_is_said(text):
    with pytest.raises(NoSessionCode):
        decode(text)


def _lines(page: Any) -> list[float]:
    """Length in points of every straight path on a page."""
    found, start = [], None

    def note(operator: bytes, operands: Any, cm: Any, _tm: Any) -> None:
        nonlocal start
        if operator not in (b"m", b"l"):
            return
        x, y = (float(value) for value in operands)
        point = (cm[0] * x + cm[2] * y + cm[4], cm[1] * x + cm[3] * y + cm[5])
        if operator == b"l" and start is not None:
            found.append(math.dist(start, point))
        start = point

    page.extract_text(visitor_operand_before=note)
    return found


needs_engine = pytest.mark.skipif(bool(missing()), reason=missing() or "the engine is there")


@needs_engine
@pytest.mark.parametrize(("size", "width"), [("a4", 210 * MM), ("letter", 8.5 * 72)])
@pytest.mark.parametrize("language", ["en", "es"])
def test_each_line_is_exactly_100_mm(db, size, width, language):
    with acting_as(BY):
        measures.sync_library()
        definition = measures.definition_of(
            measures.current_version(measures.get_measure("outcome-adult"))
        )
        content = form_sheets.measure_pdf(definition, language, size)
    reader = pypdf.PdfReader(io.BytesIO(content))
    (page,) = reader.pages
    assert float(page.mediabox.width) == pytest.approx(width, abs=1)
    marked = [length for length in _lines(page) if 90 * MM < length < 110 * MM]
    assert marked == pytest.approx([100 * MM] * 4, abs=0.05)
    words = definition.words(language)
    text = page.extract_text()
    assert words["items"]["close"]["label"] in text
    assert "Tap" not in text
    assert "Toque" not in text


@needs_engine
def test_a_printed_form_leaves_no_word_in_another_language(db):
    with acting_as(BY):
        measures.sync_library()
        found: dict[str, set[str]] = {"en": set(), "es": set()}
        licence = ""
        for language in found:
            for code in ("outcome-adult", "alliance-adult"):
                definition = measures.definition_of(
                    measures.current_version(measures.get_measure(code))
                )
                licence += f"{definition.licence} {definition.code}"
                content = form_sheets.measure_pdf(definition, language, "a4")
                for page in pypdf.PdfReader(io.BytesIO(content)).pages:
                    found[language] |= set(re.findall(r"[^\W\d_]{4,}", page.extract_text()))
    assert len(found["es"]) > 20
    both = found["en"] & found["es"]
    assert [word for word in both if word not in licence] == []


@needs_engine
def test_a_sessions_forms_bear_its_code_and_no_name(clinic, browser_of):
    with acting_as(BY):
        measures.sync_library()
    session = clinic.sessions["ana"][-1]
    response = browser_of("alice").get(f"/sessions/{session.pk}/forms.pdf")
    assert response["Content-Type"] == "application/pdf"
    pages = pypdf.PdfReader(io.BytesIO(response.content)).pages
    assert len(pages) == 2  # outcome and alliance
    for page in pages:
        text = page.extract_text()
        assert encode(session.pk) in text
        assert "Ana" not in text
        assert "Oliveira" not in text


@pytest.mark.parametrize("size", ["", "?size=letter"])
def test_the_forms_of_a_session_are_printed_from_its_pages(clinic, browser_of, size):
    """They were made at an address that no page led to."""
    with acting_as(BY):
        measures.sync_library()
    session, alice = clinic.sessions["ana"][-1], browser_of("alice")
    links = f"/sessions/{session.pk}/links/"
    assert f'href="/sessions/{session.pk}/forms.pdf{size}"' in alice.get(links).content.decode()
    assert f'href="{links}#paper"' in alice.get(f"/sessions/{session.pk}/").content.decode()
    assert "forms.pdf" not in browser_of("fred").get(links).content.decode()


def test_where_nothing_is_due_there_is_nothing_to_print(clinic, browser_of):
    now = clinic_time.now()
    with acting_as(BY):
        measures.sync_library()
        session = actions.book_session(episode=clinic.episodes["ana"], starts_at=now, by=BY)
        actions.ask_not_before(
            respondent=clinic.ana.respondents.get(),
            until=clinic_time.today() + timedelta(days=30),
            by=clinic.alice,
        )
    answer = browser_of("alice").get(f"/sessions/{session.pk}/forms.pdf", follow=True)
    assert answer.redirect_chain == [(f"/sessions/{session.pk}/links/", 302)]
    assert "Nothing is to be asked at this session." in answer.content.decode()


def test_a_typed_code_opens_the_session(clinic, browser_of):
    session = clinic.sessions["ana"][-1]
    response = browser_of("alice").post("/sessions/by-code/", {"code": encode(session.pk).lower()})
    assert response["Location"] == f"/sessions/{session.pk}/"


@pytest.mark.parametrize("who", ["alice", "ruth"])
def test_a_code_of_nobody_and_one_of_somebody_elses_client_look_alike(clinic, browser_of, who):
    foreign = clinic.sessions["emil"][0].pk
    answers = {
        str(browser_of(who).post("/sessions/by-code/", {"code": encode(pk)}).context["form"].errors)
        for pk in (foreign, 10**9)
    }
    assert len(answers) == 1
    assert "no such session" in answers.pop()


def test_a_wrong_code_is_kept_beside_its_error(clinic, browser_of):
    response = browser_of("alice").post("/sessions/by-code/", {"code": "0003P-X"})
    assert response.status_code == 422
    assert "0003P-X" in response.content.decode()
    assert "One sign of the code is wrong" in response.content.decode()


@pytest.mark.parametrize("path", ["?size=a3", "?size="])
def test_a_size_that_isnt_made_is_absent(clinic, browser_of, path):
    with acting_as(BY):
        measures.sync_library()
    assert browser_of("alice").get(f"/measures/outcome-adult/form.pdf{path}").status_code == 404


def test_a_measure_that_takes_totals_has_no_form(clinic, browser_of):
    with acting_as(BY):
        measures.sync_library()
    assert browser_of("alice").get("/measures/bdi-ii/form.pdf").status_code == 404
