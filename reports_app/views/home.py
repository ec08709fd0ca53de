from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sessions_app import access

# The first role that fits decides where a day begins.
FIRST_PAGE = [
    (access.CLINICIAN, "today"),
    (access.SUPERVISOR, "review"),
    (access.DIRECTOR, "agency"),
    (access.FRONT_DESK, "schedule"),
    (access.ADMINISTRATOR, "people"),
]


def home(request: HttpRequest) -> HttpResponse:
    """Each role's own first page."""
    if not request.user.is_authenticated:
        return redirect("sign_in")
    held = access.roles(request.user)
    for role, name in FIRST_PAGE:
        if role in held:
            return redirect(name)
    return render(request, "reports/no_role.html")
