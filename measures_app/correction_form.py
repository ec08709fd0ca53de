"""Putting a score right, or taking it out: what was kept is filled in, a reason is asked for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app import measures
from measures_app.actions.administrations import Reading, read_answers, read_total
from measures_app.definitions import ItemDefinition
from measures_app.forms import AnswerField
from measures_app.models import Administration
from sessions_app.submissions import body_hash

CORRECT, VOID = "correct", "void"
ITEM = "item_"


def _as_typed(item: ItemDefinition, value: Any) -> str:
    """An answer as the form reads it: a mark on a line keeps its point, so that 6.0 isn't 6 mm."""
    if value in (None, ""):
        return ""
    number = Decimal(str(value))
    return f"{number:.1f}" if item.kind == "vas" else f"{number.normalize():f}"


class CorrectionForm(forms.Form):
    """One administration as it should have been.

    `previewed` carries the hash of what the person looked at before keeping it.
    """

    what = forms.ChoiceField(
        label=gettext_lazy("What is wrong"),
        choices=[
            (CORRECT, gettext_lazy("A value: put it right below")),
            (VOID, gettext_lazy("All of it: it doesn't count (another client's, another day's)")),
        ],
        initial=CORRECT,
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=200,
        help_text=gettext_lazy("Stays with the score, for everyone who sees it. No names."),
    )
    previewed = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, row: Administration, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row
        self.definition = measures.definition_of(row.version)
        self.by_items = bool(self.definition.items) and (
            row.answers is not None or bool(row.not_taken)
        )
        self.reading: Reading | None = None
        self._add_values()
        self.order_fields(["what", *self.value_names, "reason", "previewed"])

    def _add_values(self) -> None:
        words = self.definition.words(self.row.language).get("items", {})
        if not self.by_items:
            version = self.row.version
            whole = ItemDefinition(
                "total", "choice", float(version.low), float(version.high), float(version.step)
            )
            self.fields["total"] = AnswerField(
                item=whole, label=_("Total"), initial=_as_typed(whole, self.row.total)
            )
            return
        for item in self.definition.items:
            self.fields[ITEM + item.id] = AnswerField(
                item=item,
                label=words.get(item.id, {}).get("label", item.id),
                initial=_as_typed(item, (self.row.answers or {}).get(item.id)),
            )

    @property
    def lines(self) -> bool:
        """Whether marks on lines are typed, which may be millimetres."""
        return self.by_items and any(item.kind == "vas" for item in self.definition.items)

    @property
    def value_names(self) -> list[str]:
        return [name for name in self.fields if name == "total" or name.startswith(ITEM)]

    @property
    def values(self) -> list[forms.BoundField]:
        return [self[name] for name in self.value_names]

    def given(self) -> dict[str, Any]:
        """What the action is called with, beside the row and the reason."""
        if not self.by_items:
            return {"total": self.cleaned_data["total"]}
        return {
            "answers": {
                item.id: self.cleaned_data.get(ITEM + item.id) for item in self.definition.items
            }
        }

    def place_of(self, key: str) -> str | None:
        """The field that an action's error is about."""
        name = key if key in self.fields else ITEM + key
        return name if name in self.fields else None

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("what") != CORRECT:
            # A value that can't be read doesn't matter to one who takes all of it out.
            for name in self.value_names:
                self.errors.pop(name, None)
            return given
        if any(name in self.errors for name in self.value_names):
            return given
        if not self.by_items:
            self._clean_total(given)
            return given
        answers = self.given()["answers"]
        if all(value is None for value in answers.values()):
            self.add_error("what", _("Nothing is answered: choose the other if all is wrong."))
            return given
        try:
            self.reading = read_answers(self.row.version, answers)
        except forms.ValidationError as problem:
            for key, errors in problem.error_dict.items():
                self.add_error(self.place_of(key), errors)
            return given
        self._refuse_the_same(
            self._numbers(self.reading.answers) == self._numbers(self.row.answers)
        )
        return given

    def _clean_total(self, given: dict[str, Any]) -> None:
        if given.get("total") is None:
            self.add_error("total", _("Give the score as it should be."))
            return
        try:
            total = read_total(self.row.version, given["total"])
        except forms.ValidationError as problem:
            self.add_error("total", problem.error_dict["total"])
            return
        self.reading = Reading(None, total, None, False)
        self._refuse_the_same(total == self.row.total)

    def _refuse_the_same(self, same: bool) -> None:
        if same and not self.row.not_taken:
            self.add_error("what", _("Nothing differs from what is kept."))

    @staticmethod
    def _numbers(answers: dict[str, Any] | None) -> dict[str, Decimal]:
        return {
            item: Decimal(str(value))
            for item, value in (answers or {}).items()
            if value not in (None, "")
        }

    def sign(self) -> str:
        """Hash of what would be kept, to tell whether it was looked at."""
        kept = {name: str(self.cleaned_data.get(name)) for name in self.fields}
        return body_hash({**kept, "previewed": "", "row": self.row.pk})
