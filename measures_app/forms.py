"""Quick entry from paper: attendance and every due measure on one page, typed without a mouse.

A mark on the 100 mm line is typed as whole millimetres ("64"), or on the scale itself ("6.4").
Untouched is missing; zero is an answer.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app.due import Due
from measures_app.models import Administration
from sessions_app import clinic_time
from sessions_app.forms import DayInput, TimeInput
from sessions_app.models import Meeting, Session

LINE_MM = 100


class MarkField(forms.CharField):
    """A mark on a line, in millimetres or on the scale; None when left empty."""

    def __init__(self, *, low: float, high: float, **options: Any) -> None:
        self.low, self.high = Decimal(str(low)), Decimal(str(high))
        super().__init__(
            required=False,
            max_length=6,
            widget=forms.TextInput(
                attrs={"inputmode": "decimal", "autocomplete": "off", "data-mark": f"{high:g}"}
            ),
            **options,
        )

    def clean(self, value: Any) -> Decimal | None:
        text = str(value or "").strip().replace(",", ".")
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValidationError(_("“%s” is not a number.") % text) from None
        if text.isdigit():
            if number > LINE_MM:
                raise ValidationError(_("The line is 100 mm long."))
            number = self.low + (self.high - self.low) * number / LINE_MM
        if not number.is_finite() or not self.low <= number <= self.high:
            raise ValidationError(
                _("Between %(low)s and %(high)s.") % {"low": self.low, "high": self.high}
            )
        if number * 10 % 1:
            raise ValidationError(_("Tenths are the finest mark."))
        return number.quantize(Decimal("0.1"))


class SessionForm(forms.Form):
    """A session as it was held, with the measures that were due."""

    key = forms.UUIDField(widget=forms.HiddenInput)
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
            }
        super().__init__(*args, initial=initial, **kwargs)
        self.due = due
        self.session = session
        if session is not None:
            for name in ("held_on", "time", "minutes", "kind", "format", "telehealth"):
                self.fields[name].disabled = True
        for form in due:
            self._add(form)
        first = next((f for f in self.fields.values() if isinstance(f, MarkField)), None)
        if first is not None:
            first.widget.attrs["autofocus"] = True

    def _add(self, due: Due) -> None:
        words = due.words.get("items", {})
        for item in due.definition.items:
            self.fields[f"{due.key}_{item.id}"] = MarkField(
                low=item.low, high=item.high, label=words.get(item.id, {}).get("label", item.id)
            )
        if not due.definition.items:
            self.fields[f"{due.key}_total"] = forms.DecimalField(
                label=_("Total"),
                required=False,
                min_value=due.version.low,
                max_value=due.version.high,
                widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            )
        self.fields[f"{due.key}_not_taken"] = forms.ChoiceField(
            label=_("Not taken"),
            required=False,
            choices=[("", "–"), *[c for c in Administration.NotTaken.choices if c[0]]],
        )

    def starts_at(self) -> datetime:
        given = self.cleaned_data
        time = given.get("time")
        return clinic_time.at(given["held_on"], *((time.hour, time.minute) if time else ()))

    def answers_to(self, due: Due) -> dict[str, Any]:
        """What was given to one due measure: answers, a total, why not; empty for nothing."""
        given = self.cleaned_data
        answers = {item.id: given.get(f"{due.key}_{item.id}") for item in due.definition.items}
        reading: dict[str, Any] = {}
        if any(value is not None for value in answers.values()):
            reading["answers"] = answers
        if given.get(f"{due.key}_total") is not None:
            reading["total"] = given[f"{due.key}_total"]
        if given.get(f"{due.key}_not_taken"):
            reading["not_taken"] = given[f"{due.key}_not_taken"]
        return reading

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        seen = given.get("status") == Session.Status.ATTENDED
        if given.get("held_on") and given["held_on"] > clinic_time.today():
            self.add_error("held_on", _("The session lies in the future."))
        for due in self.due:
            reading = self.answers_to(due)
            scored = "answers" in reading or "total" in reading
            first = next(name for name in self.fields if name.startswith(f"{due.key}_"))
            if scored and reading.get("not_taken"):
                self.add_error(f"{due.key}_not_taken", _("It was either taken or not."))
            if scored and not seen:
                self.add_error(first, _("A score needs a session that was attended."))
        return given

    def body(self) -> dict[str, Any]:
        """What identifies this submission: all that was typed, but for the key."""
        return {name: str(self.cleaned_data.get(name)) for name in self.fields if name != "key"}

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
                "low": due.version.low,
                "high": due.version.high,
            }
            for due in self.due
        ]
