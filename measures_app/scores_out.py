"""All scores, or all referrals, as a CSV that an import reads: a clinic's data leave as they came.

Rows come straight from the database's own COPY, in constant memory.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Case, CharField, F, Value, When
from django.db.models.functions import Concat

from measures_app.models import Administration
from sessions_app import audit, bulk
from sessions_app.models import Referral

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


REFERRALS = {
    "client__code": "client",
    "received_on": "referred_on",
    "source": "referral_source",
    "first_offer_on": "first_offer_on",
    "outcome": "referral_outcome",
    "outcome_on": "referral_outcome_on",
    "programme_text": "programme",
    "site_text": "site",
    "funder_text": "funder",
    "episode_id": "episode",
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


def write_referrals(out: Any, *, by: Any) -> int:
    """Write every referral that `by` may see; returns how many rows. Audited."""
    rows = Referral.objects.visible_to(by).order_by().annotate(
        programme_text=_defused("programme__name"),
        site_text=_defused("site__name"),
        funder_text=_defused("funder"),
    )  # fmt: skip
    written = bulk.copy_out(rows, REFERRALS, out)
    audit.record("exported", subject_kind="referrals", by=by, rows=written)
    return written
