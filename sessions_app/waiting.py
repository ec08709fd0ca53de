"""The waiting list: who waits, since when, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Min, Q

from sessions_app import clinic_time, policies
from sessions_app.models import Programme, Referral
from sessions_app.models.referrals import ReferralQuerySet


@dataclass(frozen=True)
class Waiting:
    """Counts of a list: how many wait, how many of them longer than the clinic's limit."""

    people: int
    over: int
    offered: int
    longest: int | None
    limit: int


def waiting_for(user: Any, programme: Programme | None = None) -> ReferralQuerySet:
    """Who waits within a person's scope, oldest first."""
    rows = Referral.objects.registered_to(user).waiting()
    if programme is not None:
        rows = rows.filter(programme=programme)
    return rows.order_by("received_on", "pk")


def counted(rows: ReferralQuerySet) -> Waiting:
    today = clinic_time.today()
    limit = int(policies.get("waiting_limit_days"))
    found = rows.order_by().aggregate(
        people=Count("pk"),
        over=Count("pk", filter=Q(received_on__lt=today - timedelta(days=limit))),
        offered=Count("pk", filter=Q(first_offer_on__isnull=False)),
        first=Min("received_on"),
    )
    longest = (today - found["first"]).days if found["first"] else None
    return Waiting(found["people"], found["over"], found["offered"], longest, limit)
