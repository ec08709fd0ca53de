from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from sessions_app import actions, clinic_time, rights, selectors
from sessions_app.forms import BookForm, FileForm, add_problems
from sessions_app.models import Clinician, Session
from sessions_app.tables import Table, TableProblem, read_table

DIARY_COLUMNS = ("date", "time", "client", "clinician")
FILE_LIMIT = 5 * 1024 * 1024
ROWS_A_PAGE = 80  # a day of a house of ten clinicians; a whole clinic's is read by site or in pages


def day_of(request: HttpRequest) -> date:
    """The day in the address; today when there is none. No such day is no such page."""
    text = request.GET.get("day", "")
    try:
        return date.fromisoformat(text) if text else clinic_time.today()
    except ValueError:
        raise Http404 from None


def _whose(request: HttpRequest, day: date) -> QuerySet[Clinician]:
    """Whose diary this is: everyone's at the front desk, a clinician's own otherwise."""
    working = selectors.working_clinicians(day)
    if rights.may(request.user, "schedule"):
        return working
    return working.filter(user=request.user)


def _where(request: HttpRequest, *names: str) -> str:
    """The part of a day that is looked at, as the end of an address: one comes back to it."""
    given = {name: request.GET.get(name, "") for name in names}
    return urlencode({name: text for name, text in given.items() if text.isdecimal()})


def _page(request: HttpRequest, day: date, status: int = 200, **forms: Any) -> HttpResponse:
    everyone = rights.may(request.user, "schedule")
    own = None if everyone else Clinician.objects.filter(user=request.user).first()
    found = selectors.diary_keys(day, request.user, own)
    sites = list(selectors.desk_sites(request.user)) if everyone else []
    site = next((s for s in sites if str(s.pk) == request.GET.get("site")), None)
    if site is not None:
        found = found.filter(meeting__site=site)
    keys = list(found.values_list("pk", flat=True))
    page = Paginator(keys, ROWS_A_PAGE).get_page(request.GET.get("page"))
    sessions = selectors.who_comes(page.object_list)
    may_start = rights.may(request.user, "record_attendance") and day == clinic_time.today()
    tablets = selectors.desk_tablets(request.user) if may_start else []
    for session in sessions:
        session.tablets = [t for t in tablets if t.site_id in (None, session.meeting.site_id)]
    context = {
        "sites": sites,
        "site": site,
        "page": page,
        "where": _where(request, "site", "page"),
        "site_alone": _where(request, "site"),
        "day": day,
        "everyone": everyone,
        "ahead": day > clinic_time.today(),
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        "is_today": day == clinic_time.today(),
        "sessions": sessions,
        "statuses": Session.Status,
        "book": forms.get("book") or BookForm(clinicians=_whose(request, day)),
        "upload": forms.get("upload") or FileForm(),
        "problems": forms.get("problems", []),
    }
    return render(request, "schedule/day.html", context, status=status)


@rights.needs("schedule", "record_sessions")
def day(request: HttpRequest) -> HttpResponse:
    """Who comes today? The diary of a day, with a place to book the next one.

    The front desk has the whole diary of its sites; a clinician their own, so that a next
    appointment is made before the client has left.
    """
    shown = day_of(request)
    if request.method != "POST":
        return _page(request, shown)
    form = BookForm(request.POST, clinicians=_whose(request, shown))
    if form.is_valid():
        given = form.cleaned_data
        try:
            _book(
                request,
                given["client"],
                form.starts_at(shown),
                given["clinician"],
                given["minutes"],
                given["kind"],
                given["telehealth"],
            )
        except ValidationError as problem:
            add_problems(form, problem, starts_at="time")
        else:
            messages.success(
                request,
                _("Booked: %(client)s on %(day)s at %(time)s.")
                % {
                    "client": given["client"].strip().upper(),
                    "day": date_format(shown, "j F"),
                    "time": f"{given['time']:%H:%M}",
                },
            )
            return redirect(f"{reverse('schedule')}?day={shown.isoformat()}")
    return _page(request, shown, status=422, book=form)


def _book(
    request: HttpRequest,
    reference: str,
    starts_at: datetime,
    clinician: Clinician,
    minutes: int,
    kind: str = "treatment",
    telehealth: bool = False,
) -> Session:
    client = selectors.find_client(reference, request.user)
    if client is None:
        named = selectors.search_clients(reference, request.user, 2)
        if len(named) > 1:
            raise ValidationError(
                {"client": _("More than one client fits “%s”: use the code.") % reference}
            )
        client = named[0] if named else None
    if client is None:
        raise ValidationError({"client": _("There is no client “%s” here.") % reference})
    episode = selectors.open_episode_of(client, request.user)
    if episode is None:
        raise ValidationError({"client": _("This client has no open episode.")})
    if client.sessions.filter(meeting__starts_at=starts_at).exists():
        raise ValidationError({"time": _("This client is booked at that time already.")})
    meeting = selectors.shared_meeting(clinician, starts_at)
    return actions.book_session(
        episode=episode,
        starts_at=starts_at,
        clinicians=[clinician],
        minutes=minutes,
        kind=kind,
        telehealth=telehealth,
        meeting=meeting,
        by=request.user,
    )


@rights.needs("record_attendance", "record_sessions")
@require_POST
def attendance(request: HttpRequest, pk: int) -> HttpResponse:
    """One tap: arrived, did not come, cancelled. Returns to the list it was tapped on."""
    session = Session.objects.registered_to(request.user).filter(pk=pk).first()
    if session is None:
        raise Http404
    wanted = request.POST.get("status", "")
    try:
        if session.status == Session.Status.ATTENDED:
            raise ValidationError(_("This session was entered: open it to put it right."))
        if wanted == Session.Status.ATTENDED:
            raise ValidationError(_("Say whether the client came."))
        if wanted == "arrived":
            actions.mark_arrived(session=session, by=request.user)
        else:
            actions.set_attendance(
                session=session,
                status=wanted,
                obstacle=request.POST.get("obstacle", ""),
                by=request.user,
            )
    except ValidationError as problem:
        messages.error(request, "; ".join(problem.messages))
    else:
        if request.POST.get("back") == "backlog":  # where it stands no longer
            messages.success(
                request,
                _("Kept for %(day)s: %(what)s. That day's list can undo it.")
                % {
                    "day": date_format(session.held_on, "j F"),
                    "what": session.get_status_display(),
                },
            )
    if request.POST.get("back") == "backlog":
        return redirect(f"{reverse('backlog')}?{_where(request, 'page')}")
    back = "today" if request.POST.get("back") == "today" else "schedule"
    where = "&".join(
        filter(None, [f"day={session.held_on.isoformat()}", _where(request, "site", "page")])
    )
    return redirect(f"{reverse(back)}?{where}#session-{session.pk}")


def _column(table: Table, name: str) -> int:
    lowered = [column.lower() for column in table.columns]
    if name not in lowered:
        raise TableProblem(
            _("There is no column “%(name)s”: a diary has date, time, client, clinician.")
            % {"name": name}
        )
    return lowered.index(name)


def _book_row(request: HttpRequest, cells: tuple[str, ...], at: dict[str, int]) -> None:
    try:
        hours, minutes = cells[at["time"]].split(":")[:2]
        moment = clinic_time.at(
            date.fromisoformat(cells[at["date"]][:10]), int(hours), int(minutes)
        )
    except (ValueError, OverflowError):  # a day before or after all that Python counts
        raise ValidationError(
            {
                "time": _("“%s” is no time such as 2026-03-31 and 14:30.")
                % f"{cells[at['date']]} {cells[at['time']]}"
            }
        ) from None
    named = cells[at["clinician"]]
    clinician = Clinician.objects.filter(code=named).first() or (
        Clinician.objects.filter(name=named).first()
    )
    if clinician is None:
        raise ValidationError({"clinician": _("There is no clinician “%s”.") % named})
    if not _whose(request, clinic_time.local_date(moment)).filter(pk=clinician.pk).exists():
        raise ValidationError(
            {"clinician": _("“%s” has no diary that you can book in on that day.") % named}
        )
    length = cells[at["minutes"]] if "minutes" in at else ""
    if length and not (length.isdecimal() and 5 <= int(length) <= 480):
        raise ValidationError({"minutes": _("“%s” is no number of minutes.") % length})
    _book(request, cells[at["client"]], moment, clinician, int(length or 50))


@rights.needs("schedule", "record_sessions")
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """A diary file: all rows or none; each bad row is named, the day stays open."""
    shown = day_of(request)
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, shown, status=422, upload=form)
    problems: list[str] = []
    try:
        table = read_table(form.cleaned_data["file"].read(FILE_LIMIT + 1), limit=FILE_LIMIT)
        at = {name: _column(table, name) for name in DIARY_COLUMNS}
        if "minutes" in [column.lower() for column in table.columns]:
            at["minutes"] = _column(table, "minutes")
        problems += [
            _("Row %(row)s: %(why)s")
            % {"row": number, "why": _("there are more cells than columns.")}
            for number, _cells in table.uneven
        ]
        with transaction.atomic():
            for number, cells in table.rows:
                try:
                    _book_row(request, cells, at)
                except ValidationError as problem:
                    problems.append(
                        _("Row %(row)s: %(why)s")
                        % {"row": number, "why": " ".join(problem.messages)}
                    )
            if problems:
                transaction.set_rollback(True)
    except TableProblem as problem:
        form.add_error("file", str(problem))
    if problems or form.errors:
        return _page(request, shown, status=422, upload=form, problems=problems)
    messages.success(request, _("%(n)s sessions booked.") % {"n": len(table.rows)})
    return redirect(f"{reverse('schedule')}?day={shown.isoformat()}")
