from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from reports_app.team import team_of
from sessions_app import audit, rights


@rights.needs("review")
def team(request: HttpRequest) -> HttpResponse:
    """How is my team, and where is help wanted? By name: nobody is ranked."""
    found = team_of(request.user)
    audit.sees_team([member.clinician for member in found.members], "team page")
    return render(request, "reports/team.html", {"team": found})
