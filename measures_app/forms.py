"""Quick entry from paper: attendance and every due measure on one page, typed without a mouse.

A mark on the 100 mm line is typed as whole millimetres ("64", "09"), or on the scale itself
("6.4"). A bare "9" could be either and is asked about.
Untouched is missing; zero is an answer.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app.definitions import ItemDefinition
from measures_app.due import Due
from measures_app.models import Administration
from sessions_app import clinic_time
from sessions_app.forms import DayInput, EndingForm, TimeInput
from sessions_app.models import Meeting, Session

LINE_MM = 100
TWO_READINGS = frozenset(str(n) for n in range(1, 11))


def plain(value: Any) -> str:
    """A bound or step as people write it: 10, not 10.0."""
    return f"{Decimal(str(value)).normalize():f}"


class MarkInput(forms.TextInput):
    """A text input written without a template: a page has a dozen and more."""

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        written = self.build_attrs(self.attrs, {"type": "text", "name": name, **(attrs or {})})
        shown = self.format_value(value)
        return format_html("<input{}>", flatatt(written | ({"value": shown} if shown else {})))


class AnswerField(forms.CharField):
    """An answer as typed from paper; None when left empty. What is wrong names the item.

    A mark on a line is whole millimetres of 100 (two digits at least), or on the scale with a
    point; a choice is its number.
    """

    def __init__(
        self, *, item: ItemDefinition, label: str, from_paper: bool = True, **options: Any
    ) -> None:
        self.item, self.from_paper = item, from_paper
        super().__init__(
            required=False,
            label=label,
            max_length=12,
            widget=MarkInput(
                attrs={
                    "inputmode": "decimal",
                    "autocomplete": "off",
                    "data-mark": item.kind,
                    "data-low": plain(item.low),
                    "data-high": plain(item.high),
                }
            ),
            **options,
        )

    def _refuse(self, why: str) -> ValidationError:
        return ValidationError(f"{self.label}: {why}")

    def clean(self, value: Any) -> Decimal | None:
        text = str(value or "").strip().replace(",", ".")
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise self._refuse(_("“%s” is not a number.") % text) from None
        low, high, step = (
            Decimal(str(bound)) for bound in (self.item.low, self.item.high, self.item.step)
        )
        if self.from_paper and self.item.kind == "vas" and text.isdecimal():
            if text in TWO_READINGS:
                # 9 may be 9 mm or 9 of 10: a guess would be out by ninety per cent.
                raise self._refuse(
                    _("%(given)s could be millimetres or the scale: write %(mm)s or %(scale)s.")
                    % {"given": text, "mm": f"0{text}", "scale": f"{text}.0"}
                )
            if number > LINE_MM:
                raise self._refuse(_("the line is 100 mm long, not %s.") % text)
            number = low + (high - low) * number / LINE_MM
        if not number.is_finite() or not low <= number <= high:
            raise self._refuse(
                _("between %(low)s and %(high)s, not %(given)s.")
                % {"low": plain(low), "high": plain(high), "given": text}
            )
        if self.item.choices and number not in [Decimal(str(c)) for c in self.item.choices]:
            raise self._refuse(_("“%s” is none of the answers.") % text)
        if (number - low) % step:
            raise self._refuse(_("%(step)s is the finest step.") % {"step": plain(step)})
        return number.quantize(step)


DETAILS = ("kind", "format", "telehealth", "obstacle", "where", "call_back", "manner")
CALLED_OFF = (Session.Status.LATE_CANCEL, Session.Status.CLINIC_CANCEL)


class AsksMeasures(forms.Form):
    """The fields of due measures: answers or a total, or why it wasn't taken; all optional."""

    due: list[Due]

    def ask(self, due: list[Due]) -> None:
        self.due = due
        for form in due:
            self._add(form)

    def _add(self, due: Due) -> None:
        words = due.words.get("items", {})
        for item in due.definition.items:
            self.fields[f"{due.key}_{item.id}"] = AnswerField(
                item=item, label=words.get(item.id, {}).get("label", item.id)
            )
        if not due.definition.items:
            whole = ItemDefinition(
                "total", "choice", float(due.version.low), float(due.version.high),
                float(due.version.step),
            )  # fmt: skip
            self.fields[f"{due.key}_total"] = AnswerField(item=whole, label=_("Total"))
        self.fields[f"{due.key}_not_taken"] = forms.ChoiceField(
            label=_("Not taken"),
            required=False,
            choices=[("", "–"), *[c for c in Administration.NotTaken.choices if c[0]]],
        )

    def answers_to(self, due: Due) -> dict[str, Any]:
        """What was given to one due measure: answers, a total, why not; empty for nothing."""
        given = self.cleaned_data
        answers = {item.id: given.get(f"{due.key}_{item.id}") for item in due.definition.items}
        reading: dict[str, Any] = {}
        if any(value is not None for value in answers.values()):
            reading["answers"] = answers
        if given.get(f"{due.key}_total") is not None:
            reading["total"] = given[f"{due.key}_total"]
        if reading and given.get("manner"):
            reading["manner"] = given["manner"]
        if given.get(f"{due.key}_not_taken"):
            reading["not_taken"] = given[f"{due.key}_not_taken"]
        return reading

    def refuse_both(self) -> list[Due]:
        """The scored ones; a score and a reason why there is none exclude each other."""
        scored = []
        for due in self.due:
            reading = self.answers_to(due)
            if "answers" not in reading and "total" not in reading:
                continue
            scored.append(due)
            if reading.get("not_taken"):
                self.add_error(f"{due.key}_not_taken", _("It was either taken or not."))
        return scored

    def typed_for(self, due: Due) -> bool:
        """Whether anything was typed for one measure."""
        return any(
            str(value).strip()
            for name, value in self.data.items()
            if name.startswith(f"{due.key}_")
        )

    def measure_groups(self) -> list[dict[str, Any]]:
        """The measures' fields in order, for the template."""
        return [
            {
                "due": due,
                "marks": [
                    self[name]
                    for name in self.fields
                    if name.startswith(f"{due.key}_") and not name.endswith("_not_taken")
                ],
                "not_taken": self[f"{due.key}_not_taken"],
                "lines": any(item.kind == "vas" for item in due.definition.items),
                "adds_up": _adds_up(due),
                "high": due.version.high,
            }
            for due in self.due
        ]


class SessionForm(AsksMeasures):
    """A session as it was held, with the measures that were due."""

    key = forms.UUIDField(
        widget=forms.HiddenInput,
        error_messages=dict.fromkeys(
            ("required", "invalid"), gettext_lazy("This page is no longer whole: open it again.")
        ),
    )
    held_on = forms.DateField(label=gettext_lazy("Day"), widget=DayInput())
    time = forms.TimeField(label=gettext_lazy("Time"), widget=TimeInput(), required=False)
    status = forms.ChoiceField(
        label=gettext_lazy("Attendance"),
        choices=[c for c in Session.Status.choices if c[0] != Session.Status.BOOKED],
        initial=Session.Status.ATTENDED,
    )
    obstacle = forms.ChoiceField(
        label=gettext_lazy("What stood in the way"),
        choices=Session.Obstacle.choices,
        required=False,
    )
    minutes = forms.IntegerField(
        label=gettext_lazy("Minutes"), min_value=5, max_value=480, initial=50
    )
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Meeting.Kind.choices)
    format = forms.ChoiceField(label=gettext_lazy("Format"), choices=Meeting.Format.choices)
    telehealth = forms.BooleanField(label=gettext_lazy("By video or phone"), required=False)
    where = forms.CharField(
        label=gettext_lazy("By video or phone: where is the client now?"),
        max_length=200,
        required=False,
    )
    call_back = forms.CharField(
        label=gettext_lazy("A number to call back if the line breaks"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "tel"}),
    )
    manner = forms.ChoiceField(
        label=gettext_lazy("How were the forms answered?"),
        choices=Administration.Manner.choices,
        required=False,
    )
    another = forms.BooleanField(
        label=gettext_lazy("A further session on the same day"), required=False
    )

    def __init__(
        self, *args: Any, due: list[Due], session: Session | None = None, **kwargs: Any
    ) -> None:
        now = clinic_time.now().astimezone(clinic_time.zone())
        initial = {"key": uuid.uuid4(), "held_on": now.date(), "time": now.time()}
        if session is not None:
            starts = session.meeting.starts_at.astimezone(clinic_time.zone())
            booked = session.status == Session.Status.BOOKED
            initial |= {
                "held_on": session.held_on,
                "time": starts.time(),
                "minutes": session.meeting.minutes,
                "kind": session.meeting.kind,
                "format": session.meeting.format,
                "telehealth": session.meeting.telehealth,
                "status": Session.Status.ATTENDED if booked else session.status,
                "obstacle": session.obstacle,
                **session.whereabouts,
            }
        super().__init__(*args, initial=initial, **kwargs)
        self.session = session
        if session is not None:
            # Who is here decides the format: that has a page of its own.
            for name in ("held_on", "time", "format"):
                self.fields[name].disabled = True
            for name in ("minutes", "kind"):
                self.fields[name].required = False  # as it was booked
            del self.fields["another"]
        self.ask(due)
        first = next((f for f in self.fields.values() if isinstance(f, AnswerField)), None)
        if first is not None and not self.is_bound:
            first.widget.attrs["autofocus"] = True

    def starts_at(self) -> datetime:
        given = self.cleaned_data
        time = given.get("time")
        return clinic_time.at(given["held_on"], *((time.hour, time.minute) if time else ()))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for problem in self.errors.get("key", ()):
            self.add_error(None, problem)
        status = given.get("status")
        ahead = given.get("held_on") is not None and given["held_on"] > clinic_time.today()
        if ahead and status not in CALLED_OFF:
            self.add_error(
                "status" if self.session else "held_on", _("The session lies in the future.")
            )
        for due in self.refuse_both():
            if status != Session.Status.ATTENDED:
                first = next(name for name in self.fields if name.startswith(f"{due.key}_"))
                self.add_error(first, _("A score needs a session that was attended."))
        return given

    def details_open(self) -> bool:
        """Whether the rarer facts of a session need to be seen at once."""
        return any(name in self.errors for name in DETAILS) or bool(
            self.session is not None and self.session.meeting.telehealth
        )


class LastMeasureForm(AsksMeasures, EndingForm):
    """How care ended, with what was due at the last session and isn't in yet."""

    def __init__(self, *args: Any, due: list[Due], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ask(due)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        self.refuse_both()
        return given

    def readings(self) -> list[tuple[Due, dict[str, Any]]]:
        return [(due, self.answers_to(due)) for due in self.due]


def _adds_up(due: Due) -> bool:
    """Whether the total is the plain sum of the answers, so that a page can add along."""
    definition = due.definition
    return (
        bool(definition.items)
        and definition.rule == "total"
        and definition.multiplier == 1
        and not any(item.reverse for item in definition.items)
    )
