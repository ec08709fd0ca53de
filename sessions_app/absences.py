"""Who stands in for whom, on a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sessions_app import clinic_time
from sessions_app.models import Absence, Clinician
from sessions_app.prepared import Prepared

_STANDING = Prepared(
    lambda given: (
        Absence.objects.standing()
        .filter(clinician__pk__any_of=given[0])
        .select_related("cover__user")
    )
)


def on(clinicians: Iterable[Clinician | int], day: date | None = None) -> dict[int, Absence]:
    """The absence of each of these who are away on a day (today), by clinician, with the cover."""
    keys = [one if isinstance(one, int) else one.pk for one in clinicians]
    day = day or clinic_time.today()
    return {
        row.clinician_id: row
        for row in _STANDING.objects([keys])
        if row.from_on <= day and (row.to_on is None or row.to_on >= day)
    }


def stand_in(clinician: Clinician, day: date | None = None) -> Clinician | None:
    """Who covers for a clinician on a day; None while they are at work."""
    absence = on([clinician], day).get(clinician.pk)
    return absence.cover if absence else None
