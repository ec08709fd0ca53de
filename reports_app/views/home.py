from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from sessions_app import rights

# The first role that fits decides where a day begins.
FIRST_PAGE = [
    (rights.CLINICIAN, "today"),
    (rights.SUPERVISOR, "review"),
    (rights.DIRECTOR, "agency"),
    (rights.FRONT_DESK, "schedule"),
    (rights.ADMINISTRATOR, "people"),
]


def home(request: HttpRequest) -> HttpResponse:
    """Each role's own first page."""
    if not request.user.is_authenticated:
        return redirect("sign_in")
    held = rights.roles(request.user)
    for role, name in FIRST_PAGE:
        if role in held:
            return redirect(name)
    return render(request, "reports/no_role.html")
