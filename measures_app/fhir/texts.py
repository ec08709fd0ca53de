"""Texts and their translations, as plain text: markup is never rendered."""

from __future__ import annotations

import re
from typing import Any

from measures_app.fhir.report import Report
from measures_app.fhir.resource import as_list, extensions, parts_of
from measures_app.fhir.urls import RENDERING, TRANSLATION

MAX_LANGUAGE = 8
LONGEST = 2_000
_MARKUP = re.compile(r"<\s*/?\s*[A-Za-z!][^>]*>")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})?")

Words = dict[str, str]


class Texts:
    """Reads texts of one document: its base language, and what translations say."""

    def __init__(self, language: Any, out: Report, asked: str = "") -> None:
        self.out = out
        if asked:
            self.base = asked
        elif isinstance(language, str) and language:
            self.base = self._language(language) or "en"
        else:
            self.base = "en"
            out.note("no language is stated: the texts are taken as English (--language)")

    def _language(self, said: str) -> str:
        if not _LANGUAGE.fullmatch(said) or len(said) > MAX_LANGUAGE:
            self.out.note(f"the language “{said[:30]}” isn't kept: it is no short language code")
            return ""
        primary = said.split("-")[0].lower()
        if primary == "en" and said != primary:
            self.out.note(f"the language “{said}” is read as “{primary}”")
            return primary
        return said.lower()

    def clean(self, text: Any, where: str) -> str:
        """One text on its way in; empty for what is no text."""
        if text is None:
            return ""
        if not isinstance(text, str):
            self.out.fault(where, f"a text is expected, not {str(text)[:40]}")
            return ""
        if len(text) > LONGEST:
            self.out.fault(where, f"a text of {len(text)} characters; {LONGEST} are the most")
            return ""
        if _MARKUP.search(text):
            self.out.note("markup in a text is shown as typed, never rendered", where)
        return text.strip()

    def of(self, element: dict[str, Any], name: str, where: str) -> Words:
        """A text by language."""
        found: Words = {}
        if text := self.clean(element.get(name), where):
            found[self.base] = text
        sibling = element.get(f"_{name}")
        if extensions(sibling, *RENDERING):
            self.out.note("styled renderings of texts are ignored; the plain text is kept", where)
        for extension in extensions(sibling, TRANSLATION):
            parts = parts_of(extension)
            language = self._language(str(parts.get("lang", "")))
            text = self.clean(parts.get("content"), where)
            if language and text:
                found[language] = text
        return found

    def designations(self, concept: dict[str, Any], where: str) -> Words:
        """The display of a value set's or code system's concept, and its designations."""
        found = self.of(concept, "display", where)
        for entry in as_list(concept.get("designation")):
            if isinstance(entry, dict) and isinstance(entry.get("language"), str):
                language = self._language(entry["language"])
                if language and (text := self.clean(entry.get("value"), where)):
                    found.setdefault(language, text)
        return found
