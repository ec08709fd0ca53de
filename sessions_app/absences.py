"""Who stands in for whom, on a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sessions_app import clinic_time
from sessions_app.models import Absence, Clinician


def on(clinicians: Iterable[Clinician | int], day: date | None = None) -> dict[int, Absence]:
    """The absence of each of these who are away on a day (today), by clinician, with the cover."""
    rows = Absence.objects.on(day or clinic_time.today()).filter(clinician__in=list(clinicians))
    return {row.clinician_id: row for row in rows.select_related("cover__user")}


def stand_in(clinician: Clinician, day: date | None = None) -> Clinician | None:
    """Who covers for a clinician on a day; None while they are at work."""
    absence = on([clinician], day).get(clinician.pk)
    return absence.cover if absence else None
