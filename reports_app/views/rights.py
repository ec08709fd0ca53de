"""What is a client told, what did they say, and who looked? And a copy of all of it for them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from reports_app import client_copies
from reports_app.models import ClientCopy
from reports_app.views.clients import client_or_404
from sessions_app import actions, audit, clinic_time, consent, presence, progress, rights
from sessions_app.forms import DayInput, add_problems
from sessions_app.models import (
    AuditEvent,
    Client,
    Consent,
    EmergencyAccess,
    Episode,
    Programme,
    Release,
    Respondent,
    Restriction,
    User,
)

LOOKS_SHOWN = 40
USUAL_RELEASE = timedelta(days=365)
IN_PERSON = [(way.value, way.label) for way in (Consent.Way.SPOKEN, Consent.Way.PAPER)]


class SaidForm(forms.Form):
    """What somebody said in the room or on paper."""

    respondent = forms.IntegerField()
    answer = forms.ChoiceField(choices=Consent.Answer.choices)
    way = forms.ChoiceField(choices=IN_PERSON)


class ReleaseForm(forms.Form):
    """The client agrees that a restricted programme's care is seen by who treats them elsewhere."""

    until_on = forms.DateField(label=_lazy("Until"), widget=DayInput())
    way = forms.ChoiceField(label=_lazy("How they said it"), choices=IN_PERSON)


def _restricted(client: Client, user: Any) -> list[Programme]:
    """Restricted programmes whose care of this client the user sees, each with what holds."""
    seen = Episode.objects.visible_to(user).filter(client=client, programme__restricted=True)
    today = clinic_time.today()
    programmes = list(Programme.objects.filter(pk__in=seen.values("programme_id")).order_by("pk"))
    for programme in programmes:
        held = Release.objects.in_force(today).filter(client=client, programme=programme)
        programme.agreed = held.order_by("-until_on").first()
        programme.form = ReleaseForm(
            initial={"until_on": today + USUAL_RELEASE}, auto_id=f"id_%s_{programme.pk}"
        )
    return programmes


def _agreed(request: HttpRequest, client: Client, restricted: list[Programme]) -> bool:
    """Record that the client agreed, or no longer does; False with the problems in the form."""
    of = request.POST.get("programme")
    programme = next((p for p in restricted if str(p.pk) == of), None)
    if programme is None:
        raise Http404
    by = request.user
    if request.POST["form"] == "withdraw":
        for release in Release.objects.in_force(clinic_time.today()).filter(
            client=client, programme=programme
        ):
            actions.withdraw_release(release=release, by=by)
        return True
    programme.form = form = ReleaseForm(request.POST, auto_id=programme.form.auto_id)
    if form.is_valid():
        try:
            actions.release_programme(
                client=client, programme=programme, by=by, **form.cleaned_data
            )
        except ValidationError as problem:
            add_problems(form, problem)
    return not form.errors


def _looks(client: Client) -> list[AuditEvent]:
    """Who opened the record or took something of it away, newest first, by name."""
    rows = list(
        AuditEvent.objects.filter(
            subject_kind="client", subject=client.code,
            action__in=["read", "exported", "emergency access opened"],
        )[:LOOKS_SHOWN]
    )  # fmt: skip
    names = {f"user:{user.public_id}": user.name for user in User.objects.all()}
    for row in rows:
        row.who = names.get(row.actor, row.actor)
        row.what = row.detail.get("what", "")
    return rows


def _people(client: Client) -> list[Respondent]:
    people = list(client.respondents.order_by("pk"))
    said = Consent.objects.filter(client=client).order_by("pk")
    newest = {row.respondent_id: row for row in said}
    version = consent.versions()[0]
    for person in people:
        person.said = newest.get(person.pk)
        person.said_of_old = person.said is not None and person.said.version < version
    return people


@rights.needs("see_clinical")
@presence.recently("POST")
def client_rights(request: HttpRequest, code: str) -> HttpResponse:
    """What has this client a right to, and what did they say?"""
    client = client_or_404(code, request.user)
    restricted = _restricted(client, request.user)
    status = 200
    if request.method == "POST":
        if request.POST.get("form") in ("release", "withdraw"):
            if _agreed(request, client, restricted):
                messages.success(request, _("Kept."))
                return redirect("client_rights", code)
            status = 422
        else:
            try:
                _done(request, client)
            except ValidationError as problem:
                messages.error(request, " ".join(problem.messages))
            return redirect("client_rights", code)
    audit.client_read(client, "rights")
    copy = client_copies.waiting_or_newest(client, request.user)
    running = copy is not None and copy.job.finished_at is None
    context = {
        "client": client,
        "people": _people(client),
        "answers": Consent.Answer.choices,
        "reasons": Restriction.Reason.choices,
        "resting": Restriction.objects.filter(client=client, to_on=None).first(),
        "emergencies": EmergencyAccess.objects.filter(client=client).select_related("user"),
        "looks": _looks(client),
        "restricted": restricted,
        "copy": copy,
        "running": running,
        "running_done": (progress.of(copy.job.pk) or 0) if copy and running else 0,
    }
    return render(request, "clients/rights.html", context, status=status)


def _done(request: HttpRequest, client: Client) -> None:
    what, by = request.POST.get("form"), request.user
    if what == "said":
        form = SaidForm(request.POST)
        person = (
            client.respondents.filter(pk=form.cleaned_data["respondent"]).first()
            if form.is_valid()
            else None
        )
        if person is None:
            raise ValidationError(_("Say who it was, and what they said."))
        given: dict[str, Any] = form.cleaned_data
        actions.record_consent(respondent=person, answer=given["answer"], way=given["way"], by=by)
    elif what == "rest":
        actions.restrict_client(client=client, reason=request.POST.get("reason", ""), by=by)
    elif what == "lift":
        resting = Restriction.objects.filter(client=client, to_on=None).first()
        if resting is not None:
            actions.lift_restriction(restriction=resting, by=by)
    elif what == "copy":
        client_copies.ask_for_copy(client=client, by=by)
    else:
        raise Http404
    messages.success(request, _("Kept."))


@rights.needs("see_clinical")
def copy_state(request: HttpRequest, code: str, pk: uuid.UUID) -> HttpResponse:
    """For the bar: how much of the copy is made."""
    copy = ClientCopy.objects.filter(pk=pk, user=request.user).select_related("job").first()
    if copy is None:
        raise Http404
    running = copy.job.finished_at is None
    done = (progress.of(copy.job.pk) or 0) if running else copy.job.total
    return JsonResponse({"running": running, "done": done, "total": copy.job.total})


@rights.needs("see_clinical")
@presence.recently("GET")
def copy(request: HttpRequest, code: str, pk: uuid.UUID) -> HttpResponse:
    """The finished copy, for whoever asked and while the client is in their scope."""
    found = client_copies.copy_for(pk, request.user)
    if found is None or found.client_code != code:
        raise Http404
    audit.record("exported", subject_kind="client", subject=code, what="client's copy")
    response = HttpResponse(found.content, content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="copy-{code}.zip"'
    return response
