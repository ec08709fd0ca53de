"""What a respondent reads is in their language: every word of every client-facing page."""

from __future__ import annotations

import gettext
import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client as Browser

from measures_app import measures
from measures_app.views.meetings import PersonForm
from outcomes_site.catalogues import ROOT, CatalogueProblem, compile_words, read_words
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.forms import RegisterForm
from tests.cast import BY, Clinic

SOURCES = Path(__file__).resolve().parent.parent.parent
TEMPLATES = SOURCES / "templates"
BASE = "entry/base_respondent.html"
# What is said to respondents by Python.
SPEAKING = (
    "sessions_app/links.py", "measures_app/feedback.py", "measures_app/respondents.py",
    "measures_app/views/hand_over.py", "measures_app/charts/figures.py",
    "reports_app/form_sheets.py",
)  # fmt: skip
TEMPLATE_SAYS = re.compile(r"""\{%\s*translate\s+(?:"([^"]+)"|'([^']+)')""")
PYTHON_SAYS = re.compile(r"""\b(?:_|gettext_lazy)\(\s*"([^"]+)"\s*\)""")


def client_facing() -> set[str]:
    """Templates that begin with the respondent's base, and all that these include."""
    sources = {
        file.relative_to(TEMPLATES).as_posix(): file.read_text(encoding="utf-8")
        for file in TEMPLATES.rglob("*.html")
    }
    found = {name for name, text in sources.items() if f'extends "{BASE}"' in text} | {BASE}
    todo = list(found)
    while todo:
        for name in re.findall(r'{% include "([^"]+)"', sources[todo.pop()]):
            if name not in found:
                found.add(name)
                todo.append(name)
    return found


def test_every_word_of_a_client_facing_page_is_in_every_catalogue() -> None:
    wanted = set()
    for path in (*client_facing(), "paper/form.html"):
        for said in TEMPLATE_SAYS.findall((TEMPLATES / path).read_text(encoding="utf-8")):
            # Django looks a template's words up with each % twice.
            wanted.add(next(filter(None, said)).replace("%", "%%"))
    for path in SPEAKING:
        wanted.update(PYTHON_SAYS.findall((SOURCES / path).read_text(encoding="utf-8")))
    assert len(wanted) > 60
    for catalogue in ROOT.glob("*/LC_MESSAGES/django.po"):
        known = read_words(catalogue.read_text(encoding="utf-8"))
        assert sorted(wanted - set(known)) == [], catalogue


def test_a_compiled_catalogue_is_all_that_a_further_language_needs() -> None:
    there = {"en", *(file.parts[-3] for file in ROOT.glob("*/LC_MESSAGES/django.mo"))}
    assert {code for code, _name in settings.LANGUAGES} == there
    assert dict(settings.LANGUAGES)["es"] == "Spanish"
    for form, name in ((RegisterForm, "language"), (PersonForm, "language")):
        assert form.base_fields[name].choices == settings.LANGUAGES


def test_the_compiled_catalogues_are_those_of_the_sources_and_read_by_gettext() -> None:
    for source in ROOT.glob("*/LC_MESSAGES/django.po"):
        content = compile_words(source.read_text(encoding="utf-8"))
        assert source.with_suffix(".mo").read_bytes() == content, "run manage.py compile_words"
        words = gettext.GNUTranslations(io.BytesIO(content))
        for message, said in read_words(source.read_text(encoding="utf-8")).items():
            if "\0" not in message and message:
                assert words.gettext(message) == said
            # What is filled in stays the same in every language.
            assert set(re.findall(r"%\(\w+\)s", message)) == set(re.findall(r"%\(\w+\)s", said))


def test_a_broken_catalogue_names_its_line() -> None:
    with pytest.raises(CatalogueProblem, match="line 2"):
        compile_words('msgid "a"\nmsgstr b\n')


def test_a_spanish_speaker_is_asked_in_spanish_whatever_the_phone_speaks(clinic: Clinic) -> None:
    with acting_as(BY):
        measures.sync_library()
        person = clinic.ana.respondents.get(relation="self")
        person.language = "es"
        person.save(update_fields=["language"])
        session = actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )
        _link, token = actions.make_link(session=session, respondent=person, by=clinic.alice)
    page = Browser(headers={"accept-language": "en"}).get(f"/m/{token}/").content.decode()
    assert '<html lang="es"' in page
    assert "Enviar" in page
    assert "Cómo han ido" in page or "aún sin marcar" in page
    assert "Thank" not in page
    assert "not marked yet" not in page


def test_a_colleagues_page_is_in_one_language_whatever_the_browser_prefers(
    clinic: Clinic, browser_of: Callable[[str], Browser]
) -> None:
    alice = browser_of("alice")
    for door in ("/today/", f"/clients/{clinic.ana.code}/", "/schedule/?day=2026-03-02"):
        spanish = alice.get(door, headers={"accept-language": "es"}).content.decode()
        assert '<html lang="en"' in spanish
        english = alice.get(door, headers={"accept-language": "en"}).content.decode()
        tokens = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
        assert tokens.sub("", spanish) == tokens.sub("", english)
    closed = Browser().get("/m/no-such-link/", headers={"accept-language": "es"}).content.decode()
    assert "Este enlace no está abierto" in closed
