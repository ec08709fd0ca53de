from __future__ import annotations

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from measures_app import measures
from measures_app.definition_reader import norm_problems
from measures_app.models import Measure, NormRow
from sessions_app import audit, rights
from sessions_app.atomic import action
from sessions_app.context import user_of

FACTS = (
    "population", "country", "age_from", "age_to", "mean", "sd", "reliability", "cutoff",
    "at_cutoff", "reliable_change", "rc_inclusive", "source", "provisional", "default",
)  # fmt: skip


@action
def add_norm_row(*, measure: Measure, from_on: date, by: Any, **facts: Any) -> NormRow:
    """Put constants of the clinic's own beside those that came with a measure, with their source.

    Scores taken from `from_on` on are read with the row where it is a default and covers the
    age; a series keeps the row of its first score. Rows are never edited.

    Raises
    ------
    ValidationError
        For a row without source or constants, or with constants outside the measure's range.
    """
    rights.require(by, "manage_measures")
    if unknown := set(facts) - set(FACTS):
        raise TypeError(f"no facts of a norm row: {sorted(unknown)}")
    version = measures.current_version(measure)
    said = {name: value for name, value in facts.items() if value is not None}
    if not str(said.get("source", "")).strip():
        raise ValidationError({"source": _("Say where the constants come from.")})
    found = norm_problems(said, float(version.low), float(version.high))
    if found:
        raise ValidationError([_("The row %s.") % problem for problem in found])
    digest = measures.checksum({**said, "from_on": from_on.isoformat()})
    if measure.norms.filter(checksum=digest).exists():
        raise ValidationError(_("There is a row with exactly this already."))
    row = NormRow.objects.create(
        measure=measure, from_on=from_on, checksum=digest, added_by=user_of(by), **said
    )
    audit.record("constants added", subject_kind="measure", subject=measure.code, by=by, row=row.pk)
    return row
