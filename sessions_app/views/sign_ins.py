"""Where am I signed in, and how do I take a sign-in up again after a pause?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from sessions_app import actions, kept_forms, live_sign_ins, presence, rights
from sessions_app.forms import add_problems
from sessions_app.models import User


class PinForm(forms.Form):
    pin = forms.CharField(
        label=gettext_lazy("A PIN of four to eight digits"),
        help_text=gettext_lazy(
            "It takes up a sign-in that rests, on your own devices alone. Leave it empty to have "
            "none."
        ),
        required=False,
        widget=forms.PasswordInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


def _shown(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    own = request.session.session_key
    found = [
        {
            "handle": live_sign_ins.handle_of(row.session_key),
            "this": row.session_key == own,
            "agent": here.get("agent", ""),
            "rests": here.get("rests", False),
            "at": here.get("seen", 0.0),
            "began": datetime.fromtimestamp(here["began"], UTC) if here else None,
            "seen": datetime.fromtimestamp(here["seen"], UTC) if here else None,
        }
        for row, here in live_sign_ins.sessions_of(user)
    ]
    found.sort(key=lambda one: (one["this"], one["at"]), reverse=True)
    return found


@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """Where am I signed in?"""
    return _page(request, PinForm())


def _page(request: HttpRequest, form: PinForm) -> HttpResponse:
    left = presence.seconds_left(request)
    context = {
        "sign_ins": _shown(request, request.user),
        "own_end": reverse("sign_in_end"),
        "form": form,
        "idle": request.session[presence.HERE]["idle"] // 60,
        "ends_at": datetime.fromtimestamp(presence.now() + left["ends_in"], UTC),
        "own_device": presence.own_device(request),
    }
    return render(request, "people/sign_ins.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
@presence.recently("POST")
def set_pin(request: HttpRequest) -> HttpResponse:
    form = PinForm(request.POST)
    form.is_valid()  # the rules are the action's
    try:
        actions.set_unlock_pin(user=request.user, pin=form.data.get("pin", ""), by=request.user)
    except ValidationError as problem:
        add_problems(form, problem)
        return _page(request, form)
    messages.success(request, _("Kept."))
    return redirect("sign_ins")


@login_required
@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """End one of my own sign-ins, or all others."""
    handle = request.POST.get("handle", "")
    actions.end_sign_in(
        user=request.user, handle=handle, spared=request.session.session_key, by=request.user
    )
    messages.success(request, _("Ended."))
    return redirect("sign_ins")


@rights.needs("manage_people")
@presence.recently("POST")
def of_person(request: HttpRequest, pk: int) -> HttpResponse:
    """Where is this person signed in? For whoever looks after accounts."""
    person = get_object_or_404(User, pk=pk)
    if request.method == "POST":
        actions.end_sign_in(user=person, handle=request.POST.get("handle", ""), by=request.user)
        messages.success(request, _("Ended."))
        return redirect("sign_ins_of", pk)
    sign_ins = _shown(request, person)
    context = {"person": person, "sign_ins": sign_ins, "end": reverse("sign_ins_of", args=[pk])}
    return render(request, "people/sign_ins_of.html", context)


# --- resting -------------------------------------------------------------------------------------


def state(request: HttpRequest) -> HttpResponse:
    """How long until the pause is too long; a POST says that somebody is typing."""
    if not request.user.is_authenticated:
        return JsonResponse({"over": True, "sign_in": reverse("sign_in")})
    if presence.resting(request):
        return JsonResponse({"rests": True})
    if request.method == "POST":
        presence.begin(request, request.user, began=presence.began_at(request))
    return JsonResponse(presence.seconds_left(request))


@login_required
@require_POST
def lock(request: HttpRequest) -> HttpResponse:
    """Leave the desk: the same page waits."""
    presence.rest(request)
    if presence.wants_json(request):
        return JsonResponse({"rests": True})
    return presence.back_to(request, request.POST.get("next", "/"))


@login_required
def kept(request: HttpRequest) -> HttpResponse:
    """The form that was sent when the last sign-in was over: send it on, or throw it away."""
    form = kept_forms.of(request)
    if form is None or request.method == "POST":
        kept_forms.forget(request)
        return redirect("/")
    return render(request, "people/kept.html", {"form": form})


def unlock(request: HttpRequest) -> HttpResponse:
    """Take a sign-in up that rests (a page asks without being left), or go to where one was."""
    if not request.user.is_authenticated:
        if presence.wants_json(request):
            return JsonResponse({"over": True, "sign_in": reverse("sign_in")}, status=403)
        return redirect("sign_in")
    if request.method != "POST":
        if presence.wants_json(request):
            ways = {
                "pin": presence.takes_pin(request),
                "passkey": presence.passkey_options(request),
                "elsewhere": presence.elsewhere(request),
            }
            return JsonResponse(ways)
        return redirect("/")
    if presence.ELSEWHERE in request.POST and presence.elsewhere(request):
        return presence.ask_elsewhere(request)
    problem = presence.show(request)
    if presence.wants_json(request):
        if problem == "over":
            return JsonResponse({"over": True, "sign_in": reverse("sign_in")}, status=403)
        return JsonResponse({"problem": problem}, status=422 if problem else 200)
    if problem == "over":
        return redirect("sign_in")
    if problem:
        return presence.ask(request, again=bool(request.POST.get("again")), problem=problem)
    return presence.back_to(request, request.POST.get("next", "/"))
