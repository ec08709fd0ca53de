"""Emergency access: finding the client whom one doesn't see, and telling everybody concerned."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from sessions_app import mail, rates
from sessions_app.context import acting_as, system
from sessions_app.models import Client, EmergencyAccess, User

# Who searches for whom they don't treat isn't in an emergency ten times an hour.
SEARCHES = rates.Limit("emergency", 10, 3600)
MOST_NAMESAKES = 50


def find(text: str, birth_date: date | None) -> Client | None:
    """The client with this code or own number, or of this whole name and birth date; else None.

    Nothing is listed: who doesn't know whom they look for finds nobody.
    """
    text = text.strip()
    with acting_as(system("emergency")):
        exact = Client.objects.filter(code__iexact=text).first()
        exact = exact or Client.objects.filter(external_ids__value=text).first()
        if exact is not None or birth_date is None or len(text.split()) < 2:
            return exact
        wanted = sorted(text.casefold().split())
        namesakes = Client.objects.named(text).select_related("identity", "key")[:MOST_NAMESAKES]
        found = [
            client
            for client in namesakes
            if client.identity.birth_date == birth_date
            and sorted(client.name.casefold().split()) == wanted
        ]
        return found[0] if len(found) == 1 else None


def tell(payload: dict[str, Any], message_id: Any) -> None:
    """Mail to one person concerned: that it happened and where it stands; nobody's name or code."""
    row = EmergencyAccess.objects.select_related("user").get(pk=payload["access"])
    person = User.objects.get(pk=payload["user"])
    with translation.override(person.language):
        mail.send(
            to=person.email,
            subject=_("Emergency access to a client's record"),
            text=_(
                "%(who)s opened a client's record in an emergency, with a reason.\n\n"
                "Who it is about, why and until when: %(address)s\n"
            )
            % {"who": row.user.name, "address": mail.address_of("emergency")},
            message_id=message_id,
        )
