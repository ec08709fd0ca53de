"""What of a person's work would be left with nobody: asked before an account closes.

Each app answers for what it keeps; those above this one register their own question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessions_app import clinic_time
from sessions_app.context import acting_as, system

Question = Callable[[Any], str]
QUESTIONS: list[Question] = []


def question(function: Question) -> Question:
    """Register `f(user)`: what is left open in words with its number, or nothing."""
    QUESTIONS.append(function)
    return function


def left_open(user: Any) -> list[str]:
    """Counts alone, whoever asks: an administrator sees no client."""
    with acting_as(system("leaving")):
        return [words for words in (asked(user) for asked in QUESTIONS) if words]


def refusal(user: Any) -> str:
    """Why the account can't close yet; empty when it can."""
    still = left_open(user)
    if not still:
        return ""
    return _("%(name)s still has %(what)s: a supervisor hands them over first.") % {
        "name": user.name,
        "what": _(" and ").join(still),
    }


@question
def covered_colleagues(user: Any) -> str:
    from sessions_app.models import Absence

    today = clinic_time.today()
    ahead = Absence.objects.during(today, None).filter(cover__user=user)
    count = ahead.values("clinician").distinct().count()
    words = ngettext("%d colleague to cover for", "%d colleagues to cover for", count)
    return words % count if count else ""


@question
def open_clients(user: Any) -> str:
    from sessions_app.models import Assignment

    count = (
        Assignment.objects.filter(clinician__user=user, to_on=None, episode__closed_on=None)
        .values("episode__client")
        .distinct()
        .count()
    )
    return ngettext("%d open client", "%d open clients", count) % count if count else ""
