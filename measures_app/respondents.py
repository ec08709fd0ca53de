"""The respondent's own form: one measure set in their words, answered on a line or by choice."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from measures_app.alerts import what_is_lacking
from measures_app.due import BESIDE, TOGETHER, Desk, Due
from measures_app.forms import AnswerField, plain
from measures_app.models import Administration
from sessions_app import clinic_time
from sessions_app.models import EntryLink, Respondent, Session
from sessions_app.prepared import Prepared


def _takes_part(person: Respondent, session: Session) -> bool:
    """Partners and other family where they are in the meeting; each while they take part."""
    if person.relation == Respondent.Relation.SELF:
        return True
    beside = person.relation in BESIDE and session.meeting.format in TOGETHER
    if not beside and person.relation != Respondent.Relation.CARER:
        return False
    day = session.held_on
    return person.from_on <= day and (person.to_on is None or day <= person.to_on)


def people_of_each(sessions: list[Session]) -> dict[int, list[Respondent]]:
    """Who answers about the client of each session, the client first; asked at once."""
    known: dict[int, list[Respondent]] = {}
    for person in Respondent.objects.filter(client__in={s.client_id for s in sessions}):
        known.setdefault(person.client_id, []).append(person)
    found = {}
    for session in sessions:
        people = [p for p in known.get(session.client_id, []) if _takes_part(p, session)]
        people.sort(key=lambda p: (p.relation != Respondent.Relation.SELF, p.pk))
        for person in people:
            person.client = session.client  # whose key opens a carer's address
        found[session.pk] = people
    return found


def people_of(session: Session) -> list[Respondent]:
    """Who answers about the client of a session, the client first."""
    return people_of_each([session])[session.pk]


@dataclass(frozen=True)
class Asked:
    """What a link's respondent is asked now, and whether more of it comes later in the visit."""

    due: list[Due]
    more_at_the_end: bool
    # (number, day) of the sessions so far, where they were read to find it.
    attended: list[tuple[int, date]] | None = None


def has_begun(session: Session) -> bool:
    """Whether the session is far enough on to ask how it was."""
    if session.status == Session.Status.ATTENDED:
        return True
    middle = session.meeting.starts_at + timedelta(minutes=session.meeting.minutes / 2)
    return clinic_time.now() >= middle


def asked_of(session: Session, respondent: Respondent, *, handed_over: bool = False) -> Asked:
    """Forms that this respondent has still to answer: first how things are, the session's after.

    Who hands a device over decides the moment, and is in the room. A measure with an alert
    item is put on a device only where the clinic stands ready for the answer.
    """
    desk = Desk([session.episode])
    taken = desk.taken_at(session, respondent)
    mine = [
        due
        for due in desk.due_at(session.episode, session.held_on, session)
        if due.respondent.pk == respondent.pk
        and due.definition.items
        and due.measure.pk not in taken
    ]
    if any(due.definition.alerts for due in mine) and what_is_lacking(
        respondent, attended=handed_over
    ):
        mine = [due for due in mine if not due.definition.alerts]
    first = [due for due in mine if due.at_start]
    last = [due for due in mine if not due.at_start]
    attended = desk.attended(session.episode)
    if first:
        return Asked(first, bool(last), attended)
    if handed_over or has_begun(session):
        return Asked(last, False, attended)
    return Asked([], bool(last), attended)


class RespondentForm(forms.Form):
    """One set of questions. Untouched is missing and asked about once; zero is an answer."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    manner = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, due: list[Due], **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"key": uuid.uuid4()})
        super().__init__(*args, **kwargs)
        self.due = due
        self.fields["manner"].label = _("Who filled this in?")
        self.fields["manner"].choices = [  # type: ignore[attr-defined]  # ChoiceField
            ("", _("rather not say")),
            (Administration.Manner.ALONE, _("I did, by myself")),
            (Administration.Manner.READ_ALOUD, _("it was read to me")),
            (Administration.Manner.INTERPRETER, _("with an interpreter")),
        ]
        for one in due:
            words = one.words.get("items", {})
            for item in one.definition.items:
                label = words.get(item.id, {}).get("label", item.id)
                field = AnswerField(item=item, label=label, from_paper=False)
                self.fields[f"{one.key}_{item.id}"] = field

    def answers_to(self, due: Due) -> dict[str, Any]:
        given = self.cleaned_data
        return {item.id: given.get(f"{due.key}_{item.id}") for item in due.definition.items}

    @property
    def cannot_wait(self) -> bool:
        """Whether an answer here may ask for a reply at once."""
        return any(due.definition.alerts for due in self.due)

    def untouched(self) -> int:
        """How many questions have no answer."""
        return sum(value is None for due in self.due for value in self.answers_to(due).values())

    def sets(self) -> list[dict[str, Any]]:
        """The question sets for the template: title, instruction, and a row an item."""
        return [
            {
                "title": due.title,
                "language": _other_language(due),
                "instruction": due.words.get("instruction", ""),
                "rows": [self._row(due, item) for item in due.definition.items],
            }
            for due in self.due
        ]

    def _row(self, due: Due, item: Any) -> dict[str, Any]:
        words = due.words.get("items", {}).get(item.id, {})
        field = self[f"{due.key}_{item.id}"]
        value = str(field.value() or "")
        row = {
            "id": field.id_for_label,
            "language": _other_language(due),
            "name": field.html_name,
            "label": field.label,
            "hint": words.get("hint", ""),
            "value": value,
            "errors": field.errors,
            "line": item.kind == "vas" and not item.choices,
            "shows_number": item.shows_number,
            "min": plain(item.low),
            "max": plain(item.high),
            "step": plain(item.step),
            "low": words.get("low", ""),
            "high": words.get("high", ""),
        }
        if not row["line"]:
            numbers = item.choices or _whole_numbers(item)
            labels = words.get("choices") or []
            row["choices"] = [
                {
                    "value": plain(number),
                    "label": labels[at] if at < len(labels) else plain(number),
                    "chosen": value == plain(number),
                }
                for at, number in enumerate(numbers)
            ]
        return row


def _other_language(due: Due) -> str:
    """The language of a measure's words where it isn't that of the page around them."""
    spoken = due.definition.spoken(due.respondent.language)
    return "" if spoken == due.respondent.language else spoken


def _whole_numbers(item: Any) -> list[float]:
    count = round((item.high - item.low) / item.step)
    return [item.low + n * item.step for n in range(count + 1)]


_LINK = Prepared(
    lambda pks: EntryLink.objects.filter(pk__in=pks).select_related(
        "respondent",
        "session__meeting",
        "session__episode__client__identity",
        "session__episode__client__key",
    )
)


def link_with_session(pk: int) -> EntryLink:
    """A link, its respondent and session, with all that decides what is asked; as the system."""
    found: list[EntryLink] = _LINK.objects([pk])
    if not found:
        raise EntryLink.DoesNotExist
    return found[0]
