"""A client's full copy (GDPR articles 15 and 20): readable as PDF, and as a FHIR bundle.

Made by the worker in the scope of whoever asked for it at the client's wish, and kept sealed for
a day. What others answered about the client is theirs: it is in the copy only where the client may
be shown their series.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from measures_app.answers_out import bundle_of
from measures_app.measures import definition_of
from measures_app.models import Administration
from reports_app.models import ClientCopy
from reports_app.models.files import KEPT_FOR
from reports_app.paper import PaperUnavailable, render_pdf
from sessions_app import audit, clinic_time, consent, outbox, progress, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as
from sessions_app.models import (
    CaseReview,
    Client,
    Consent,
    Episode,
    Installation,
    Job,
    Release,
    Respondent,
    Restriction,
    Session,
    User,
)

KIND = "client copy"
GONE = "The client isn't in your scope any more."
PARTS = 2  # the PDF and the bundle
A_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


def waiting_or_newest(client: Client, user: Any) -> ClientCopy | None:
    """The person's newest copy of this client that hasn't run out."""
    since = clinic_time.now() - KEPT_FOR
    mine = ClientCopy.objects.filter(client_code=client.code, user=user, created_at__gt=since)
    return mine.select_related("job").defer("sealed").order_by("-created_at").first()


def _seen(code: str, user: Any) -> Client | None:
    rows = Client.objects.visible_to(user).select_related("identity", "key", "site")
    return rows.filter(code=code, key__destroyed_at=None).first()


@action
def ask_for_copy(*, client: Client, by: Any) -> ClientCopy:
    """Have the worker make the client's full copy; one being made serves."""
    rights.require(by, "see_clinical")
    if _seen(client.code, by) is None:
        raise ValidationError(GONE)
    there = waiting_or_newest(client, by)
    if there is not None and there.job.finished_at is None:
        return there
    job = Job.objects.create(kind=KIND, total=PARTS, created_by=by)
    copy = ClientCopy.objects.create(client_code=client.code, user=by, job=job)
    job.payload = {"copy": str(copy.pk)}
    job.save(update_fields=["payload"])
    outbox.promise(KIND, {"job": str(job.pk)})
    audit.record("client's copy asked for", subject_kind="client", subject=client.code, by=by)
    return copy


def carry_out_copy(job_id: Any) -> None:
    """Do what a job was made for; run again it finds itself done. In the worker's transaction."""
    job = Job.objects.select_for_update(of=("self",)).get(pk=job_id)
    copy = ClientCopy.objects.select_related("user").filter(job=job).first()
    if job.finished_at is not None or copy is None:
        return
    try:
        with acting_as(copy.user):
            client = _seen(copy.client_code, copy.user)
            if client is None or not rights.may(copy.user, "see_clinical"):
                raise ValidationError(GONE)
            content = make_copy(client, copy.user, tell=lambda n: progress.tell(job.pk, n))
        copy.keep(content)
        copy.save(update_fields=["sealed", "master_key_id"])
        job.state, job.done = Job.State.DONE, job.total
    except (ValidationError, PaperUnavailable) as problem:
        job.state = Job.State.STOPPED
        job.problem = " ".join(getattr(problem, "messages", [str(problem)]))
    job.finished_at = clinic_time.now()
    job.save()


def relations_shown(client: Client) -> set[str]:
    """Whose answers the client may have: their own, and those they may be shown."""
    own = Respondent.Relation.SELF
    person = client.respondents.filter(relation=own).first()
    return {str(own), *(person.may_see if person else ())}


def make_copy(client: Client, user: User, tell: Any = None) -> bytes:
    """The ZIP of both parts; call as the person who asked."""
    tell = tell or (lambda done: None)
    shown = relations_shown(client)
    bundle = bundle_of(client, user, relations=shown)
    tell(1)
    with translation.override(client.language):
        pdf = render_pdf(render_to_string("paper/client_copy.html", _context(client, user, shown)))
    tell(2)
    return _zipped(
        {
            f"copy-{client.code}.pdf": pdf,
            f"copy-{client.code}.fhir.json": json.dumps(
                bundle, ensure_ascii=False, indent=1
            ).encode(),
        }
    )


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, A_MOMENT), content)
    return buffer.getvalue()


def _context(client: Client, user: User, shown: set[str]) -> dict[str, Any]:
    installation = Installation.objects.first()
    identity = client.identity.opened() if hasattr(client, "identity") else {}
    version, texts, _asking = consent.versions()
    episodes = Episode.objects.visible_to(user).filter(client=client)
    return {
        "client": client,
        "clinic_name": installation.clinic_name if installation else "",
        "printed": date_format(clinic_time.today(), "j F Y"),
        "identity": [(_(label), identity[key]) for key, label in LABELS if identity.get(key)],
        "numbers": client.external_ids.order_by("source"),
        "respondents": [
            (person, person.contact if person.relation in shown else {})
            for person in client.respondents.order_by("pk")
        ],
        "episodes": episodes.select_related("programme").order_by("opened_on"),
        "sessions": Session.objects.visible_to(user).filter(client=client).order_by("held_on"),
        "scores": _scores(client, user, shown),
        "reviews": CaseReview.objects.visible_to(user)
        .filter(client=client)
        .select_related("client__key", "recorded_by")
        .order_by("reviewed_on", "pk"),
        "consents": Consent.objects.filter(client=client, respondent__relation__in=shown).order_by(
            "pk"
        ),
        "releases": Release.objects.filter(client=client).select_related("programme"),
        "restrictions": Restriction.objects.filter(client=client).order_by("from_on"),
        "statement": texts.get(client.language, texts["en"]),
        "version": version,
    }


LABELS = (("name", "Name"), ("birth_date", "Date of birth"), ("phone", "Phone"),
          ("email", "E-mail address"), ("note", "Note"))  # fmt: skip


def _scores(client: Client, user: User, shown: set[str]) -> list[dict[str, Any]]:
    """Every taken administration of whoever is shown, what was corrected and voided too."""
    rows = (
        Administration.objects.visible_to(user)
        .filter(client=client, not_taken="", respondent__relation__in=shown)
        .select_related("measure", "version", "respondent")
        .order_by("taken_on", "pk")
    )
    found = []
    for row in rows:
        items = definition_of(row.version).words(client.language).get("items", {})
        found.append(
            {
                "row": row,
                "who": str(row.respondent),
                "answers": [
                    (items.get(item, {}).get("label", item), value)
                    for item, value in (row.answers or {}).items()
                ],
            }
        )
    return found


def copy_for(pk: Any, user: Any) -> ClientCopy | None:
    """A finished copy of this person's, while it is kept and the client is in their scope."""
    copy = ClientCopy.objects.filter(pk=pk, user=user).select_related("job").first()
    if copy is None or copy.is_over or copy.job.state != Job.State.DONE or not copy.sealed:
        return None
    return copy if _seen(copy.client_code, user) is not None else None


@action
def forget_copies(*, by: Any) -> int:
    """Take away copies that are a day old; that they were made stays in the audit."""
    old = ClientCopy.objects.filter(created_at__lte=clinic_time.now() - KEPT_FOR)
    count, _by_model = old.delete()
    if count:
        audit.record("client copies forgotten", by=by, files=count)
    return count
