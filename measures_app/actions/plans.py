from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.translation import gettext as _

from measures_app.models import Measure, MeasurePlan
from measures_app.plans import DAYS, NTH, RATERS, Line, Plan
from sessions_app import audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import Programme

PLAN_LOCK = 20_815  # changes of the plan wait for one another


def _known(key: str, day: date) -> Line:
    for line in Plan().on(day):
        if line.key == key:
            return line
    raise ValidationError({"rhythm": _("This line isn't in the plan any more: look again.")})


def _refuse_double(line: Line, day: date) -> None:
    """Two lines that say something about the same people would leave it open which one holds."""
    for other in Plan().on(day):
        same = (other.target, other.programme_id) == (line.target, line.programme_id)
        apart = (
            (line.age_to is not None and line.age_to < (other.age_from or 0))
            or (other.age_to is not None and other.age_to < (line.age_from or 0))
        )  # fmt: skip
        if other.key != line.key and same and other.rank == line.rank and not apart:
            raise ValidationError(
                {"measure": _("There is a line for this already: change that one.")}
            )


def _check(line: Line, every: int | None) -> None:
    if line.rhythm not in MeasurePlan.Rhythm.values:
        raise ValidationError({"rhythm": _("Choose how often.")})
    if line.rhythm in (NTH, DAYS) and not every:
        raise ValidationError({"every": _("Say how many.")})
    if line.rhythm not in (NTH, DAYS) and every is not None:
        raise ValidationError({"every": _("This rhythm takes no number.")})
    if line.relation not in RATERS:
        raise ValidationError({"relation": _("The client or a carer can be asked.")})
    if (line.age_from or 0) > (line.age_to if line.age_to is not None else 1000):
        raise ValidationError({"age_to": _("Lies below the youngest age.")})


@action
def set_plan_line(
    *,
    rhythm: str,
    from_on: date,
    by: Any,
    key: str = "",
    measure: Measure | None = None,
    purpose: str = "",
    relation: str = "self",
    programme: Programme | None = None,
    every: int | None = None,
    age_from: int | None = None,
    age_to: int | None = None,
    withdrawn: bool = False,
) -> MeasurePlan:
    """Say from a day on what is asked of whom, and how often; a new dated row.

    With the `key` of a line that is there its rhythm, ages and standing change; what it asks of
    whom stays what it was.

    Raises
    ------
    ValidationError
        For a day that is past, a rhythm without its number, or a second line for the same thing.
    """
    rights.require(by, "manage_measures")
    today = clinic_time.today()
    if from_on < today:
        raise ValidationError({"from_on": _("What was asked in the past stays as it was.")})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PLAN_LOCK])
    if key:
        was = _known(key, from_on)
        measure_id, purpose, relation = was.measure_id, was.purpose, was.relation
        programme_id = was.programme_id
    else:
        key = uuid.uuid4().hex
        measure_id = measure.pk if measure else None
        programme_id = programme.pk if programme else None
        if (measure is None) == (purpose == ""):
            raise ValidationError({"measure": _("Choose what is asked.")})
        if measure is not None and measure.rater != RATERS.get(relation):
            raise ValidationError(
                {"relation": _("This measure is answered by: %s.") % measure.get_rater_display()}
            )
    line = Line(
        key, relation, measure_id, purpose, rhythm, every, programme_id, age_from, age_to, from_on
    )
    _check(line, every)
    if not withdrawn:
        _refuse_double(line, from_on)
    row = MeasurePlan.objects.create(
        key=key,
        from_on=from_on,
        withdrawn=withdrawn,
        programme_id=programme_id,
        measure_id=measure_id,
        purpose=purpose,
        relation=relation,
        rhythm=rhythm,
        every=every,
        age_from=age_from,
        age_to=age_to,
        set_by=user_of(by),
    )
    audit.record(
        "plan changed", subject_kind="plan", subject=key, by=by, rhythm=rhythm, withdrawn=withdrawn
    )
    return row
