"""A whole conference's cases as one PDF, made by the worker and kept, sealed, for a day.

It holds what the person who asked may see when it is made, and is handed out only while all of
it is still in their scope: somebody who loses a client loses the file, and so does everybody
when a client is erased.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from reports_app.case_review import on_paper
from reports_app.models import CaseFile
from reports_app.models.files import KEPT_FOR
from reports_app.paper import PaperUnavailable, render_pdf
from sessions_app import audit, clinic_time, outbox, progress, rights
from sessions_app.atomic import action
from sessions_app.context import acting_as
from sessions_app.models import CaseConference, Client, ConferenceCase, Episode, Job, User

KIND = "case file"
NOTHING = "None of the conference's cases is in your scope any more."


def _cases(conference: CaseConference, user: User) -> list[ConferenceCase]:
    found = ConferenceCase.objects.visible_to(user).filter(conference=conference)
    return list(
        found.select_related("client__key", "client__identity", "client__site", "presenter")
    )


def waiting_or_newest(conference: CaseConference, user: User) -> CaseFile | None:
    """The person's newest file of a conference that hasn't run out."""
    since = clinic_time.now() - KEPT_FOR
    mine = CaseFile.objects.filter(conference=conference, user=user, created_at__gt=since)
    return mine.select_related("job").defer("sealed").order_by("-created_at").first()


@action
def ask_for_case_file(*, conference: CaseConference, by: Any) -> CaseFile:
    """Have the worker make the conference's cases into one file; one being made serves."""
    rights.require(by, "see_clinical")
    cases = _cases(conference, by)
    if not cases:
        raise ValidationError(NOTHING)
    there = waiting_or_newest(conference, by)
    if there is not None and there.job.finished_at is None:
        return there
    job = Job.objects.create(kind=KIND, total=len(cases) + 1, created_by=by)
    file = CaseFile.objects.create(conference=conference, user=by, job=job)
    job.payload = {"file": str(file.pk)}
    job.save(update_fields=["payload"])
    outbox.promise(KIND, {"job": str(job.pk)})
    audit.record(
        "case file asked for", subject_kind="conference", subject=conference.pk, by=by,
        cases=len(cases),
    )  # fmt: skip
    return file


def carry_out_case_file(job_id: Any) -> None:
    """Do what a job was made for; run again it finds itself done. In the worker's transaction."""
    job = Job.objects.select_for_update(of=("self",)).select_related("created_by").get(pk=job_id)
    file = CaseFile.objects.select_related("user").filter(job=job).first()
    if job.finished_at is not None or file is None:
        return
    try:
        if not rights.may(file.user, "see_clinical"):
            raise ValidationError(NOTHING)
        with acting_as(file.user):
            content, codes = make_case_file(
                file.conference, file.user, tell=lambda done: progress.tell(job.pk, done)
            )
        file.keep(content)
        file.save(update_fields=["sealed", "master_key_id"])
        job.state, job.done, job.result = Job.State.DONE, job.total, {"cases": codes}
    except (ValidationError, PaperUnavailable) as problem:
        job.state = Job.State.STOPPED
        job.problem = " ".join(getattr(problem, "messages", [str(problem)]))
    job.finished_at = clinic_time.now()
    job.save()


def make_case_file(
    conference: CaseConference, user: User, tell: Any = None
) -> tuple[bytes, dict[str, int]]:
    """The PDF, and which episode stands in it of each client's code; call as the person.

    Raises
    ------
    ValidationError
        When none of the cases is in the person's scope.
    """
    listed, cases, held = [], [], {}
    clinic_name = printed = ""
    for done, case in enumerate(_cases(conference, user), start=1):
        context = on_paper(case.client, user, str(case.episode_id))
        clinic_name, printed = context["clinic_name"], context["printed"]
        said = context["noticed"][0][2][0].short if context["noticed"] else ""
        listed.append(
            {
                "code": case.client.code,
                "said": said,
                "presenter": case.presenter.name if case.presenter else "",
                "minutes": case.minutes,
            }
        )
        anchor = f"case-{case.client.code}"
        cases.append(mark_safe(render_to_string("paper/_case.html", context | {"anchor": anchor})))
        held[case.client.code] = case.episode_id
        audit.record("exported", subject_kind="client", subject=case.client.code, what="case file")
        if tell is not None:
            tell(done)
    if not cases:
        raise ValidationError(NOTHING)
    day = date_format(conference.held_on, "j F Y")
    html = render_to_string(
        "paper/conference.html",
        {
            "title": _("Case conference on %(day)s") % {"day": day},
            "clinic_name": clinic_name,
            "printed": printed,
            "made_for": user.name,
            "people": conference.people.order_by("name"),
            "listed": listed,
            "cases": cases,
        },
    )
    return render_pdf(html), held


def file_for(pk: Any, user: User) -> CaseFile | None:
    """A finished file of this person's, while it is kept and all of it in their scope."""
    file = CaseFile.objects.filter(pk=pk, user=user).select_related("job", "conference").first()
    if file is None or file.is_over or file.job.state != Job.State.DONE or not file.sealed:
        return None
    held = file.job.result["cases"]
    seen = Episode.objects.visible_to(user).filter(pk__in=held.values()).count()
    erased = Client.objects.filter(code__in=held, key__destroyed_at__isnull=False).exists()
    return None if erased or seen != len(held) else file


@action
def forget_case_files(*, by: Any) -> int:
    """Take away files that are a day old; what was made, for whom and when stays in the audit."""
    old = CaseFile.objects.filter(created_at__lte=clinic_time.now() - KEPT_FOR)
    count, _by_model = old.delete()
    if count:
        audit.record("case files forgotten", by=by, files=count)
    return count
