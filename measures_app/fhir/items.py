"""The items of a Questionnaire, flattened to what can be asked and scored here.

Groups keep their place, displays become the words beside a question; everything else is told.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from measures_app.fhir import own
from measures_app.fhir.documents import number
from measures_app.fhir.fhirpath_parser import Node, NotUnderstood, parse
from measures_app.fhir.questions import Calculated, Question, Questions, codings, tidy
from measures_app.fhir.report import Report
from measures_app.fhir.resource import extensions, tables, value_of
from measures_app.fhir.terminology import Option, Terminology
from measures_app.fhir.texts import Texts, Words
from measures_app.fhir.urls import (
    CALCULATED,
    DECIMAL_PLACES,
    ENABLE_WHEN,
    HIDDEN,
    ITEM,
    ITEM_CONTROL,
    MAX_VALUE,
    MEASURE,
    MIN_VALUE,
    SCORES,
    SLIDER_STEP,
    TRANSLATION,
    UNIT,
    VARIABLE,
    WORDING,
)

MAX_QUESTIONS = 400
KNOWN_EXTENSIONS = frozenset(
    (
        *CALCULATED, DECIMAL_PLACES, ENABLE_WHEN, HIDDEN, ITEM, MAX_VALUE, MIN_VALUE, *SCORES,
        SLIDER_STEP, TRANSLATION, UNIT, VARIABLE, WORDING,
    )
)  # fmt: skip
CALCULATED_TYPES = ("decimal", "integer", "quantity")
DRAWN = {"lower": "low", "upper": "high", "help": "hint", "flyover": "hint", "prompt": "hint"}
KEPT_CONTROLS = frozenset({*DRAWN, "slider", "unit", "radio-button"})
YES_NO = {"en": ("No", "Yes"), "es": ("No", "Sí")}


def control_of(item: dict[str, Any]) -> str:
    for extension in extensions(item, ITEM_CONTROL):
        value = extension.get("valueCodeableConcept")
        for coding in tables(value.get("coding")) if isinstance(value, dict) else []:
            return str(coding.get("code", ""))
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Reader:
    """Walks the items once, in order."""

    def __init__(
        self,
        questionnaire: dict[str, Any],
        texts: Texts,
        terminology: Terminology,
        leave_out: frozenset[str],
        out: Report,
    ) -> None:
        self.questionnaire, self.texts, self.out = questionnaire, texts, out
        self.terminology, self.leave_out = terminology, leave_out
        self.found = Questions()
        self.ids: set[str] = set()
        self.is_ours = bool(own.decode(questionnaire, MEASURE))
        self.waiting: list[Words] = []  # displays on their way to the next question
        # Variables by the link id of where they stand, the form first; "" is the form.
        self.variables: list[tuple[str, dict[str, Node]]] = []

    def read(self) -> Questions:
        self._unkept(self.questionnaire, "Questionnaire", frozenset({VARIABLE}))
        self.variables.append(("", self._variables(self.questionnaire)))
        self._items(self.questionnaire.get("item"), "")
        if self.waiting:
            self.out.note("the text after the last question isn't kept")
        self._drop_empty_groups()
        if len(self.found.asked) > MAX_QUESTIONS:
            self.out.fault("Questionnaire", f"more than {MAX_QUESTIONS} questions")
        return self.found

    def _items(self, items: Any, group: str) -> None:
        for item in tables(items):
            self._item(item, f"item “{item.get('linkId')}”", group)

    def _item(self, item: dict[str, Any], where: str, group: str) -> None:
        if item.get("linkId") in self.leave_out:
            self.out.note("left out as asked", where)
            return
        # What is no group has no items to look at: its variables see those beside it.
        around = self.variables[-1][0]
        here = str(item.get("linkId")) if item.get("type") == "group" else around
        self.variables.append((here, self._variables(item)))
        self._unkept(item, where, KNOWN_EXTENSIONS | {ITEM_CONTROL})
        for option in tables(item.get("answerOption")):
            self._unkept(option, where, KNOWN_EXTENSIONS)
        if item.get("enableWhen") or extensions(item, ENABLE_WHEN):
            self.out.note("asked always: the condition (enableWhen) can't be kept", where)
        if item.get("initial"):
            self.out.note("the answer filled in beforehand isn't kept: untouched is missing", where)
        kind = item.get("type")
        if kind == "group":
            self._group(item, where, group)
        elif kind == "display":
            self._display(item, where)
        elif extensions(item, *CALCULATED) or own.decode(item, ITEM).get("totals_only"):
            self._calculated(item, where)
        else:
            self._question(item, where, group)
        self.variables.pop()

    def _unkept(self, element: dict[str, Any], where: str, known: frozenset[str]) -> None:
        for extension in tables(element.get("extension")):
            url = str(extension.get("url", ""))
            if url.startswith("https://clinic-outcomes.example/") or url in known:
                continue
            self.out.note(f"the extension {url.rsplit('/', 1)[-1]} isn't kept", where, small=True)

    def _name(self, link_id: str, wanted: Any = None) -> str:
        base = link_id if self.is_ours else tidy(link_id)
        name = base = wanted if isinstance(wanted, str) and wanted else base
        number = 2
        while name in self.ids:
            name, number = f"{base}-{number}", number + 1
        self.ids.add(name)
        return name

    def _group(self, item: dict[str, Any], where: str, within: str) -> None:
        if item.get("repeats"):
            self.out.fault(where, "a group that repeats has no single score; leave it out")
            return
        link = str(item["linkId"])
        name = self._name(f"{link}", own.decode(item, ITEM).get("id"))
        group: dict[str, Any] = {"id": name}
        if link != name:
            group["link_id"] = link
        if within:
            group["within"] = within
        if codes := codings(item.get("code")):
            group["codes"] = codes
        self.found.groups.append(group)
        if words := self.texts.of(item, "text", where):
            self.found.group_words[name] = words
        self._items(item.get("item"), name)

    def _display(self, item: dict[str, Any], where: str) -> None:
        words = self.texts.of(item, "text", where)
        if extensions(item, HIDDEN):
            self.out.note("a hidden text isn't kept", where)
        elif words and not self.found.asked and not self.found.groups and not self.found.scores:
            before = self.found.instruction
            self.found.instruction = {
                language: "\n".join(filter(None, (before.get(language), text)))
                for language, text in {**before, **words}.items()
            } | {language: text for language, text in before.items() if language not in words}
        elif words:
            self.waiting.append(words)

    def _calculated(self, item: dict[str, Any], where: str) -> None:
        if item.get("type") not in CALCULATED_TYPES:
            self.out.note(
                f"what is calculated as “{item.get('type')}” is no score: not kept", where
            )
            return
        tree, why_not = None, ""
        ours = own.decode(item, ITEM)
        for extension in extensions(item, *CALCULATED):
            expression = extension.get("valueExpression")
            expression = expression if isinstance(expression, dict) else {}
            language = expression.get("language")
            if language != "text/fhirpath":
                why_not = f"it is written in {str(language)[:30]}, and text/fhirpath is read"
                continue
            try:
                tree = parse(str(expression.get("expression", "")))
            except NotUnderstood as problem:
                why_not = str(problem)
        variables = {name: node for _, scope in self.variables for name, node in scope.items()}
        within = {name: link for link, scope in self.variables for name in scope}
        score = Calculated(
            link_id=str(item["linkId"]),
            where=where,
            words={} if ours.get("unnamed") else self.texts.of(item, "text", where),
            item=item,
            codes=codings(item.get("code")),
            unit=self._unit(item),
            name=str(ours.get("score", "")),
            tree=tree,
            variables=variables,
            within=within,
            group=self.variables[-1][0],
            why_not=why_not,
        )
        if ours.get("totals_only"):
            self.found.totals_only = score
        self.found.scores.append(score)
        if item.get("item"):
            self._items(item.get("item"), "")

    def _variables(self, element: dict[str, Any]) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for extension in extensions(element, VARIABLE):
            expression = extension.get("valueExpression")
            if not isinstance(expression, dict) or not isinstance(expression.get("name"), str):
                continue
            try:
                found[expression["name"]] = parse(str(expression.get("expression", "")))
            except NotUnderstood:
                continue  # whoever uses it is told that it isn't defined
        return found

    def _unit(self, item: dict[str, Any]) -> str:
        for extension in extensions(item, UNIT):
            coding = extension.get("valueCoding")
            if isinstance(coding, dict):
                return str(coding.get("display") or coding.get("code") or "")
        return ""

    def _question(self, item: dict[str, Any], where: str, group: str) -> None:
        kind = item.get("type")
        hidden = any(value_of(e)[1] is True for e in extensions(item, HIDDEN))
        question = None
        if hidden:
            self.out.note("a hidden question isn't asked, and not kept", where)
        elif kind in ("choice", "open-choice") or item.get("answerOption"):
            if kind == "open-choice":
                self.out.note("an answer in own words isn't offered; the listed ones are", where)
            question = self._choice(item, where)
        elif kind == "boolean":
            question = self._boolean(item, where)
        elif kind in ("integer", "decimal"):
            question = self._number(item, where)
        else:
            self.out.note(f"a question of the type “{kind}” isn't a score: not kept", where)
        if question is not None:
            self._finish(question, item, group)
        for inner in tables(item.get("item")):
            name = f"item “{inner.get('linkId')}”"
            if question is not None and inner.get("type") == "display":
                self._beside(question, inner, name)
            else:
                self.out.note("asked after the question it stood under", name)
                self._item(inner, name, group)

    def _new(self, item: dict[str, Any], where: str) -> Question:
        link, ours = str(item["linkId"]), own.decode(item, ITEM)
        words = {
            language: {"label": text}
            for language, text in self.texts.of(item, "text", where).items()
        }
        if not words:
            self.out.note("a question without a text is shown by its code or id", where)
            label = next((c["display"] for c in codings(item.get("code")) if "display" in c), link)
            words = {self.texts.base: {"label": label}}
        return Question(self._name(link, ours.get("id")), link, where, words, ours=ours)

    def _finish(self, question: Question, item: dict[str, Any], group: str) -> None:
        where = question.where
        question.group = group
        question.codes = codings(item.get("code"))
        question.unit = self._unit(item)
        if item.get("repeats"):
            question.may_score = False
            self.out.note("one answer is taken where several were possible (repeats)", where)
        if item.get("prefix"):
            self.out.note("the numbering before the text (prefix) isn't kept", where, small=True)
        if (control := control_of(item)) and control not in KEPT_CONTROLS:
            self.out.note(f"how it is drawn ({control}) isn't kept", where, small=True)
        for language, text in self._headings().items():
            question.words.setdefault(language, {})["heading"] = text
        for language, further in own.decode_words(item, where, self.out).items():
            question.words.setdefault(language, {}).update(further)
        self.found.asked.append(question)

    def _headings(self) -> Words:
        """The displays that stood before this question, as one text a language."""
        found: dict[str, list[str]] = {}
        for words in self.waiting:
            for language, text in words.items():
                found.setdefault(language, []).append(text)
        self.waiting.clear()
        return {language: "\n".join(texts) for language, texts in found.items()}

    def _beside(self, question: Question, item: dict[str, Any], where: str) -> None:
        """A display under a question: its ends, its hint, its unit."""
        self._unkept(item, where, KNOWN_EXTENSIONS | {ITEM_CONTROL})
        control = control_of(item)
        words = self.texts.of(item, "text", where)
        if control == "unit":
            question.unit = words.get(self.texts.base, "")
            return
        key = DRAWN.get(control, "hint")
        for language, text in words.items():
            place = question.words.setdefault(language, {})
            place[key] = f"{place[key]}\n{text}" if key in place else text

    def _choice(self, item: dict[str, Any], where: str) -> Question | None:
        options = self.terminology.options(item, where)
        scored = [option for option in options if option.score is not None]
        if scored and len(scored) < len(options):
            self.out.note("an answer without a score isn't offered: leave it untouched", where)
            options = scored
        if len(options) < 2:
            if not self.out.faults:
                self.out.note("a question with fewer than two answers isn't kept", where)
            return None
        question = self._new(item, where)
        question.has_scores = bool(scored)
        if not scored:
            values = [v for v in own.as_list(question.ours.get("value")) if _is_number(v)]
            if len(values) != len(options):
                values = list(range(len(options)))
            options = [
                Option(Decimal(str(value)), option.words, option.code, option.answer)
                for value, option in zip(values, options, strict=True)
            ]
        question.options = options
        self._label(question)
        return question

    def _label(self, question: Question) -> None:
        """The words of the answers, in the order of the choices; a shared score shares a line."""
        values = list(dict.fromkeys(option.score for option in question.options))
        if len(values) < len(question.options):
            self.out.note(
                "answers with the same score are kept as one: which of them isn't told apart",
                question.where,
            )
        languages = dict.fromkeys(lang for o in question.options for lang in o.words)
        for language in languages:
            labels = []
            for value in values:
                same = [o.words for o in question.options if o.score == value]
                texts = [words[language] for words in same if language in words]
                texts = texts or [text for words in same for text in list(words.values())[:1]]
                labels.append(" / ".join(dict.fromkeys(texts)))
            if language not in question.words:
                self.out.note("a question without a text in a language of its answers is shown in "
                              "the first language", question.where)  # fmt: skip
                question.words[language] = {"label": self._first_label(question)}
            question.words[language]["choices"] = labels

    def _first_label(self, question: Question) -> str:
        return next(str(w["label"]) for w in question.words.values() if "label" in w)

    def _boolean(self, item: dict[str, Any], where: str) -> Question:
        question = self._new(item, where)
        question.options = [
            Option(Decimal(at), {}, {"code": code}, {"valueBoolean": bool(at)})
            for at, code in enumerate(("false", "true"))
        ]
        for language, words in question.words.items():
            words["choices"] = list(YES_NO.get(language.split("-")[0], ("0", "1")))
            if words["choices"][1] == "1":
                self.out.note(f"yes and no have no words in “{language}”: shown as 1 and 0", where)
        return question

    def _number(self, item: dict[str, Any], where: str) -> Question | None:
        ends = []
        for url in (MIN_VALUE, MAX_VALUE):
            for extension in extensions(item, url)[:1]:
                try:
                    ends.append(number(value_of(extension)[1]))
                except ValueError as problem:
                    self.out.fault(where, f"its range: {problem}")
        if len(ends) < 2:
            if not self.out.faults:
                self.out.note("a number without minValue and maxValue can't be scored", where)
            return None
        if ends[0] >= ends[1]:
            self.out.fault(where, f"its range is empty: {ends[0]} to {ends[1]}")
            return None
        question = self._new(item, where)
        question.low, question.high = ends
        question.step = self._step(item, where)
        return question

    def _step(self, item: dict[str, Any], where: str) -> Decimal:
        for extension in extensions(item, SLIDER_STEP):
            try:
                step = number(value_of(extension)[1])
            except ValueError as problem:
                self.out.fault(where, f"its step: {problem}")
                continue
            if step <= 0:
                self.out.fault(where, f"its step of {step} is no step")
                continue
            return step
        if item.get("type") == "integer":
            return Decimal(1)
        for extension in extensions(item, DECIMAL_PLACES):
            places = value_of(extension)[1]
            if places == 0:
                return Decimal(1)
            if places != 1:
                self.out.note("decimals beyond a tenth aren't taken", where)
        return Decimal("0.1")

    def _drop_empty_groups(self) -> None:
        used: set[str] = {question.group for question in self.found.asked}
        within = {str(g["id"]): str(g.get("within", "")) for g in self.found.groups}
        for name in list(used):
            while name:
                used.add(name)
                name = within.get(name, "")
        for group in self.found.groups:
            if group["id"] not in used:
                self.out.note("a group without a question isn't kept", f"item “{group['id']}”")
        self.found.groups = [group for group in self.found.groups if group["id"] in used]
