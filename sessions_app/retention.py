"""How long a client's identity is kept: rules by programme, and whom they reach when.

A rule counts from the day the last episode ended. A client of several programmes is kept by the
longest; one with an open episode or referral, a restriction, or an episode in a programme without
a rule is kept. What goes is the identity (actions.erase_identity); scores stay, without a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sessions_app.models import Client, Episode, Referral, Restriction, RetentionRule


@dataclass(frozen=True)
class Due:
    """A client whose identity goes on a day."""

    client_id: int
    code: str
    on: date


def rules(set_before: date = date.max) -> dict[int, int]:
    """Years by programme, of the rules in force that were set before a day."""
    found = RetentionRule.objects.filter(to_on=None, from_on__lt=set_before)
    return dict(found.values_list("programme", "years"))


def years_after(day: date, years: int) -> date:
    """The same day some years on; a leap day's is 1 March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def due_until(day: date, *, set_before: date = date.max) -> list[Due]:
    """Whom the rules reach up to a day, the earliest first; call as the system."""
    years = rules(set_before)
    if not years:
        return []
    kept = set(Episode.objects.filter(closed_on=None).values_list("client", flat=True))
    kept |= set(Episode.objects.exclude(programme__in=years).values_list("client", flat=True))
    kept |= set(Referral.objects.filter(outcome="").values_list("client", flat=True))
    kept |= set(Restriction.objects.filter(to_on=None).values_list("client", flat=True))
    ends: dict[int, date] = {}
    for client, programme, closed_on in Episode.objects.filter(
        closed_on__isnull=False, programme__in=years
    ).values_list("client", "programme", "closed_on"):
        on = years_after(closed_on, years[programme])
        ends[client] = max(on, ends.get(client, on))
    reached = {client: on for client, on in ends.items() if on <= day and client not in kept}
    codes = Client.objects.filter(pk__in=reached, key__destroyed_at=None).values_list("pk", "code")
    return sorted(
        (Due(pk, code, reached[pk]) for pk, code in codes), key=lambda due: (due.on, due.code)
    )
