"""What every page knows: the clinic's name, where one can go, and whether this is a demo."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from measures_app.alerts import shown_on_pages
from sessions_app import rights
from sessions_app.models import Installation
from sessions_app.prepared import Prepared

# (url name, label, any of these rights)
PLACES = [
    ("today", _("Today"), {"record_sessions"}),
    ("schedule", _("Schedule"), {"schedule", "record_sessions"}),
    ("caseload", _("Caseload"), {"see_clinical"}),
    ("review", _("Review"), {"review", "decide"}),
    ("team", _("Team"), {"review"}),
    ("practice", _("Practice"), {"record_sessions"}),
    ("clients", _("Clients"), {"see_registry"}),
    ("waiting", _("Waiting"), {"register_clients"}),
    ("agency", _("Agency"), {"see_aggregates"}),
    ("reports", _("Reports"), {"export_reports"}),
    ("people", _("People"), {"manage_people"}),
    ("settings", _("Settings"), {"manage_policies"}),
    ("measures", _("Measures"), {"manage_measures", "see_clinical", "see_aggregates"}),
    ("import", _("Import"), {"import_scores"}),
    ("rules", _("Rules"), {"see_rules"}),
    ("audit", _("Audit"), {"see_audit"}),
]


_INSTALLATION = Prepared(
    lambda _none: Installation.objects.order_by("pk").values_list("clinic_name", "demo")[:1]
)


def site(request: HttpRequest) -> dict[str, Any]:
    clinic_name, demo = next(iter(_INSTALLATION.always()), ("", False))
    user = getattr(request, "user", None)
    navigation = []
    if user is not None and user.is_authenticated:
        for name, label, asked in PLACES:
            if any(rights.may(user, right) for right in asked):
                url = reverse(name)
                navigation.append(
                    {"url": url, "label": label, "current": request.path.startswith(url)}
                )
    gets_mail = user is not None and user.is_authenticated and rights.may(user, "see_clinical")
    return {
        # Asked when a staff page is drawn, and by no other.
        "unseen_alerts": partial(shown_on_pages, user) if gets_mail else (),
        "my_messages": reverse("my_messages") if gets_mail else "",
        "clinic_name": clinic_name,
        "demo": demo,
        "navigation": navigation,
    }
