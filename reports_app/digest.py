"""The weekly mail to each clinician and supervisor: counts and links, no client's name or code.

Promised once a person and week as an outbox row, counted in the person's own scope when it is
sent, and sent by the worker. A repeat is possible only between sending and its acknowledgement;
it carries the row's own Message-ID, by which mail programs fold the two into one.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from measures_app import followups
from reports_app.noticed import GOOD_NEWS
from reports_app.queue import live_flags
from sessions_app import clinic_time, mail, outbox, rights, selectors
from sessions_app.context import acting_as, system
from sessions_app.models import Absence, Clinician, Outbox, User

KIND = "weekly digest"


def week_of(day: date) -> str:
    """A week's name in ISO 8601: `2026-W48`."""
    year, week, _weekday = day.isocalendar()
    return f"{year}-W{week:02}"


@dataclass(frozen=True)
class Counts:
    """What waits for a person: numbers of clients, but `unsaid`, which counts sessions."""

    talk: int = 0  # worth a conversation
    nobodys: int = 0  # of them, with nobody's name on it
    mine: int = 0  # taken up by or handed to this person
    good: int = 0
    due: int = 0  # decisions to look at again by the end of the week
    unsaid: int = 0  # past sessions of which nobody said whether the client came
    covered: int = 0  # colleagues for whom this person stands in by the end of the week

    def __bool__(self) -> bool:
        return any(astuple(self))


def counts_of(user: User) -> Counts:
    """The numbers in the person's own scope; call as that person."""
    today = clinic_time.today()
    live = live_flags(user).awake(today)
    asks = live.exclude(rule=GOOD_NEWS)

    def clients(rows: Any) -> int:
        return int(rows.values("client").distinct().count())

    talk = clients(asks)
    clinician = getattr(user, "clinician", None)
    unsaid = selectors.unconfirmed(user, today).filter(meeting__clinicians=clinician)
    return Counts(
        talk=talk,
        nobodys=talk - clients(asks.filter(owner__isnull=False)),
        mine=clients(live.filter(owner=user)),
        good=clients(live.filter(rule=GOOD_NEWS).exclude(client__in=asks.values("client"))),
        due=followups.due_reviews(user, today + timedelta(days=6)).count(),
        unsaid=unsaid.count() if clinician is not None else 0,
        covered=_covered(clinician, today),
    )


def _covered(clinician: Clinician | None, today: date) -> int:
    rows = Absence.objects.during(today, today + timedelta(days=6)).filter(cover=clinician)
    return rows.values("clinician").distinct().count() if clinician is not None else 0


def text_of(counts: Counts) -> str:
    """The mail's words, in the language that is active."""
    lines = []
    if counts.talk:
        words = ngettext(
            "%(n)d client worth a conversation, %(nobody)d with nobody yet",
            "%(n)d clients worth a conversation, %(nobody)d with nobody yet",
            counts.talk,
        )
        lines.append(words % {"n": counts.talk, "nobody": counts.nobodys})
    if counts.mine:
        lines.append(ngettext("%d case is yours", "%d cases are yours", counts.mine) % counts.mine)
    if counts.good:
        words = ngettext(
            "%d client may be ready to finish", "%d clients may be ready to finish", counts.good
        )
        lines.append(words % counts.good)
    if counts.due:
        words = ngettext(
            "%d decision to look at again this week",
            "%d decisions to look at again this week",
            counts.due,
        )
        lines.append(words % counts.due)
    parts = []
    if lines:
        parts.append("\n".join(f"- {line}" for line in lines))
        parts.append(mail.address_of("review"))
    if counts.unsaid:
        words = ngettext(
            "- %d past session of which it isn't said yet whether the client came",
            "- %d past sessions of which it isn't said yet whether the client came",
            counts.unsaid,
        )
        parts += [words % counts.unsaid, mail.address_of("today")]
    if counts.covered:
        words = ngettext(
            "- you stand in for %d colleague this week",
            "- you stand in for %d colleagues this week",
            counts.covered,
        )
        parts += [words % counts.covered, mail.address_of("absences")]
    parts.append(
        _("Nobody is named in this mail. You can turn it off here: %s")
        % mail.address_of("my_messages")
    )
    return "\n\n".join(parts) + "\n"


def _wants(user: User) -> bool:
    return user.is_active and user.weekly_digest and rights.may(user, "see_clinical")


def promise(day: date) -> int:
    """Write the week's outbox rows, one a person who wants it; a second call adds none."""
    if not mail.is_set_up():
        return 0
    week, count = week_of(day), 0
    with acting_as(system("digest")):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('weekly digest'))")
        rows = Outbox.objects.filter(kind=KIND, payload__week=week)
        promised = set(rows.values_list("payload__user", flat=True))
        for user in User.objects.filter(is_active=True, weekly_digest=True).order_by("pk"):
            if user.pk not in promised and _wants(user):
                outbox.promise(KIND, {"user": user.pk, "week": week})
                count += 1
    return count


def send(user_id: int, week: str, message_id: Any) -> None:
    """Count and send; nothing where nothing waits, it was turned off, or the week is over."""
    user = User.objects.select_related("clinician").filter(pk=user_id).first()
    if user is None or not _wants(user) or week != week_of(clinic_time.today()):
        return
    with acting_as(user), translation.override(user.language):
        counts = counts_of(user)
        if not counts:
            return
        subject, text = _("Your week"), text_of(counts)
    mail.send(to=user.email, subject=subject, text=text, message_id=message_id)
