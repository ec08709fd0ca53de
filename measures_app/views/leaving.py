from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app import actions
from measures_app.due import due_at_the_end
from measures_app.forms import LastMeasureForm
from measures_app.handing import draft_of
from sessions_app import access, audit, clinic_time, rights, selectors
from sessions_app import actions as care_actions
from sessions_app.forms import ClinicianWithLoad, DayInput, TransferForm, add_problems
from sessions_app.models import Assignment, Clinician, Episode
from sessions_app.views.care import in_care, turn

UNPROCESSABLE = 422


class CaseloadForm(forms.Form):
    """Who goes on with whom: one choice for all, and another for each who needs it."""

    on = forms.DateField(label=gettext_lazy("From"), widget=DayInput())
    reason = forms.CharField(label=gettext_lazy("Why, in a sentence"), max_length=200)
    everybody = ClinicianWithLoad(
        Clinician.objects.none(),
        required=False,
        label=gettext_lazy("Who goes on with everybody not named below"),
        empty_label=gettext_lazy("nobody: each is named below"),
    )

    def __init__(
        self,
        *args: Any,
        episodes: Sequence[Episode],
        clinicians: Any,
        load: Mapping[int, int],
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("initial", {"on": clinic_time.today()})
        super().__init__(*args, **kwargs)
        self.episodes = episodes
        chosen = list(clinicians)
        for episode in episodes:
            self.fields[self._name(episode)] = ClinicianWithLoad(
                clinicians,
                required=False,
                label=episode.client.code,
                empty_label=gettext_lazy("as above"),
            )
        for field in self.fields.values():
            if isinstance(field, ClinicianWithLoad):
                field.queryset, field.load = clinicians, load
                # One list serves all rows: a caseload of fifty asks for its clinicians once.
                field.choices = [
                    ("", field.empty_label),
                    *((c.pk, field.label_from_instance(c)) for c in chosen),
                ]

    @staticmethod
    def _name(episode: Episode) -> str:
        return f"to-{episode.pk}"

    def rows(self) -> list[tuple[Episode, Any]]:
        return [(episode, self[self._name(episode)]) for episode in self.episodes]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        given["to"] = {}
        for episode in self.episodes:
            to = given.get(self._name(episode)) or given.get("everybody")
            if to is not None:
                given["to"][episode.pk] = to
            elif self._name(episode) not in self.errors:
                self.add_error(self._name(episode), _("Nobody goes on yet with this client."))
        return given


def _led(clinician: Clinician, user: Any) -> list[Episode]:
    led = Assignment.objects.filter(clinician=clinician, to_on=None, part=Assignment.Part.LEAD)
    return list(
        Episode.objects.visible_to(user)
        .filter(pk__in=led.values("episode"), closed_on=None)
        .select_related("client__identity", "client__key", "programme")
        .order_by("opened_on", "pk")
    )


@rights.needs("transfer")
def hand_over_caseload(request: HttpRequest) -> HttpResponse:
    """Who goes on with the clients of somebody who leaves? Loads are shown, results are not."""
    load = selectors.open_leads()
    mine = access.my_clinicians(request.user).order_by("name")
    wanted = request.GET.get("clinician", "")
    if not wanted:
        rows = [(clinician, load.get(clinician.pk, 0)) for clinician in mine]
        return render(request, "clients/caseload_hand_over.html", {"clinicians": rows})
    clinician = mine.filter(pk=wanted if wanted.isdecimal() else None).first()
    if clinician is None:
        raise Http404
    episodes = _led(clinician, request.user)
    working = selectors.working_clinicians(clinic_time.today()).exclude(pk=clinician.pk)
    form = CaseloadForm(
        request.POST if request.method == "POST" else None,
        episodes=episodes,
        clinicians=working.order_by("name"),
        load=load,
    )
    if request.method == "POST" and form.is_valid():
        given = {name: form.cleaned_data[name] for name in ("to", "on", "reason")}
        try:
            handed = actions.hand_over_cases(clinician=clinician, by=request.user, **given)
        except ValidationError as problem:
            add_problems(form, problem)
        else:
            messages.success(
                request,
                _("%(n)d clients of %(name)s handed over.")
                % {"n": len(handed), "name": clinician.name},
            )
            return redirect("caseload_hand_over")
    audit.record("read", subject_kind="caseload", subject=clinician.code, rows=len(episodes))
    context = {"clinician": clinician, "episodes": episodes, "form": form}
    status = UNPROCESSABLE if form.errors else 200
    return render(request, "clients/caseload_hand_over.html", context, status=status)


@rights.needs("transfer")
def transfer(request: HttpRequest, code: str) -> HttpResponse:
    """Who goes on with this client? Present load is shown, results are not."""
    episode = in_care(request, code)
    if request.method != "POST":
        audit.client_read(episode.client, "transfer page")
    lead = episode.assignments.filter(part=Assignment.Part.LEAD, to_on=None).first()
    form = TransferForm(
        request.POST if request.method == "POST" else None,
        clinicians=selectors.working_clinicians(clinic_time.today())
        .exclude(pk=lead.clinician_id if lead else None)
        .order_by("name"),
        load=selectors.open_leads(),
        summary=draft_of(episode) if request.method != "POST" else "",
    )
    shown = turn(
        request,
        form,
        "clients/transfer.html",
        {"client": episode.client, "episode": episode, "lead": lead},
        lambda: care_actions.transfer_episode(
            episode=episode, by=request.user, **form.cleaned_data
        ),
    )
    if shown is not None:
        return shown
    messages.success(
        request, _("%(name)s goes on with this client.") % {"name": form.cleaned_data["to"].name}
    )
    return redirect("review")


@rights.needs("close_episode")
def ending(request: HttpRequest, code: str) -> HttpResponse:
    """How did care end? A last measure is asked for, and never insisted on."""
    episode = in_care(request, code)
    if request.method != "POST":
        audit.client_read(episode.client, "ending page")
    last, due = due_at_the_end(episode)
    form = LastMeasureForm(
        request.POST if request.method == "POST" else None,
        initial={"on": clinic_time.today(), "ending": request.GET.get("ending", "")},
        due=due,
    )
    shown = turn(
        request,
        form,
        "clients/ending.html",
        {"client": episode.client, "episode": episode, "last": last},
        lambda: actions.close_with_last_measures(
            episode=episode,
            on=form.cleaned_data["on"],
            ending=form.cleaned_data["ending"],
            session=last,
            readings=form.readings(),
            by=request.user,
        ),
    )
    if shown is not None:
        return shown
    if form.cleaned_data["ending"] == Episode.Ending.DIED:
        messages.success(request, _("Recorded. Nothing more is asked or sent."))
    else:
        messages.success(request, _("The episode has ended; its course stays readable."))
    return redirect(f"{episode.client.get_absolute_url()}?episode={episode.pk}")
