"""Respondents with links of their own: the form that a client opens, and sending it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse

from measures_app.forms import plain
from measures_app.views.answering import asked_by
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as, system
from sessions_app.models import Episode, Respondent, User

BY = system("bench")
ANSWERED = 120  # forms that wait to be sent, each once


@dataclass
class Waiting:
    """One respondent's form of today: its address and a full set of answers."""

    path: str
    body: dict[str, Any]


@dataclass
class Respondents:
    """Nobody signed in; `waiting` is made by the first who asks."""

    user: User  # who made the links
    cookie: str = ""
    waiting: list[Waiting] = field(default_factory=list)

    def at(self, number: int) -> Waiting:
        if not self.waiting:
            with acting_as(BY):
                self.waiting = self._made()
        return self.waiting[number % len(self.waiting)]

    def _made(self) -> list[Waiting]:
        now, found = clinic_time.now(), []
        episodes = Episode.objects.filter(closed_on=None).select_related("client").order_by("-pk")
        for episode in episodes[: ANSWERED + 1]:
            who = episode.client.respondents.get(relation=Respondent.Relation.SELF)
            session = actions.book_session(episode=episode, starts_at=now, by=BY)
            link, token = actions.make_link(session=session, respondent=who, by=self.user)
            actions.note_opened(link=link, by=BY)  # as it is before anybody answers
            opened = asked_by(link.pk)
            if opened is None or not opened[3].due:
                continue
            asked = opened[3]
            body = {
                f"{due.key}_{item.id}": plain(item.low)
                for due in asked.due
                for item in due.definition.items
            }
            path = reverse("respondent", args=[token])
            found.append(Waiting(path, {"key": str(uuid.uuid4()), "manner": "alone", **body}))
        return found


def opened(person: Any, number: int) -> str:
    """The same form each time: opening uses nothing up."""
    return str(person.at(0).path)


def sent(person: Any, number: int) -> str:
    return str(person.at(1 + number % ANSWERED).path)


def answers(person: Any, number: int) -> dict[str, Any]:
    return dict(person.at(1 + number % ANSWERED).body)
