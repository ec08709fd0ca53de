"""Respondents with forms of their own: on a link, or on a device handed over to them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.urls import reverse

from measures_app.due import Due
from measures_app.forms import plain
from measures_app.views.answering import asked_by
from measures_app.views.hand_over import HELD
from sessions_app import actions, clinic_time
from sessions_app.at_each_request import SessionStore
from sessions_app.context import acting_as, system
from sessions_app.models import EntryLink, Episode, Respondent, User

BY = system("bench")
ANSWERED = 120  # forms that wait to be sent, each once


@dataclass
class Waiting:
    """One respondent's form of today: its address and a full set of answers.

    `device` is the cookie of the clinic's device that is in their hands, where it is one.
    """

    path: str
    body: dict[str, Any]
    device: str = ""


def marks(due: list[Due]) -> dict[str, str]:
    """The lowest answer to each question of some forms."""
    return {f"{one.key}_{item.id}": plain(item.low) for one in due for item in one.definition.items}


def _device(link: EntryLink) -> str:
    """A session on the server that knows one link, as handing over makes it."""
    session = SessionStore()
    session[HELD] = {
        "link": link.pk,
        "session": link.session_id,
        "user": link.created_by_id,
        "pin": "",
        "tries": 0,
        "done": False,
    }
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


@dataclass
class Respondents:
    """Nobody signed in; forms are made by the first who asks."""

    user: User  # who made the links
    cookie: str = ""
    waiting: list[Waiting] = field(default_factory=list)
    held: list[Waiting] = field(default_factory=list)

    def at(self, number: int) -> Waiting:
        """A form on a link."""
        if not self.waiting:
            with acting_as(BY):
                self.waiting = self._made(hand_over=False)
        return self.waiting[number % len(self.waiting)]

    def in_hand(self, number: int) -> Waiting:
        """A form on a device of the clinic's."""
        if not self.held:
            with acting_as(BY):
                self.held = self._made(hand_over=True)
        return self.held[number % len(self.held)]

    def _made(self, *, hand_over: bool) -> list[Waiting]:
        now, found = clinic_time.now(), []
        episodes = Episode.objects.filter(closed_on=None).select_related("client").order_by("-pk")
        for episode in episodes:
            if len(found) > ANSWERED:
                break
            who = episode.client.respondents.get(relation=Respondent.Relation.SELF)
            session = actions.book_session(episode=episode, starts_at=now, by=BY)
            link, token = actions.make_link(
                session=session, respondent=who, by=self.user, hand_over=hand_over
            )
            actions.note_opened(link=link, by=BY)  # as it is before anybody answers
            opened = asked_by(link.pk, handed_over=hand_over)
            if opened is None or not opened[3].due:
                continue
            body = {"key": str(uuid.uuid4()), "manner": "alone", **marks(opened[3].due)}
            if hand_over:
                path, device = reverse("hand_over", args=[link.pk]), _device(link)
            else:
                path, device = reverse("respondent", args=[token]), ""
            found.append(Waiting(path, body, device))
        return found


def opened(person: Any, number: int) -> str:
    """The same form each time: opening uses nothing up."""
    return str(person.at(0).path)


def sent(person: Any, number: int) -> str:
    return str(person.at(1 + number % ANSWERED).path)


def answers(person: Any, number: int) -> dict[str, Any]:
    return dict(person.at(1 + number % ANSWERED).body)


def handed_over(person: Any, number: int) -> str:
    return str(person.in_hand(number % ANSWERED).path)


def answers_there(person: Any, number: int) -> dict[str, Any]:
    return dict(person.in_hand(number % ANSWERED).body)


def device(person: Any, number: int) -> str:
    return str(person.in_hand(number % ANSWERED).device)
