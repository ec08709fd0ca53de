"""Who is referred, from when to when they wait, and what came of it."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from sessions_app import access
from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models.care import Episode
from sessions_app.models.clients import Client
from sessions_app.models.organisation import Programme, Site


class ReferralQuerySet(ScopedQuerySet["Referral"]):
    """A referral waits before there is an episode, so its scope is the programme's at a site."""

    def visible_to(self, user: Any) -> ReferralQuerySet:
        """Those that became an episode in clinical scope."""
        return self.filter(access.referrals_of(user, desk=False))

    def registered_to(self, user: Any) -> ReferralQuerySet:
        """Those, and what waits at the desk's sites."""
        return self.filter(access.referrals_of(user))

    def waiting(self) -> ReferralQuerySet:
        return self.filter(outcome="")


class Referral(models.Model):
    """One asking for care. Whoever is referred is a client from that day, in care or not yet.

    First seen is read from the episode's sessions and stands in no column.
    """

    class Source(models.TextChoices):
        NOT_RECORDED = "", _("not recorded")
        SELF = "self", _("the client")
        FAMILY = "family", _("family or friends")
        DOCTOR = "doctor", _("family doctor")
        HOSPITAL = "hospital", _("hospital")
        SCHOOL = "school", _("school")
        SOCIAL = "social", _("social services")
        COURT = "court", _("court or probation")
        EMPLOYER = "employer", _("employer")
        WITHIN = "within", _("another programme here")
        OTHER = "other", _("another service")

    class Outcome(models.TextChoices):
        WAITING = "", _("waits")
        ACCEPTED = "accepted", _("care begins")
        DECLINED = "declined", _("declined what was offered")
        WITHDRAWN = "withdrawn", _("withdrawn")
        NOT_REACHED = "not_reached", _("could not be reached")
        ELSEWHERE = "elsewhere", _("sent on to somebody else")

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="referrals")
    programme = models.ForeignKey(Programme, on_delete=models.PROTECT, related_name="+")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=10, blank=True, default="", choices=Source.choices)
    funder = models.CharField(max_length=80, blank=True, default="")
    received_on = models.DateField()
    # The day on which a first appointment was offered.
    first_offer_on = models.DateField(null=True, blank=True)
    outcome = models.CharField(max_length=12, blank=True, default="", choices=Outcome.choices)
    outcome_on = models.DateField(null=True, blank=True)
    episode = models.OneToOneField(
        Episode, null=True, blank=True, on_delete=models.PROTECT, related_name="referral"
    )
    recorded_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedManager.from_queryset(ReferralQuerySet)()

    class Meta:
        ordering = ["received_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(first_offer_on=None) | Q(first_offer_on__gte=F("received_on")),
                name="offer_after_referral",
            ),
            models.CheckConstraint(
                condition=Q(outcome_on=None) | Q(outcome_on__gte=F("received_on")),
                name="outcome_after_referral",
            ),
            models.CheckConstraint(
                condition=Q(outcome="", outcome_on=None) | (~Q(outcome="") & ~Q(outcome_on=None)),
                name="referral_outcome_says_when",
            ),
            models.CheckConstraint(
                condition=Q(outcome="accepted", episode__isnull=False)
                | (~Q(outcome="accepted") & Q(episode=None)),
                name="accepted_referral_has_an_episode",
            ),
            models.UniqueConstraint(
                fields=["client", "programme"],
                condition=Q(outcome=""),
                name="waits_once_for_a_programme",
            ),
        ]
        indexes = [
            models.Index(fields=["received_on"]),
            models.Index(fields=["outcome_on"]),
            models.Index(fields=["first_offer_on"]),
            # Who waits, and who left without being seen: few among all who ever came.
            models.Index(
                fields=["client"], condition=Q(episode=None), name="referral_without_episode"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client_id} to {self.programme_id} on {self.received_on}"

    def get_absolute_url(self) -> str:
        return reverse("referral", args=[self.pk])

    @property
    def waits(self) -> bool:
        return self.outcome == ""

    def days_waited(self, until: date) -> int:
        return (until - self.received_on).days
