from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from sessions_app import actions, audit, clinic_time, rights, selectors
from sessions_app.forms import FindForm, RegisterForm, add_problems
from sessions_app.models import Client
from sessions_app.submissions import KeyReused, once, replayed

TWINS_LOOKED_AT = 20


@rights.needs("see_registry", "see_clinical")
def index(request: HttpRequest) -> HttpResponse:
    """Who is in care here, newest first; found by POST, so that no address holds a name."""
    form = FindForm(request.POST if request.method == "POST" else None)
    text = form.cleaned_data["text"] if form.is_bound and form.is_valid() else ""
    found = selectors.search_clients(text, request.user, selectors.FOUND_AT_MOST + 1)
    if text:
        audit.record("searched", subject_kind="client", found=len(found))
    return render(
        request,
        "clients/index.html",
        {
            "form": form,
            "clients": found[: selectors.FOUND_AT_MOST],
            "more": len(found) > selectors.FOUND_AT_MOST,
            "text": text,
            "may_register": rights.may(request.user, "register_clients"),
            "may_open": rights.may(request.user, "see_clinical"),
        },
    )


@rights.needs("register_clients")
def new(request: HttpRequest) -> HttpResponse:
    """Who begins care? The client and the episode; a second press registers nobody twice."""
    form = RegisterForm(
        request.POST if request.method == "POST" else None,
        programmes=selectors.open_programmes(request.user),
        clinicians=selectors.working_clinicians(clinic_time.today()),
    )
    twin: Client | None = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        body = {name: value for name, value in request.POST.items() if name in form.fields}
        try:
            before = replayed(key=given["key"], body=body, by=request.user)
            twin = None if before or given["namesake"] else twin_of(request, given)
            if twin is not None:
                form.add_error("namesake", _("There is %s already, of this name and birth date: "
                                             "is this somebody else?") % twin.code)  # fmt: skip
            else:
                kept = once(
                    key=given["key"],
                    body=body,
                    by=request.user,
                    perform=lambda: _register(given, request.user),
                )
                messages.success(request, _("Registered as %(code)s.") % {"code": kept.result})
                return redirect("clients")
        except KeyReused:
            form.add_error(None, _("This form was sent before with other details, and that client "
                                   "is registered. Open a new form for another."))  # fmt: skip
        except ValidationError as problem:
            add_problems(form, problem, external="own_number", birth_year="birth_date")
    return render(
        request,
        "clients/new.html",
        {"form": form, "twin": twin},
        status=422 if form.errors else 200,
    )


def twin_of(request: HttpRequest, given: dict[str, Any]) -> Client | None:
    """A client in sight with the same name and birth date."""
    if given["birth_date"] is None:
        return None
    same = (
        Client.objects.registered_to(request.user)
        .filter(
            pk__in=Client.objects.named(given["name"]).values("pk"),
            birth_year=given["birth_date"].year,
        )
        .select_related("identity", "key")
    )
    for client in same[:TWINS_LOOKED_AT]:
        if client.identity.birth_date == given["birth_date"]:
            return client
    return None


def _register(given: dict[str, Any], by: Any) -> str:
    client = actions.register_client(
        by=by,
        site=given["site"],
        name=given["name"],
        birth_date=given["birth_date"],
        gender=given["gender"],
        language=given["language"],
        phone=given["phone"],
        email=given["email"],
        external=("clinic", given["own_number"]) if given["own_number"] else None,
    )
    actions.open_episode(
        client=client,
        programme=given["programme"],
        opened_on=given["opened_on"],
        lead=given["lead"],
        purpose=given["purpose"],
        purpose_agreed_on=given["opened_on"],
        by=by,
    )
    return client.code
