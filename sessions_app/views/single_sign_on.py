"""To the clinic's own sign-in service, and back from it."""

from __future__ import annotations

from functools import wraps
from typing import Any

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from sessions_app import actions, audit, presence, rights, second_factor, single_sign_on
from sessions_app.context import ANONYMOUS
from sessions_app.models import User


def _where_configured(view: Any) -> Any:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.SSO:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def _refused(request: HttpRequest, why: str, subject: str = "") -> HttpResponse:
    audit.record("sign-in refused", by=ANONYMOUS, how="single sign-on", why=why)
    context = {"why": why, "subject": subject, "provider": settings.SSO["name"]}
    status = 429 if why == "waits" else 403
    return render(request, "people/single_sign_on.html", context, status=status)


@_where_configured
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    return single_sign_on.begin(request, to=request.POST.get("next", "/"))


@_where_configured
@login_required
@require_GET
def again(request: HttpRequest) -> HttpResponse:
    """Off to show who is there, before something that asks for it; writes nothing here."""
    return single_sign_on.begin(request, to=request.GET.get("next", "/"), again=True)


@_where_configured
@require_GET
def back(request: HttpRequest) -> HttpResponse:
    """What the provider says of whoever comes back: in, on with a sign-in that rests, or no."""
    try:
        answer = single_sign_on.finish(request)
        user = single_sign_on.person_of(request, answer)
    except single_sign_on.Refused as problem:
        return _refused(request, problem.why, problem.subject)
    except single_sign_on.Away:
        return single_sign_on.away(request)
    if answer.again:
        return _still_there(request, user, answer)
    if request.user.is_authenticated:
        logout(request)
    setattr(request, second_factor.SHOWN_NOW, answer.second_factor)
    request.session[second_factor.ELSEWHERE] = {"of": user.pk, "factor": answer.second_factor}
    record_authentication(request, user, method="socialaccount", fresh=answer.fresh)
    return perform_login(request, Login(user=user, redirect_url=answer.next))


def _still_there(request: HttpRequest, user: User, answer: Any) -> HttpResponse:
    if request.user != user:
        return _refused(request, "somebody else")
    if not answer.fresh:
        return _refused(request, "not anew")
    presence.took_up_elsewhere(request)
    return redirect(answer.next)


@_where_configured
@rights.needs("manage_people")
@presence.recently("POST")
@require_POST
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """Say which number of the provider's is this person, or take that off."""
    person = get_object_or_404(User, pk=pk)
    try:
        actions.link_single_sign_on(
            user=person, subject=request.POST.get("subject", "").strip(), by=request.user
        )
        messages.success(request, _("Kept."))
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
    return redirect("people")
