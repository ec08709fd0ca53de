"""Measures on paper: a sheet a form, lines of exactly 100 mm, the session's code at the foot.

No name stands on a sheet: its code leads back to the session, for those who may see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from measures_app.definitions import MeasureDefinition
from measures_app.due import Due
from reports_app.paper import render_pdf
from sessions_app.models import Installation, Session
from sessions_app.session_code import encode

SIZES = ("a4", "letter")
SHEETS = ("form_sheet.css",)


@dataclass(frozen=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True)
class ItemOnPaper:
    label: str
    hint: str
    heading: str
    low: str
    high: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Sheet:
    """One measure for one respondent, in their language."""

    title: str
    instruction: str
    language: str
    measure: str
    respondent: str
    licence: str
    items: tuple[ItemOnPaper, ...]


def _choices(values: tuple[float, ...] | None, labels: list[str]) -> tuple[Choice, ...]:
    texts = [f"{value:g}" for value in values or ()]
    return tuple(Choice(text, label) for text, label in zip(texts, labels or texts, strict=True))


def sheet_of(definition: MeasureDefinition, language: str, respondent: str = "") -> Sheet:
    """A measure's sheet; words fall back on English where the language has none."""
    words = definition.words(language)
    texts = words.get("items", {})
    spoken = next((name for name, text in definition.wording.items() if text is words), language)
    items = []
    for item in definition.items:
        text = texts.get(item.id, {})
        items.append(
            ItemOnPaper(
                label=text.get("label", item.id),
                hint=text.get("hint", ""),
                heading=text.get("heading", ""),
                low=text.get("low", f"{item.low:g}"),
                high=text.get("high", f"{item.high:g}"),
                choices=_choices(item.choices, list(text.get("choices", ()))),
            )
        )
    return Sheet(
        title=words.get("title") or definition.title,
        instruction=words.get("on_paper") or words.get("instruction", ""),
        language=spoken,
        measure=definition.code,
        respondent=respondent,
        licence=definition.licence,
        items=tuple(items),
    )


def _pdf(sheets: list[Sheet], size: str, **more: Any) -> bytes:
    installation = Installation.objects.first()
    context = {
        "sheets": sheets,
        "size": size,
        "language": sheets[0].language,
        "title": sheets[0].title,
        "clinic_name": installation.clinic_name if installation else "",
        **more,
    }
    return render_pdf(render_to_string("paper/form.html", context), sheets=SHEETS)


def measure_pdf(definition: MeasureDefinition, language: str, size: str = "a4") -> bytes:
    """A measure for the drawer: no session, no code.

    Raises
    ------
    reports_app.paper.PaperUnavailable
        When the PDF engine's libraries are missing.
    """
    return _pdf([sheet_of(definition, language)], size)


def _who(due: Due) -> str:
    with override(due.respondent.language):
        if due.respondent.relation == "self":
            return _("about myself")
        return str(due.respondent.label or _(due.respondent.get_relation_display()))


def session_pdf(session: Session, due: list[Due], size: str = "a4") -> bytes:
    """All forms due at a session, each in its respondent's language, with the session's code.

    Raises
    ------
    reports_app.paper.PaperUnavailable
        When the PDF engine's libraries are missing.
    """
    sheets = [
        sheet_of(each.definition, each.respondent.language, _who(each))
        for each in due
        if each.definition.items
    ]
    return _pdf(sheets, size, code=encode(session.pk), day=session.held_on)
