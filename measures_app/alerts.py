"""Answers that can't wait: whom they reach, in which order, and what stands ready before.

An alert reaches the lead clinician at once, or who stands in while they are away. Until somebody
says they have seen it, it passes on after each of the clinic's set times: to the others who treat
the client, to the supervisors, to whoever is on duty, who is then told again and again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from measures_app.measures import definition_of
from measures_app.models import Flag, ItemAlert
from sessions_app import absences, access, clinic_time, mail, safety, texting
from sessions_app.models import Assignment, Clinician, Episode, Respondent, User
from sessions_app.prepared import Prepared

RULE = "item_alert"
KIND = "item_alert"  # of the outbox; then a row a channel and person
SCREEN, MAIL, TEXT = "item_alert_screen", "item_alert_mail", "item_alert_text"
CLINICIAN, COVER, SUPERVISOR, DUTY = "clinician", "cover", "supervisor", "duty"
CHAIN = (CLINICIAN, COVER, SUPERVISOR, DUTY)


def _at_work(assignments: Any, episode: Episode) -> list[User]:
    """Accounts of those who treat, or of who stands in for them today and may see the client."""
    treating = Clinician.objects.filter(assignments__in=assignments).select_related("user")
    there = list(treating.distinct().order_by("pk"))
    away = absences.on(there)
    users = []
    for clinician in there:
        stands_in = away[clinician.pk].cover.user if clinician.pk in away else None
        if stands_in is not None and _may_see(stands_in, episode):
            users.append(stands_in)
        elif clinician.user is not None and clinician.user.is_active:
            users.append(clinician.user)
    return list(dict.fromkeys(users))


def _may_see(user: User, episode: Episode) -> bool:
    return access.people_seeing(episode).filter(pk=user.pk).exists()


def reached(episode: Episode, part: str) -> list[User]:
    """Whom an alert reaches as this link of the chain, today; call as the system.

    Who is away is reached as who stands in for them, from the first link on.
    """
    today = clinic_time.today()
    if part == DUTY:
        duty = safety.on_duty(today)
        return [duty.user] if duty else []
    now = Assignment.objects.filter(
        Q(to_on=None) | Q(to_on__gte=today), episode=episode, from_on__lte=today
    ).exclude(part=Assignment.Part.DUTY)
    leads = now.filter(part=Assignment.Part.LEAD)
    if part == CLINICIAN:
        return _at_work(leads, episode)
    if part == COVER:
        return _at_work(now.exclude(part=Assignment.Part.LEAD), episode)
    return list(
        User.objects.filter(
            Q(supervisions__to_on=None) | Q(supervisions__to_on__gte=today),
            supervisions__clinician__assignments__in=leads,
            supervisions__from_on__lte=today,
            is_active=True,
        )
        .distinct()
        .order_by("pk")
    )


def what_is_lacking(respondent: Respondent, *, attended: bool) -> str:
    """Why a measure with an alert item isn't put on a device yet; empty when it may be.

    In the room the crisis text is enough. Unattended, somebody must be on duty as well: nobody
    reads the answer at once.
    """
    if not safety.crisis_text(respondent.language):
        return _("the clinic has no crisis text in this language")
    if not attended and safety.on_duty() is None:
        return _("nobody is on duty for answers that can't wait")
    return ""


@dataclass(frozen=True)
class Answered:
    """An answer at or above its threshold, in words."""

    label: str
    answer: str


@dataclass(frozen=True)
class Shown:
    """An alert as a page shows it."""

    alert: ItemAlert
    answers: list[Answered]

    @property
    def flag(self) -> Flag:
        return self.alert.flag

    @property
    def title(self) -> str:
        return str(self.alert.administration.measure.title)


def _answers_of(alert: ItemAlert) -> list[Answered]:
    row = alert.administration
    definition = definition_of(row.version)
    words = definition.words("en").get("items", {})
    found = []
    for item in definition.items:
        if item.id not in alert.items:
            continue
        text = words.get(item.id, {})
        given = float((row.answers or {})[item.id])
        labels = dict(zip(item.choices or (), text.get("choices") or (), strict=False))
        answer = f"{labels[given]} ({given:g})" if given in labels else f"{given:g}"
        found.append(Answered(text.get("label", item.id), answer))
    return found


def shown(alert: ItemAlert) -> Shown:
    return Shown(alert, _answers_of(alert))


_UNDONE = Prepared(
    lambda _none: (
        ItemAlert.objects.filter(done_at=None)
        .exclude(episode__ending=Episode.Ending.DIED)
        .values_list("pk", "episode")
    )
)


def waiting(user: Any, episode: Episode | None = None) -> list[Shown]:
    """Alerts in someone's clinical scope about which nobody has said what was done."""
    # Row-level security says what is in scope; a page without an alert asks nothing more.
    found = [pk for pk, of in _UNDONE.always() if episode is None or of == episode.pk]
    if not found:
        return []
    rows = ItemAlert.objects.visible_to(user).filter(pk__in=found)
    return [shown(row) for row in rows.select_related(*NEEDED).order_by("raised_at", "pk")]


NEEDED = (
    "flag__owner", "client__identity", "client__key", "episode",
    "administration__session", "administration__measure", "administration__version",
    "administration__respondent",
)  # fmt: skip


def has_answered_so(session_id: int, respondent: Respondent) -> bool:
    """Whether this person gave such an answer at this session; call as the system."""
    return ItemAlert.objects.filter(
        administration__session=session_id, administration__respondent=respondent
    ).exists()


def is_unseen(alert: ItemAlert) -> bool:
    """Whether somebody is still to be told: nobody has seen it, and the client lives."""
    if alert.done_at is not None or alert.flag.owner_id is not None:
        return False
    return alert.episode.ending != Episode.Ending.DIED


def channels_of(user: User) -> list[str]:
    """By which ways in use a person is told; each is an outbox row of its own."""
    return [SCREEN, MAIL, *([TEXT] if texting.is_set_up() and user.alert_phone else [])]


_UNSEEN = Prepared(
    lambda _none: (
        ItemAlert.objects.filter(done_at=None, flag__owner=None)
        .exclude(episode__ending=Episode.Ending.DIED)
        .values_list("pk", "shown_to")
    )
)


def shown_on_pages(user: Any) -> list[int]:
    """Alerts that stand on each of this person's pages, until somebody has seen them."""
    # Row-level security says what is in scope; a page without an alert asks nothing more.
    found = [pk for pk, people in _UNSEEN.always() if user.pk in people]
    if not found:
        return []
    mine = ItemAlert.objects.visible_to(user).filter(pk__in=found)
    return list(mine.order_by("raised_at", "pk").values_list("pk", flat=True))


def text_about(alert: ItemAlert, user: User, message_id: Any) -> None:
    """As the mail, in one text message."""
    if not is_unseen(alert):
        return
    with translation.override(user.language):
        words = _("An answer asks for a reply at once: %s") % mail.address_of("alert", alert.pk)
    texting.send(to=user.alert_phone, text=words, message_id=message_id)


def mail_about(alert: ItemAlert, user: User, message_id: Any) -> None:
    """Tell one person that an answer waits: no name, no code, no answer; unless it was seen."""
    if not is_unseen(alert):
        return
    mail.send(
        to=user.email,
        subject=_("An answer asks for a reply at once"),
        text=_(
            "A client gave an answer that can't wait. Please open it now and say that you have "
            "seen it; until somebody does, it is passed on.\n\n%(address)s\n"
        )
        % {"address": mail.address_of("alert", alert.pk)},
        message_id=message_id,
    )


def next_parts(episode: Episode) -> Iterable[str]:
    """Links of the chain at which somebody is reached, in order."""
    return [part for part in CHAIN if reached(episode, part)]
