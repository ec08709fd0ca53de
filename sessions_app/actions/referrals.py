"""Somebody is referred, waits, is offered a first appointment, and care begins or doesn't."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from sessions_app import audit, clinic_time, rights
from sessions_app.actions.care import open_episode
from sessions_app.atomic import action
from sessions_app.models import Client, Clinician, Episode, Programme, Referral, Site

LEFT = (
    Referral.Outcome.DECLINED,
    Referral.Outcome.WITHDRAWN,
    Referral.Outcome.NOT_REACHED,
    Referral.Outcome.ELSEWHERE,
)


def _long(day: date) -> str:
    return date_format(day, "j F Y")


def _not_ahead(day: date, field: str) -> None:
    if day > clinic_time.today():
        raise ValidationError({field: _("That day lies in the future.")})


def _not_before(referral: Referral, day: date, field: str) -> None:
    if day < referral.received_on:
        raise ValidationError(
            {field: _("The referral came on %s, after that day.") % _long(referral.received_on)}
        )


def _waiting(referral: Referral) -> Referral:
    """The row, held; what came of it is said once."""
    found = (
        Referral.objects.select_for_update(of=("self",))
        .select_related("client__key", "programme", "site")
        .get(pk=referral.pk)
    )
    if not found.waits:
        raise ValidationError(
            _("What came of this referral was recorded already: %(what)s, on %(day)s.")
            % {"what": found.get_outcome_display(), "day": _long(found.outcome_on or date.min)}
        )
    return found


@action
def receive_referral(
    *,
    client: Client,
    programme: Programme,
    received_on: date,
    by: Any,
    source: str = "",
    site: Site | None = None,
    funder: str = "",
) -> Referral:
    """Somebody asks for care, or another asks for them: from this day they wait."""
    rights.require(by, "register_clients")
    _not_ahead(received_on, "received_on")
    if source not in Referral.Source.values:
        raise ValidationError({"source": _("Choose who referred.")})
    if client.deceased_on is not None or client.episodes.filter(ending=Episode.Ending.DIED):
        raise ValidationError({"client": _("This client has died.")})
    already = {"programme": _("%s waits for this programme already.") % client.code}
    try:
        with transaction.atomic():
            referral = Referral.objects.create(
                client=client,
                programme=programme,
                site=site or client.site,
                source=source,
                funder=funder.strip(),
                received_on=received_on,
            )
    except IntegrityError:
        raise ValidationError(already) from None
    audit.record(
        "referral received", subject_kind="client", subject=client.code, by=by, source=source
    )
    return referral


@action
def offer_first(*, referral: Referral, on: date, by: Any) -> Referral:
    """A first appointment was offered on a day; while they wait the day may be put right."""
    rights.require(by, "register_clients")
    referral = _waiting(referral)
    _not_ahead(on, "on")
    _not_before(referral, on, "on")
    before = referral.first_offer_on
    referral.first_offer_on = on
    referral.save(update_fields=["first_offer_on"])
    audit.record(
        "first appointment offered",
        subject_kind="client",
        subject=referral.client.code,
        by=by,
        before=before.isoformat() if before else None,
        on=on.isoformat(),
    )
    return referral


@action
def accept_referral(
    *,
    referral: Referral,
    opened_on: date,
    by: Any,
    lead: Clinician | None = None,
    purpose: str = Episode.Purpose.CHANGE,
) -> Episode:
    """Care begins: the referral ends with an episode in the programme it was for."""
    rights.require(by, "register_clients")
    referral = _waiting(referral)
    _not_before(referral, opened_on, "opened_on")
    if referral.first_offer_on is not None and opened_on < referral.first_offer_on:
        raise ValidationError(
            {
                "opened_on": _("A first appointment was offered on %s, after that day.")
                % _long(referral.first_offer_on)
            }
        )
    episode = open_episode(
        client=referral.client,
        programme=referral.programme,
        site=referral.site,
        opened_on=opened_on,
        lead=lead,
        purpose=purpose,
        purpose_agreed_on=opened_on,
        funder=referral.funder,
        by=by,
    )
    referral.episode = episode
    _end(referral, Referral.Outcome.ACCEPTED, opened_on, by)
    return episode


@action
def close_referral(*, referral: Referral, outcome: str, on: date, by: Any) -> Referral:
    """Nobody is seen: declined, withdrawn, not reached, or sent on to somebody else."""
    rights.require(by, "register_clients")
    referral = _waiting(referral)
    if outcome not in LEFT:
        raise ValidationError({"outcome": _("Say what came of it.")})
    _not_ahead(on, "on")
    _not_before(referral, on, "on")
    if outcome == Referral.Outcome.DECLINED and referral.first_offer_on is None:
        raise ValidationError(
            {"outcome": _("Nothing was offered yet: record the offer first, or say withdrawn.")}
        )
    _end(referral, outcome, on, by)
    return referral


def _end(referral: Referral, outcome: str, on: date, by: Any) -> None:
    referral.outcome, referral.outcome_on = outcome, on
    referral.save(update_fields=["outcome", "outcome_on", "episode"])
    audit.record(
        "referral ended",
        subject_kind="client",
        subject=referral.client.code,
        by=by,
        outcome=outcome,
        on=on.isoformat(),
    )
