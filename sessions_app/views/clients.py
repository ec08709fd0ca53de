from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from sessions_app import access, actions, audit, clinic_time, selectors
from sessions_app.forms import FindForm, RegisterForm, add_problems


@access.needs("see_registry", "see_clinical")
def index(request: HttpRequest) -> HttpResponse:
    """Who is in care here, newest first; found by POST, so that no address holds a name."""
    form = FindForm(request.POST if request.method == "POST" else None)
    text = form.cleaned_data["text"] if form.is_bound and form.is_valid() else ""
    found = list(selectors.search_clients(text, request.user)[: selectors.FOUND_AT_MOST + 1])
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
            "may_register": access.may(request.user, "register_clients"),
            "may_open": access.may(request.user, "see_clinical"),
        },
    )


@access.needs("register_clients")
def new(request: HttpRequest) -> HttpResponse:
    form = RegisterForm(
        request.POST if request.method == "POST" else None,
        programmes=selectors.open_programmes(request.user),
        clinicians=selectors.working_clinicians(clinic_time.today()),
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            with transaction.atomic():
                client = actions.register_client(
                    by=request.user,
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
                    by=request.user,
                )
        except ValidationError as problem:
            add_problems(form, problem)
        else:
            messages.success(request, _("Registered as %(code)s.") % {"code": client.code})
            return redirect("clients")
    return render(request, "clients/new.html", {"form": form}, status=422 if form.errors else 200)
