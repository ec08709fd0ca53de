"""What a respondent reads is in their language: every word of every client-facing page."""

from __future__ import annotations

import gettext
import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client as Browser

from measures_app import measures
from outcomes_site.catalogues import ROOT, CatalogueProblem, compile_words, read_words
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from tests.cast import BY, Clinic

SOURCES = Path(__file__).resolve().parent.parent.parent
CLIENT_FACING = (
    "templates/entry/respondent.html", "templates/entry/_line.html", "templates/entry/_choice.html",
    "templates/entry/thanks.html", "templates/entry/link_closed.html",
    "templates/entry/handed_over.html", "templates/entry/_crisis.html",
    "templates/entry/tablet.html", "templates/entry/tablet_over.html", "sessions_app/links.py",
    "templates/entry/_seen_together.html",
    "measures_app/feedback.py", "measures_app/respondents.py",
)  # fmt: skip
SAID = re.compile(r"""\{%\s*translate\s+(?:"([^"]+)"|'([^']+)')|\b_\(\s*"([^"]+)"\s*\)""")


def test_every_word_of_a_client_facing_page_is_in_every_catalogue() -> None:
    wanted = set()
    for path in CLIENT_FACING:
        for found in SAID.findall((SOURCES / path).read_text(encoding="utf-8")):
            wanted.add(next(filter(None, found)))
    assert len(wanted) > 35
    for catalogue in ROOT.glob("*/LC_MESSAGES/django.po"):
        known = read_words(catalogue.read_text(encoding="utf-8"))
        assert sorted(wanted - set(known)) == [], catalogue


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
