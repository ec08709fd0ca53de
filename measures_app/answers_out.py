"""Administrations as FHIR: what the database holds, mapped to the plain values of `fhir`."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from measures_app import fhir, measures
from measures_app.models import Administration, MeasureVersion
from sessions_app import audit, clinic_time
from sessions_app.models import Client, Respondent

# Client codes are random, so the key of an administration is too, and the same each time.
_NAMESPACE = uuid.UUID("0f4f6f52-5a53-4a0d-8a1e-60e3f1a6d3c4")


def answered(row: Administration) -> fhir.Answered:
    """One administration that was taken; its relations are read if they aren't there yet."""
    is_self = row.respondent.relation == Respondent.Relation.SELF
    # What was first put down as not taken and then taken after all corrects no answers.
    corrects = row.supersedes is not None and not row.supersedes.not_taken
    status = "entered-in-error" if row.voided else "amended" if corrects else "completed"
    return fhir.Answered(
        definition=measures.definition_of(row.version),
        version=str(row.version.version),
        key=uuid.uuid5(_NAMESPACE, f"{row.client.code}:{row.pk}"),
        client=row.client.code,
        taken_at=row.taken_at.astimezone(clinic_time.zone()),
        recorded_at=row.recorded_at.astimezone(clinic_time.zone()),
        answers=row.answers,
        total=row.total,
        subscales=row.subscales or {},
        prorated=row.prorated,
        language=row.language,
        respondent="" if is_self else row.respondent.get_relation_display(),
        status=status,
    )


def bundle_of(
    client: Client, by: Any, *, relations: Collection[str] | None = None
) -> dict[str, Any]:
    """A client's current answers as a Bundle, as far as `by` may see them; audited.

    `relations` leaves in those of these respondents alone. Administrations that weren't taken
    hold no answers and aren't in it.
    """
    rows = (
        Administration.objects.visible_to(by)
        .filter(client=client, superseded_at=None, voided=False, not_taken="")
        .select_related("client", "respondent", "version", "supersedes")
        .order_by("taken_at", "pk")
    )
    if relations is not None:
        rows = rows.filter(respondent__relation__in=relations)
    taken = [answered(row) for row in rows]
    versions = {row.version_id: row.version for row in rows}
    forms = dict(_questionnaire(version) for version in versions.values())
    audit.record("exported", subject_kind="client", subject=client.code, by=by, what="FHIR answers")
    return fhir.to_bundle(taken, forms, clinic_time.now().astimezone(clinic_time.zone()))


def _questionnaire(version: MeasureVersion) -> tuple[str, dict[str, Any]]:
    definition = measures.definition_of(version)
    form = fhir.to_questionnaire(definition, version=str(version.version))
    address = uuid.uuid5(_NAMESPACE, f"{fhir.url_of(definition)}|{version.version}")
    return f"urn:uuid:{address}", form
