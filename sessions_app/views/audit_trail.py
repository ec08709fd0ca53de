"""The trail of who did or saw what, to be searched."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sessions_app import rights
from sessions_app.models import AuditEvent, User

EVENTS_A_PAGE = 100


@rights.needs("see_audit")
def audit_trail(request: HttpRequest) -> HttpResponse:
    """Who did or saw what? Searched by client code, person's address or action."""
    events = AuditEvent.objects.all()
    wanted = {key: request.GET.get(key, "").strip() for key in ("subject", "actor", "action")}
    if wanted["subject"]:
        events = events.filter(subject=wanted["subject"])
    if wanted["actor"]:
        person = User.objects.filter(email=wanted["actor"].lower()).first()
        events = events.filter(actor=f"user:{person.public_id}" if person else wanted["actor"])
    if wanted["action"]:
        events = events.filter(action=wanted["action"])
    page = Paginator(events, EVENTS_A_PAGE).get_page(request.GET.get("page"))
    names = {f"user:{user.public_id}": user.name for user in User.objects.all()}
    for event in page.object_list:
        event.who = names.get(event.actor, event.actor)
        told = [(key, value) for key, value in event.detail.items() if value not in (None, "")]
        event.more = ", ".join(f"{key}: {value}" for key, value in told)
        event.about = names.get(f"user:{event.subject}", event.subject)
    return render(request, "people/audit.html", {"page": page, "wanted": wanted})
