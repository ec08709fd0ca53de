from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Prefetch, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from sessions_app import (
    actions,
    audit,
    clinic_time,
    presence,
    rates,
    rights,
    single_sign_on,
)
from sessions_app.forms import add_problems
from sessions_app.models import (
    Clinician,
    Programme,
    RoleGrant,
    Site,
    Supervision,
    User,
)


class InviteForm(forms.Form):
    name = forms.CharField(max_length=120, label=gettext_lazy("Name"))
    email = forms.EmailField(label=gettext_lazy("E-mail address"))
    role = forms.ChoiceField(choices=RoleGrant.Role.choices, label=gettext_lazy("Role"))
    site = forms.ModelChoiceField(
        Site.objects.all(),
        required=False,
        label=gettext_lazy("Only at this site"),
        empty_label=gettext_lazy("the whole clinic"),
    )
    supervises = forms.ModelMultipleChoiceField(
        Clinician.objects.all(),
        required=False,
        label=gettext_lazy("Supervises (for supervisors)"),
        widget=forms.CheckboxSelectMultiple(),
    )


class RoleForm(forms.Form):
    """A role for somebody who has an account already."""

    role = forms.ChoiceField(choices=RoleGrant.Role.choices)
    site = forms.ModelChoiceField(Site.objects.all(), required=False)


def invitation_url(request: HttpRequest, user: User) -> str:
    """A link that lets the invited person choose a password, once."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("welcome", args=[uid, default_token_generator.make_token(user)])
    return request.build_absolute_uri(path)


def _people() -> list[User]:
    today = clinic_time.today()
    in_force = (Q(to_on=None) | Q(to_on__gte=today)) & Q(from_on__lte=today)
    grants = RoleGrant.objects.filter(in_force).select_related("site", "programme", "team")
    supervisions = Supervision.objects.filter(in_force).select_related("clinician")
    people = list(
        User.objects.select_related("clinician")
        .prefetch_related(
            Prefetch("grants", grants, to_attr="current_grants"),
            Prefetch("supervisions", supervisions, to_attr="current_supervisions"),
        )
        .order_by("-is_active", "name")
    )
    known = single_sign_on.subjects() if settings.SSO else {}
    before = _roles_before([person for person in people if not person.is_active])
    for person in people:
        person.former = before.get(person.pk, [])
        person.subject = known.get(person.pk, "")
    return people


def _roles_before(closed: list[User]) -> dict[int, list[RoleGrant]]:
    """What each closed account was last: one of each role and place, the newest."""
    found: dict[int, dict[tuple[Any, ...], RoleGrant]] = {}
    rows = RoleGrant.objects.filter(user__in=closed).select_related("site", "programme", "team")
    for row in rows.order_by("-to_on", "-pk"):
        place = (row.role, row.site_id, row.programme_id, row.team_id)
        found.setdefault(row.user_id, {}).setdefault(place, row)
    return {pk: list(roles.values()) for pk, roles in found.items()}


def _invite(given: dict[str, Any], by: User) -> User:
    user = actions.add_user(email=given["email"], name=given["name"], by=by)
    actions.grant_role(user=user, role=given["role"], site=given["site"], by=by)
    if given["role"] == RoleGrant.Role.CLINICIAN:
        actions.add_clinician(name=given["name"], user=user, site=given["site"], by=by)
    if given["role"] == RoleGrant.Role.SUPERVISOR:
        for clinician in given["supervises"]:
            actions.supervise(supervisor=user, clinician=clinician, by=by)
    return user


@rights.needs("manage_people")
@presence.recently("POST")
def index(request: HttpRequest) -> HttpResponse:
    """Who works with this, and as what? Invitations are links to hand over."""
    form = InviteForm(request.POST if request.method == "POST" else None)
    link = ""
    if form.is_bound and form.is_valid():
        try:
            with transaction.atomic():
                user = _invite(form.cleaned_data, request.user)
        except ValidationError as problem:
            add_problems(form, problem)
        else:
            link = invitation_url(request, user)
            form = InviteForm()
    return _people_page(request, form, link, status=422 if form.errors else 200)


def _first_steps() -> list[tuple[bool, str, str, str]]:
    """What a new clinic needs, as (done, what, address, link text); empty once all is there."""
    steps = [
        (Site.objects.exists(), _("A site"), reverse("settings"), _("Add one in Settings")),
        (
            Programme.objects.exists(),
            _("A programme"),
            reverse("settings"),
            _("Add one in Settings"),
        ),
        (Clinician.objects.exists(), _("A clinician"), "#invite-heading", _("Invite one")),
        (
            RoleGrant.objects.filter(role=RoleGrant.Role.FRONT_DESK).exists(),
            _("Somebody at the front desk, who registers clients"),
            "#invite-heading",
            _("Invite somebody"),
        ),
    ]
    return [] if all(done for done, *_rest in steps) else steps


def _people_page(
    request: HttpRequest, form: InviteForm, link: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "people": _people(),
        "roles": RoleGrant.Role.choices,
        "sites": form.fields["site"].queryset,
        "form": form,
        "link": link,
        "first_steps": _first_steps(),
        "elsewhere": settings.SSO["name"] if settings.SSO else "",
    }
    return render(request, "people/index.html", context, status=status)


@rights.needs("manage_people")
@presence.recently("POST")
@require_POST
def invitation(request: HttpRequest, pk: int) -> HttpResponse:
    """A new link for someone whose first was lost, or who forgot their password."""
    user = get_object_or_404(User, pk=pk, is_active=True)
    audit.record("invitation made", subject_kind="user", subject=user.public_id)
    return _people_page(request, InviteForm(), invitation_url(request, user))


@rights.needs("manage_people")
@presence.recently("POST")
@require_POST
def close_account(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody leaves: refused, with how many, while clients would be left with nobody."""
    user = get_object_or_404(User, pk=pk)
    try:
        actions.close_account(user=user, by=request.user)
        messages.success(request, _("The account of %s is closed.") % user.name)
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
    return redirect("people")


@rights.needs("manage_people")
@presence.recently("POST")
@require_POST
def unlock(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody typed wrong passwords and can't wait."""
    user = get_object_or_404(User, pk=pk)
    actions.unlock_account(user=user, by=request.user)
    messages.success(request, _("The account of %s is open again.") % user.name)
    return redirect("people")


@rights.needs("manage_people")
@presence.recently("POST")
@require_POST
def second_factor_reset(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody lost the phone or key that shows that it is them."""
    user = get_object_or_404(User, pk=pk)
    try:
        actions.take_off_second_factor(user=user, by=request.user)
        messages.success(request, _("%s sets up a new second factor next time.") % user.name)
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
    return redirect("people")


@rights.needs("manage_people")
@presence.recently("POST")
@require_POST
def reopen_account(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody is back: their old roles only as far as they are chosen, and a new link."""
    user = get_object_or_404(User, pk=pk)
    chosen = [text for text in request.POST.getlist("grant") if text.isdecimal()]
    again = list(RoleGrant.objects.filter(user=user, pk__in=chosen))
    try:
        actions.reopen_account(user=user, again=again, by=request.user)
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
        return redirect("people")
    user.refresh_from_db()
    messages.success(request, _("The account of %s is open again.") % user.name)
    return _people_page(request, InviteForm(), invitation_url(request, user))


def _give(user: User, given: dict[str, Any], by: User) -> None:
    actions.grant_role(user=user, role=given["role"], site=given["site"], by=by)
    treats = given["role"] == RoleGrant.Role.CLINICIAN
    if treats and not Clinician.objects.filter(user=user).exists():
        actions.add_clinician(name=user.name, user=user, site=given["site"], by=by)


@rights.needs("manage_people")
@presence.recently("POST")
@require_POST
def give_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Another role for somebody who is here already."""
    user = get_object_or_404(User, pk=pk)
    form = RoleForm(request.POST)
    try:
        if not form.is_valid():
            raise ValidationError(_("Choose one of the roles."))
        given = form.cleaned_data
        place = given["site"].pk if given["site"] else None
        there = user.grants.filter(role=given["role"], site=place, programme=None, team=None)
        if there.filter(Q(to_on=None) | Q(to_on__gt=clinic_time.today())).exists():
            raise ValidationError(_("%s has this role already.") % user.name)
        with transaction.atomic():
            _give(user, given, request.user)
        messages.success(request, _("The role holds from today."))
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
    return redirect("people")


class Welcome(auth_views.PasswordResetConfirmView):
    """The invited person's first page: choose a password, then sign in."""

    template_name = "people/welcome.html"
    success_url = reverse_lazy("sign_in")

    def dispatch(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().dispatch(*args, **kwargs)
        if not self.validlink:
            wait = rates.wait_for(rates.UNKNOWN_TOKENS, rates.address_of(self.request))
            if wait:
                return rates.slow_down(self.request, wait)
        return answer


@rights.needs("manage_people")
@presence.recently("POST")
@require_POST
def end_grant(request: HttpRequest, pk: int) -> HttpResponse:
    grant = RoleGrant.objects.filter(pk=pk).select_related("user").first()
    if grant is None:
        raise Http404
    try:
        actions.end_role(grant=grant, on=clinic_time.today(), by=request.user)
        messages.success(request, _("The role ends today."))
    except ValidationError as problem:
        messages.error(request, " ".join(problem.messages))
    return redirect("people")
