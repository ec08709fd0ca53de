"""All scores as one CSV in the long form that an import reads: a clinic's data leave as they came.

Rows come straight from the database's own COPY, in constant memory.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Case, CharField, F, Value, When
from django.db.models.functions import Concat

from measures_app.models import Administration
from sessions_app import audit, bulk

# As spreadsheets take for a formula: an apostrophe before it says that it is a text.
FORMULA = r"^[=+\-@\t\r]"
# path -> column of the long form (docs/importing.md)
COLUMNS = {
    "client__code": "client",
    "taken_on": "session_date",
    "measure__code": "measure",
    "total": "total",
    "respondent__relation": "respondent",
    "programme_text": "programme",
    "site_text": "site",
    "episode_id": "episode",
    "session_id": "session",
}


def _defused(path: str) -> Case:
    return Case(
        When(**{f"{path}__regex": FORMULA}, then=Concat(Value("'"), F(path))),
        default=F(path),
        output_field=CharField(),
    )


def write_scores(out: Any, *, by: Any) -> int:
    """Write every current score that `by` may see; returns how many rows. Audited."""
    rows = Administration.objects.scored().visible_to(by).order_by().annotate(
        programme_text=_defused("episode__programme__name"),
        site_text=_defused("episode__site__name"),
    )  # fmt: skip
    written = bulk.copy_out(rows, COLUMNS, out)
    audit.record("exported", subject_kind="scores", by=by, rows=written)
    return written
