"""Reads that several doors share: finding a client, the diary of a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery

from sessions_app import access, rights
from sessions_app.models import (
    Assignment,
    Client,
    Clinician,
    Episode,
    ExternalId,
    Meeting,
    Programme,
    Session,
    Site,
    Tablet,
)

FOUND_AT_MOST = 50


def find_client(reference: str, user: Any) -> Client | None:
    """The client in registry scope by code, own number or `source:value`; None when absent."""
    text = reference.strip()
    clients = Client.objects.registered_to(user)
    found = clients.filter(code=text.upper()).first()
    if found is not None:
        return found
    ids = Q(external_ids__value=text)
    if ":" in text:
        source, value = text.split(":", 1)
        ids |= Q(external_ids__source=source, external_ids__value=value)
    matches = list(clients.filter(ids).distinct()[:2])
    return matches[0] if len(matches) == 1 else None


def search_clients(text: str, user: Any, limit: int = FOUND_AT_MOST) -> list[Client]:
    """The newest clients by code, own number or name words, with identity and current lead.

    First who, then what is known of them: joined at once, keys and identities of everybody in
    scope would be gathered before the newest are known.
    """
    lead = Assignment.objects.filter(
        episode__client=OuterRef("pk"), part=Assignment.Part.LEAD, to_on=None
    )
    clients = Client.objects.registered_to(user)
    if text.strip():
        named = Client.objects.named(text)
        clients = clients.filter(
            Q(code__istartswith=text.strip())
            | Q(pk__in=ExternalId.objects.filter(value=text.strip()).values("client"))
            | Q(pk__in=named.values("pk"))
        )
    newest = list(clients.order_by("-registered_at", "-pk").values_list("pk", flat=True)[:limit])
    return list(
        Client.objects.filter(pk__in=newest)
        .select_related("identity", "key", "site")
        .annotate(
            lead_name=Subquery(lead.values("clinician__name")[:1]),
            has_died=Exists(
                Episode.objects.filter(client=OuterRef("pk"), ending=Episode.Ending.DIED)
            ),
            open_since=Subquery(lead.order_by("-from_on").values("episode__opened_on")[:1]),
        )
        .order_by("-registered_at", "-pk")
    )


def desk_sites(user: Any) -> QuerySet[Site]:
    """The sites whose diary the user's front desk keeps, by name."""
    return access.desk_sites(user).order_by("name")


def desk_tablets(user: Any) -> list[Tablet]:
    """Tablets in use at the desk's sites, and those of no site."""
    here = Q(site=None) | Q(site__in=desk_sites(user))
    return list(Tablet.objects.filter(here, retired_at=None).select_related("enrolled_by", "site"))


def diary_keys(day: date, user: Any, clinician: Clinician | None = None) -> QuerySet[Session]:
    """The day's sessions in the user's scope, in order of time: which they are, alone."""
    sessions = Session.objects.registered_to(user).filter(held_on=day).expected()
    if clinician is not None:
        sessions = sessions.filter(meeting__clinicians=clinician)
    return sessions.order_by("meeting__starts_at", "pk")


def who_comes(keys: Sequence[int]) -> list[Session]:
    """These sessions in order of time, with who is expected and by whom.

    Not asked for together with scope: keys and identities of everybody in it would be gathered
    before the day's are known.
    """
    return list(
        Session.objects.filter(pk__in=keys)
        .select_related("meeting", "meeting__site", "client__identity", "client__key", "episode")
        .prefetch_related(
            Prefetch("meeting__clinicians", Clinician.objects.order_by("name"), to_attr="present")
        )
        .order_by("meeting__starts_at", "pk")
    )


def diary(day: date, user: Any, clinician: Clinician | None = None) -> list[Session]:
    """The day's sessions in the user's scope, in order of time, with who is expected."""
    return who_comes(list(diary_keys(day, user, clinician).values_list("pk", flat=True)))


def unconfirmed(user: Any, before: date) -> QuerySet[Session]:
    """Booked sessions of past days that nobody has said anything about: the backlog."""
    booked = Session.objects.visible_to(user).filter(status=Session.Status.BOOKED)
    return booked.filter(held_on__lt=before).expected()


def open_programmes(user: Any) -> QuerySet[Programme]:
    """Programmes in which the user may open an episode: unrestricted, or granted by name."""
    granted = [g.programme_id for g in rights.grants_of(user) if g.programme_id]
    return Programme.objects.filter(Q(restricted=False) | Q(pk__in=granted), active=True)


def working_clinicians(day: date) -> QuerySet[Clinician]:
    """Who may get clients on a day: at work, and with no closed account."""
    at_work = (Q(active_from=None) | Q(active_from__lte=day)) & (
        Q(active_to=None) | Q(active_to__gte=day)
    )
    return Clinician.objects.filter(at_work).exclude(user__is_active=False)


def open_leads() -> dict[int, int]:
    """How many open episodes each clinician leads; a supervisor's question, counts alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clinician_id, open_episodes FROM outcomes_open_leads()")
        return dict(cursor.fetchall())


def open_episode_of(client: Client, user: Any) -> Episode | None:
    """The client's newest open episode in registry scope."""
    return (
        Episode.objects.registered_to(user)
        .filter(client=client, closed_on=None)
        .order_by("-opened_on", "-pk")
        .first()
    )


def shared_meeting(clinician: Clinician, starts_at: Any) -> Meeting | None:
    """The meeting this clinician has at that moment already: couples and groups share one."""
    return Meeting.objects.filter(clinicians=clinician, starts_at=starts_at).first()
