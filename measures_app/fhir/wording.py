"""The words of a Questionnaire by language, as a definition keeps them."""

from __future__ import annotations

from typing import Any

from measures_app.fhir.questions import Calculated, Question, Questions
from measures_app.fhir.report import Report
from measures_app.fhir.texts import Words


class Wording:
    """Gathers what questions, groups and scores are called in each language."""

    def __init__(
        self, found: Questions, named: list[tuple[Calculated, str]], ours: bool, out: Report
    ) -> None:
        self.found, self.named, self.ours, self.out = found, named, ours, out

    def read(
        self, base: str, titles: Words, further: dict[str, dict[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """Words by language, the base language first; `further` is what only our files hold."""
        asked = self.found.asked
        languages = dict.fromkeys([base] if titles or asked else [])
        languages |= dict.fromkeys(titles)
        languages |= dict.fromkeys(lang for q in asked for lang in q.words)
        languages |= dict.fromkeys(further)
        found: dict[str, dict[str, Any]] = {}
        for language in languages:
            words = self._in(language, titles, dict(further.get(language, {})))
            if set(words) == {"title"} and not self.ours:
                del words["title"]
            if words:
                found[language] = words
        return found

    def _in(self, language: str, titles: Words, words: dict[str, Any]) -> dict[str, Any]:
        if language in titles:
            words["title"] = titles[language]
        if language in self.found.instruction:
            words["instruction"] = self.found.instruction[language]
        kept = {group["id"] for group in self.found.groups}
        tables = {
            "items": {q.id: self._of(q, language) for q in self.found.asked},
            "groups": {
                name: said[language]
                for name, said in self.found.group_words.items()
                if language in said and name in kept
            },
            "scores": {
                name: score.words[language] for score, name in self.named if language in score.words
            },
        }
        return {**words, **{key: table for key, table in tables.items() if table}}

    def _of(self, question: Question, language: str) -> dict[str, Any]:
        words = question.words.get(language)
        if words is not None and ("label" in words or self.ours):
            return words
        first = next(w for w in question.words.values() if "label" in w or self.ours)
        self.out.note(
            f"a question without a text in “{language}” keeps its first language's", question.where
        )
        return {**first, **(words or {})}
