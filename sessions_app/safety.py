"""What stands ready before anybody is asked a question whose answer can't wait.

A crisis text in the reader's own language, and somebody on duty whom an alert reaches when
nobody else takes it up.
"""

from __future__ import annotations

from datetime import date

from django.db.models import Q

from sessions_app import absences, clinic_time
from sessions_app.models import Clinician, CrisisText, DutyTurn


def crisis_text(language: str) -> str:
    """The clinic's words in a language; empty while it has none."""
    found = CrisisText.objects.filter(language=language).order_by("-pk")
    return found.values_list("text", flat=True).first() or ""


def on_duty(day: date | None = None) -> Clinician | None:
    """Who is on duty on a day (today); of two whose turns overlap, the later begun.

    Who is away is stood in for here as well.
    """
    day = day or clinic_time.today()
    turn = (
        DutyTurn.objects.filter(
            Q(to_on=None) | Q(to_on__gte=day), from_on__lte=day, clinician__user__is_active=True
        )
        .select_related("clinician__user")
        .order_by("-from_on", "-pk")
        .first()
    )
    if turn is None:
        return None
    return absences.stand_in(turn.clinician, day) or turn.clinician
