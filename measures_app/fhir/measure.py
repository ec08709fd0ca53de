"""From a Questionnaire to a measure's definition: the whole of it, by way of TOML text."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from measures_app.definition_reader import parse_definition, too_deep, why_no_toml
from measures_app.definitions import DefinitionProblem, MeasureDefinition
from measures_app.fhir import own
from measures_app.fhir.documents import read_json
from measures_app.fhir.item_tables import add_range, item_table
from measures_app.fhir.items import Reader
from measures_app.fhir.questions import Questions, codings
from measures_app.fhir.report import FhirFault, FhirProblem, Report
from measures_app.fhir.resource import check_shape, expect_questionnaire, tables
from measures_app.fhir.scores import count, count_ours
from measures_app.fhir.terminology import Terminology
from measures_app.fhir.texts import Texts
from measures_app.fhir.toml_text import TOP_KEYS, write_document
from measures_app.fhir.totals import Runner, compare
from measures_app.fhir.urls import MEASURE, canonical
from measures_app.fhir.wording import Wording

SIDE_ONLY = ("leave_out", "scored", "unscored", "language")
SIDE_KEYS = tuple(k for k in TOP_KEYS if k not in ("items", "item_scale", "wording", "groups"))
LONGEST_CODE, LONGEST_TITLE = 40, 120
# Read into sources, or of no meaning for a measure.
READ_ELSEWHERE = frozenset(
    (
        "resourceType", "id", "meta", "url", "identifier", "version", "name", "title", "status",
        "date", "publisher", "copyright", "code", "item", "contained", "extension", "language",
        "text", "subjectType", "implicitRules", "modifierExtension",
    )
)  # fmt: skip
COMMENT = "Made from a FHIR R4 Questionnaire; docs/fhir.md says what is kept of one."
NO_DIRECTION = (
    "whether higher or lower is better isn't in the file, and is never guessed: say "
    '--better higher or --better lower (or better = "…" in the file given with --with)'
)


@dataclass(frozen=True)
class Loaded:
    """A Questionnaire as a definition, its TOML text, and what wasn't kept."""

    definition: MeasureDefinition
    text: str
    notes: tuple[str, ...]


def read_side(text: str) -> dict[str, Any]:
    """What a clinic adds to a Questionnaire: direction, norms with sources, alerts (TOML).

    Raises
    ------
    FhirProblem
    """
    if too_deep(text):
        raise FhirProblem([FhirFault("", "the tables are nested too deep")])
    try:
        side = tomllib.loads(text)
    except ValueError as problem:
        raise FhirProblem([FhirFault("", f"no TOML: {why_no_toml(problem)}")]) from None
    faults = []
    for key in side:
        if key not in (*SIDE_KEYS, *SIDE_ONLY):
            near = difflib.get_close_matches(key, (*SIDE_KEYS, *SIDE_ONLY), 1, 0.6)
            hint = f"; did you mean “{near[0]}”?" if near else ""
            faults.append(FhirFault("", f"“{key}” can't be added to a Questionnaire{hint}"))
    for key in ("leave_out", "scored", "unscored"):
        named = side.get(key, [])
        if not isinstance(named, list) or not all(isinstance(x, str) for x in named):
            faults.append(FhirFault("", f"“{key}” is a list of item ids"))
    norms = side.get("norms", [])
    if not isinstance(norms, list):
        faults.append(FhirFault("", "“norms” are rows, each begun by [[norms]]"))
        norms = []
    for row in norms:
        if not isinstance(row, dict) or not str(row.get("source", "")).strip():
            whom = row.get("population", "") if isinstance(row, dict) else ""
            faults.append(FhirFault("", f"the norm row “{whom}” has no source"))
    if faults:
        raise FhirProblem(faults)
    return side


def read_measure(
    data: bytes,
    *,
    side: Mapping[str, Any] | None = None,
    known: Sequence[MeasureDefinition] = (),
) -> Loaded:
    """Read a FHIR R4 Questionnaire.

    Parameters
    ----------
    data : bytes
        The file, JSON.
    side : mapping
        Keys of a definition that go before what the file says, and `leave_out`, `scored`,
        `unscored` (items, by link id or id) and `language`; see `read_side`.
    known : sequence of MeasureDefinition
        Measures that lend code, direction and norms to a Questionnaire with the same code.

    Raises
    ------
    FhirProblem
        With everything that is wrong.
    """
    resource = read_json(data)
    expect_questionnaire(resource)
    return _Assembly(resource, dict(side or {}), known).read()


class _Assembly:
    def __init__(
        self,
        resource: dict[str, Any],
        side: dict[str, Any],
        known: Sequence[MeasureDefinition],
    ) -> None:
        self.resource, self.side, self.known = resource, side, known
        self.out = Report()

    def read(self) -> Loaded:
        check_shape(self.resource, self.out)
        self.out.stop_if_faulty()
        self.ours = own.decode(self.resource, MEASURE)
        language = str(self.side.get("language", ""))
        self.texts = Texts(self.resource.get("language"), self.out, language)
        terminology = Terminology(self.resource.get("contained"), self.texts, self.out)
        leave_out = frozenset(self.side.get("leave_out", ()))
        reader = Reader(self.resource, self.texts, terminology, leave_out, self.out)
        self.questions: Questions = reader.read()
        self.out.stop_if_faulty()
        self._root_notes()
        document = self._document()
        self.out.stop_if_faulty()
        text = write_document(document, comment="" if self.ours else COMMENT)
        try:
            definition = parse_definition(text)
        except DefinitionProblem as problem:
            raise FhirProblem([FhirFault("", fault.reason) for fault in problem.faults]) from None
        self._verify(definition)
        self.out.stop_if_faulty()
        return Loaded(definition, text, self.out.notes)

    # The document

    def _document(self) -> dict[str, Any]:
        totals_only = self.questions.totals_only is not None
        self.runner = Runner(self.resource, self.questions.asked)
        self.counted = (
            count_ours(self.questions, self.ours)
            if self.ours
            else count(self.runner, self.questions, self.side, self.out)
        )
        scored = self.counted.scored
        titles = self.texts.of(self.resource, "title", "Questionnaire")
        if self.ours.pop("untitled", False):
            titles.pop(self.texts.base, None)
        further = own.decode_words(self.resource, "Questionnaire", self.out)
        document: dict[str, Any] = {
            "wording": Wording(self.questions, self.counted.named, bool(self.ours), self.out).read(
                self.texts.base, titles, further
            )
        }
        if totals_only:
            document.update(self._ours())
        else:
            if not scored:
                self.out.fault(
                    "Questionnaire",
                    "no answer carries a score (ordinalValue or itemWeight), and scores can't be "
                    "guessed: ask for a scored file, or load a TOML definition",
                )
                return {}
            names = {q.id for q in scored}
            document["items"] = [
                item_table(q, q.id in names, q.id in self.counted.turned)
                for q in self.questions.asked
            ]
            document["groups"] = self.questions.groups
            self._unscored_notes(names)
        document.update({k: v for k, v in self.counted.by_rule.items() if v})
        document.update(self._ours())
        self._adopt(document)
        document.update({k: v for k, v in self.side.items() if k not in SIDE_ONLY and v != ""})
        if not totals_only:
            self._range(document)
        self._said(document)
        return document

    def _unscored_notes(self, names: set[str]) -> None:
        for question in self.questions.asked:
            if question.id not in names and not self.ours:
                why = (
                    "its answers have no scores" if not question.has_scores else "not in the total"
                )
                self.out.note(f"asked, and part of no score: {why}", question.where)

    def _ours(self) -> dict[str, Any]:
        """What a file of our own says outright."""
        found = dict(self.ours)
        found.pop("subscale", None)
        alerts = own.as_list(found.pop("alert", None))
        for alert in alerts:
            threshold = alert.get("from") if isinstance(alert, dict) else None
            if not isinstance(threshold, (int, float)):
                self.out.fault("", "an alert names no item or no answer")
                continue
            found.setdefault("alerts", {})[str(alert.get("item"))] = threshold
        for key in ("sources", "authored_by", "checked_by", "norms"):
            if key in found:
                found[key] = own.as_list(found[key])
        return found

    def _adopt(self, document: dict[str, Any]) -> None:
        """Codes, url, words about the file; and what a measure of the same code lends."""
        codes = codings(self.resource.get("code"))
        if codes:
            document.setdefault("codes", codes)
        url = self.resource.get("url")
        if isinstance(url, str) and url != canonical(str(document.get("code", ""))):
            document.setdefault("url", url)
        if self.ours:
            return
        named = {(c.get("system", ""), c["code"]) for c in codes}
        for measure in self.known:
            theirs = {(c.get("system", ""), c["code"]) for c in measure.codes}
            if named & theirs:
                self._borrow(document, measure)
                return

    def _borrow(self, document: dict[str, Any], measure: MeasureDefinition) -> None:
        trial = dict(document)
        self._range(trial)
        if (trial["low"], trial["high"]) != (measure.low, measure.high):
            self.out.note(
                f"its code is that of “{measure.code}”, but its items come to {trial['low']:g} to "
                f"{trial['high']:g} and not to {measure.low:g} to {measure.high:g}: nothing is "
                "taken over from there"
            )
            return
        self.out.note(
            f"recognised by its code as “{measure.code}”: direction, purpose, rater and "
            f"{len(measure.norms)} norm row(s) are those of that measure"
        )
        document.update(
            code=measure.code, better=measure.better, purpose=measure.purpose, rater=measure.rater,
            sources=list(measure.sources), norms=[dict(row) for row in measure.norms],
        )  # fmt: skip
        if not measure.items:
            self.out.note(
                "totals entered so far are another series; to continue them, say "
                f'comparable_with = "{measure.scoring_hash}" and who checked_by it (--with)'
            )
        ids = {item["id"] for item in document["items"]}
        if measure.alerts and set(measure.alerts) <= ids:
            document["alerts"] = dict(measure.alerts)
            self.out.note(f"the alerts of “{measure.code}” are taken over, too")
        if not self.resource.get("title"):
            document["title"] = measure.title

    def _range(self, document: dict[str, Any]) -> None:
        try:
            add_range(document)
        except (ValueError, TypeError) as problem:
            self.out.fault("", str(problem))
            raise FhirProblem(self.out.faults) from None

    def _said(self, document: dict[str, Any]) -> None:
        """Title, code, licence, sources, purpose: from the file, or said that it is silent."""
        title = self.texts.clean(self.resource.get("title"), "Questionnaire")
        name = str(self.resource.get("name") or "")
        title = str(document.get("title") or title or name or "Untitled questionnaire")
        if len(title) > LONGEST_TITLE:
            self.out.note(f"the title is cut at {LONGEST_TITLE} characters")
            title = title[: LONGEST_TITLE - 1].rstrip() + "…"
        document["title"] = title
        if not document.get("code"):
            slug = re.sub(r"[^a-z0-9]+", "-", title.lower())[:LONGEST_CODE].strip("-")
            if not slug:
                self.out.fault("", "the title makes no code: say one (--code)")
            document["code"] = slug
        if not document.get("better"):
            self.out.fault("", NO_DIRECTION)
        if not document.get("purpose"):
            document["purpose"] = "symptom"
            self.out.note("no purpose is stated: taken as a symptom measure (--purpose)")
        if not document.get("rater") and not self.ours:
            document["rater"] = "client"
            self.out.note("who answers isn't stated: taken as the client (--rater)")
        if not document.get("licence"):
            licence = self.texts.clean(self.resource.get("copyright"), "copyright")
            document["licence"] = licence or "not stated in the file: ask its publisher"
            if not licence:
                self.out.note("no licence is stated (copyright): ask the publisher before using it")
        sources = [*document.get("sources", []), *([] if self.ours else self._origin())]
        document["sources"] = [s for at, s in enumerate(sources) if s not in sources[:at]]
        if not document.get("alerts") and not self.ours:
            self.out.note(
                "no answer is raised at once: a question about suicide, say, needs a line in "
                "[alerts] (--with)"
            )
        if not document.get("norms"):
            self.out.note(
                "a Questionnaire carries no norms: no cutoff and no reliable change are known "
                "until a file given with --with states them with their source"
            )

    def _origin(self) -> list[str]:
        """Where the measure was read from, as one of its sources."""
        called = self.resource.get("title") or self.resource.get("name") or ""
        parts = [f"FHIR R4 Questionnaire “{called}”"]
        for key in ("url", "version", "publisher", "date", "status"):
            if isinstance(self.resource.get(key), str):
                parts.append(f"{key} {self.resource[key]}")
        for entry in tables(self.resource.get("identifier")):
            parts.append(f"identifier {entry.get('system', '')}|{entry.get('value', '')}")
        return [", ".join(parts)[:500]]

    def _root_notes(self) -> None:
        if self.ours:
            return
        if isinstance(self.resource.get("text"), dict):
            self.out.note("the narrative (XHTML) isn't kept, and never rendered", small=True)
        status = self.resource.get("status")
        if status in ("draft", "retired", "unknown"):
            self.out.note(f"the file calls itself “{status}”")
        others = sorted(
            key for key in self.resource if not key.startswith("_") and key not in READ_ELSEWHERE
        )
        if others:
            self.out.note(f"not kept: {', '.join(others)}", small=True)

    # The check

    def _verify(self, definition: MeasureDefinition) -> None:
        """Our scores beside those the form works out, on the same answers."""
        for score, name in self.counted.named:
            if score.tree is None:
                if score is not self.questions.totals_only:
                    self.out.note(
                        f"the form's own calculation wasn't checked: {score.why_not}", score.where
                    )
                continue

            def ours(values: Mapping[str, Any], name: str = name) -> Decimal | None:
                scored = definition.score(values)
                return scored.total if name == "total" else scored.subscales[name]

            compare(self.runner, score, self.counted.scored, ours, self.out)
