"""Couples, families and groups: one meeting, each respondent with their own form and series."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from measures_app.due import Due, due_today
from measures_app.models import Administration
from measures_app.respondents import people_of_each
from sessions_app import actions, audit, clinic_time, rights, selectors
from sessions_app.forms import LANGUAGES, add_problems, choose
from sessions_app.models import Clinician, Meeting, Respondent, Session

Forms = dict[str, forms.Form]


class FormatForm(forms.Form):
    format = forms.ChoiceField(choices=Meeting.Format.choices, label=gettext_lazy("Format"))


class ClientForm(forms.Form):
    client = forms.CharField(
        max_length=80,
        label=gettext_lazy("Another client"),
        help_text=gettext_lazy("Code, own number or name."),
    )


class PersonForm(forms.Form):
    """Somebody beside a client, who answers for themselves."""

    place = forms.ChoiceField(label=gettext_lazy("Beside"))
    relation = forms.ChoiceField(
        choices=[c for c in Respondent.Relation.choices if c[0] in ("partner", "carer", "other")],
        label=gettext_lazy("What they are to the client"),
    )
    label = forms.CharField(
        max_length=40,
        label=gettext_lazy("In a word"),
        help_text=gettext_lazy("Mother, husband, brother; no name."),
    )
    language = forms.ChoiceField(choices=LANGUAGES, label=gettext_lazy("Language"))
    email = forms.EmailField(required=False, label=gettext_lazy("E-mail address, if they like"))

    def __init__(self, *args: Any, sessions: list[Session], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(str(s.pk), s.client.name or s.client.code) for s in sessions]
        self.fields["place"].choices = named  # type: ignore[attr-defined]  # ChoiceField


class ColleagueForm(forms.Form):
    clinician = choose(Clinician.objects.none(), gettext_lazy("A second clinician"))

    def __init__(self, *args: Any, meeting: Meeting, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        working = selectors.working_clinicians(clinic_time.today()).filter(user__is_active=True)
        field = self.fields["clinician"]
        field.queryset = working.exclude(meetings=meeting)  # type: ignore[attr-defined]  # ModelChoiceField


def _people(
    present: list[Respondent], due: list[Due], there: list[Administration]
) -> list[dict[str, Any]]:
    """Each respondent with what is in and what is still open; nothing may be due for one."""
    answered = {(row.measure_id, row.respondent_id) for row in there}
    found: dict[int, dict[str, Any]] = {}
    answering = [*(row.respondent for row in there), *(form.respondent for form in due)]
    for person in [*present, *answering]:
        found.setdefault(person.pk, {"person": person, "answered": [], "open": []})
    for row in there:
        found[row.respondent_id]["answered"].append(row.measure.title)
    for form in due:
        if (form.measure.pk, form.respondent.pk) not in answered:
            found[form.respondent.pk]["open"].append(form.title)
    return list(found.values())


def _sessions(pk: int, user: Any) -> list[Session]:
    found = list(
        Session.objects.visible_to(user)
        .filter(meeting=pk)
        .select_related("meeting", "episode", "client__identity", "client__key")
        .order_by("pk")
    )
    if not found:
        raise Http404
    return found


def _add_client(sessions: list[Session], form: ClientForm, user: Any) -> None:
    """A place in this meeting for a client whom the person may see."""
    meeting, text = sessions[0].meeting, form.cleaned_data["client"]
    client = selectors.find_client(text, user)
    named = [client] if client else selectors.search_clients(text, user, 2)
    if len(named) != 1:
        why = (
            _("More than one client fits “%s”: use the code.")
            if named
            else _("There is no client “%s” here.")
        )
        raise ValidationError({"client": why % text})
    episode = selectors.open_episode_of(named[0], user)
    if episode is None:
        raise ValidationError({"client": _("This client has no open episode.")})
    if Session.objects.filter(meeting=meeting, episode=episode).exists():
        raise ValidationError({"client": _("This client is in this meeting already.")})
    if meeting.format == Meeting.Format.INDIVIDUAL:
        raise ValidationError({"client": _("First say that this is a couple, family or group.")})
    actions.book_session(episode=episode, starts_at=meeting.starts_at, meeting=meeting, by=user)


def _set_attendance(sessions: list[Session], given: dict[str, str], user: Any) -> None:
    """What was said of each; those of whom nothing was said stay as they are."""
    for session in sessions:
        wanted = given.get(f"came-{session.pk}", "")
        if wanted and wanted != session.status:
            actions.set_attendance(session=session, status=wanted, by=user)


def _forms(request: HttpRequest, sessions: list[Session]) -> Forms:
    meeting, do = sessions[0].meeting, request.POST.get("do", "")

    def data(name: str) -> Any:
        return request.POST if request.method == "POST" and do == name else None

    return {
        "format": FormatForm(data("format"), initial={"format": meeting.format}),
        "client": ClientForm(data("client")),
        "person": PersonForm(data("person"), sessions=sessions),
        "colleague": ColleagueForm(data("colleague"), meeting=meeting),
    }


def _carry_out(do: str, sessions: list[Session], found: Forms, request: HttpRequest) -> None:
    meeting, user = sessions[0].meeting, request.user
    given = found[do].cleaned_data if do in found else {}
    if do == "format":
        actions.set_meeting_format(meeting=meeting, format=given["format"], by=user)
    elif do == "client":
        _add_client(sessions, found[do], user)  # type: ignore[arg-type]  # its own form
    elif do == "person":
        place = given.pop("place")
        client = next(s.client for s in sessions if str(s.pk) == place)
        day = min(clinic_time.today(), sessions[0].held_on)
        actions.add_respondent(client=client, from_on=day, by=user, **given)
    elif do == "colleague":
        actions.join_meeting(meeting=meeting, clinician=given["clinician"], by=user)
    elif do == "attendance":
        _set_attendance(sessions, request.POST.dict(), user)
    else:
        raise Http404


def _taken_in(request: HttpRequest, sessions: list[Session], found: Forms) -> bool:
    """Whether what was sent is done; what is wrong stands in its form, or above the page."""
    do = request.POST.get("do", "")
    if do in found and not found[do].is_valid():
        return False
    try:
        with transaction.atomic():
            _carry_out(do, sessions, found, request)
    except ValidationError as problem:
        if do in found:
            add_problems(found[do], problem)
        else:
            messages.error(request, " ".join(problem.messages))
        return False
    return True


@rights.needs("enter_scores")
def meeting(request: HttpRequest, pk: int) -> HttpResponse:
    """Who is in this meeting, and whose answers are in? Those whom the reader may see, alone."""
    sessions = _sessions(pk, request.user)
    may_change = rights.may(request.user, "record_sessions")
    found = _forms(request, sessions) if may_change else {}
    status = 200
    if request.method == "POST":
        if not may_change:
            raise Http404
        if _taken_in(request, sessions, found):
            messages.success(request, _("Kept."))
            return redirect("meeting", pk)
        status, sessions = 422, _sessions(pk, request.user)
    due, present = due_today(sessions), people_of_each(sessions)
    there: dict[int, list[Administration]] = {}
    rows = Administration.objects.current().filter(
        session__in=[session.pk for session in sessions], not_taken=""
    )
    for row in rows.select_related("measure", "respondent").order_by("pk"):
        there.setdefault(row.session_id or 0, []).append(row)
    for session in sessions:
        audit.client_read(session.client, "meeting")
    context = {
        "meeting": sessions[0].meeting,
        "held_on": sessions[0].held_on,
        "present": Clinician.objects.filter(meetings=pk).order_by("name"),
        "statuses": Session.Status.choices,
        "forms": found,
        "places": [
            {
                "session": session,
                "people": _people(present[session.pk], due[session.pk], there.get(session.pk, [])),
            }
            for session in sessions
        ],
    }
    return render(request, "entry/meeting.html", context, status=status)
