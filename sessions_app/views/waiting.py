"""The front desk's waiting list: who waits, a new referral, what came of one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from sessions_app import actions, audit, clinic_time, rights, selectors, waiting
from sessions_app.forms import add_problems
from sessions_app.models import Client, Programme, Referral
from sessions_app.referral_forms import BeginForm, LeaveForm, NewReferralForm, OfferForm
from sessions_app.submissions import KeyReused, once, replayed
from sessions_app.views.clients import twin_of

ROWS_A_PAGE = 50
UNPROCESSABLE = 422


@rights.needs("register_clients")
def index(request: HttpRequest) -> HttpResponse:
    """Who waits, and since when? Oldest first; the programme stays in the address."""
    programmes = list(selectors.open_programmes(request.user))
    programme: Programme | None = None
    if asked := request.GET.get("programme", ""):
        programme = next((p for p in programmes if str(p.pk) == asked), None)
        if programme is None:
            raise Http404
    rows = waiting.waiting_for(request.user, programme)
    counts = waiting.counted(rows)
    keys = rows.values_list("pk", flat=True)
    page = Paginator(keys, ROWS_A_PAGE).get_page(request.GET.get("page"))
    shown = (
        Referral.objects.filter(pk__in=list(page.object_list))
        .select_related("client__identity", "client__key", "programme", "site")
        .order_by("received_on", "pk")
    )
    today = clinic_time.today()
    audit.record("read", subject_kind="waiting list", rows=len(page.object_list))
    context = {
        "rows": [(row, days := row.days_waited(today), days > counts.limit) for row in shown],
        "page": page,
        "counts": counts,
        "programmes": programmes,
        "programme": programme,
    }
    return render(request, "waiting/index.html", context)


@rights.needs("register_clients")
def new(request: HttpRequest) -> HttpResponse:
    """Who is referred? A person known here or a new one; a second press refers nobody twice."""
    form = NewReferralForm(
        request.POST if request.method == "POST" else None,
        programmes=selectors.open_programmes(request.user),
        sites=selectors.desk_sites(request.user),
    )
    twin: Client | None = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        body = {name: value for name, value in request.POST.items() if name in form.fields}
        try:
            before = replayed(key=given["key"], body=body, by=request.user)
            known = None if before else _known(request, given)
            twin = None if before or known or given["namesake"] else twin_of(request, given)
            if twin is not None:
                form.add_error(
                    "namesake",
                    _("There is %s already, of this name and birth date: is this somebody else?")
                    % twin.code,
                )
            else:
                kept = once(
                    key=given["key"],
                    body=body,
                    by=request.user,
                    perform=lambda: _receive(given, known, request.user),
                )
                messages.success(
                    request, _("%(code)s is on the waiting list.") % {"code": kept.result}
                )
                return redirect("waiting")
        except KeyReused:
            form.add_error(
                None,
                _(
                    "This form was sent before with other details, and that referral is recorded. "
                    "Open a new form for another."
                ),
            )
        except ValidationError as problem:
            add_problems(form, problem, birth_year="birth_date")
    context = {"form": form, "twin": twin}
    return render(
        request, "waiting/new.html", context, status=UNPROCESSABLE if form.errors else 200
    )


def _known(request: HttpRequest, given: dict[str, Any]) -> Client | None:
    """The client meant, or None for a new person."""
    text = given["client"].strip()
    if not text:
        return None
    found = selectors.find_client(text, request.user)
    if found is None:
        raise ValidationError({"client": _("No client here has “%s” as code or number.") % text})
    return found


def _receive(given: dict[str, Any], known: Client | None, by: Any) -> str:
    client = known or actions.register_client(
        by=by,
        site=given["site"],
        name=given["name"],
        birth_date=given["birth_date"],
        gender=given["gender"],
        language=given["language"],
        phone=given["phone"],
        email=given["email"],
    )
    actions.receive_referral(
        client=client,
        programme=given["programme"],
        site=given["site"],
        received_on=given["received_on"],
        source=given["source"],
        funder=given["funder"],
        by=by,
    )
    return client.code


def _forms(request: HttpRequest, referral: Referral) -> dict[str, Any]:
    """The three turns a wait can take; what was sent is bound, the others are fresh."""
    today = clinic_time.today()
    sent = request.POST if request.method == "POST" else None
    do = request.POST.get("do", "")
    return {
        "offer": OfferForm(
            sent if do == "offer" else None,
            prefix="offer",
            initial={"on": referral.first_offer_on or today},
        ),
        "begin": BeginForm(
            sent if do == "begin" else None,
            prefix="begin",
            clinicians=selectors.working_clinicians(today),
            initial={"opened_on": today},
        ),
        "leave": LeaveForm(sent if do == "leave" else None, prefix="leave", initial={"on": today}),
    }


@rights.needs("register_clients")
def referral(request: HttpRequest, pk: int) -> HttpResponse:
    """What happens with this referral? An offer, the beginning of care, or its end."""
    found = (
        Referral.objects.registered_to(request.user)
        .select_related("client__identity", "client__key", "programme", "site", "episode")
        .filter(pk=pk)
        .first()
    )
    if found is None:
        raise Http404
    forms = _forms(request, found)
    sent = forms.get(request.POST.get("do", "")) if request.method == "POST" else None
    if sent is not None and sent.is_valid():
        try:
            said = _turn(request, found, request.POST["do"], sent.cleaned_data)
        except ValidationError as problem:
            add_problems(sent, problem)
        else:
            messages.success(request, said)
            return redirect(found if found.waits else "waiting")
    today = clinic_time.today()
    context = {
        "referral": found,
        "days": found.days_waited(found.outcome_on or today),
        "forms": forms,
    }
    wrong = sent is not None and bool(sent.errors)
    return render(request, "waiting/referral.html", context, status=UNPROCESSABLE if wrong else 200)


def _turn(request: HttpRequest, found: Referral, do: str, given: dict[str, Any]) -> str:
    code = found.client.code
    if do == "offer":
        actions.offer_first(referral=found, by=request.user, **given)
        return _("Recorded: a first appointment was offered.")
    if do == "begin":
        actions.accept_referral(referral=found, by=request.user, **given)
        found.outcome = Referral.Outcome.ACCEPTED
        return _("Care begins for %(code)s.") % {"code": code}
    actions.close_referral(referral=found, by=request.user, **given)
    found.outcome = given["outcome"]
    return _("%(code)s no longer waits.") % {"code": code}
