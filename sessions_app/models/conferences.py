"""A team's case conference: which cases, in which order, for how long, and who presents."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from sessions_app import access
from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models.care import Episode
from sessions_app.models.clients import Client


class ConferenceQuerySet(models.QuerySet["CaseConference"]):
    def visible_to(self, user: Any) -> ConferenceQuerySet:
        """Those the person called or is asked to, and those with a case in their scope."""
        return self.filter(access.conferences_of(user)).distinct()


class CaseConference(models.Model):
    """A talk of several people about several cases. It names no client: its cases do."""

    held_on = models.DateField()
    called_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="conferences_called"
    )
    people = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="conferences"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = models.Manager.from_queryset(ConferenceQuerySet)()

    class Meta:
        ordering = ["-held_on", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by=None)
                | Q(ended_at__isnull=False, ended_by__isnull=False),
                name="conference_end_says_who_when",
            )
        ]

    def __str__(self) -> str:
        return f"conference on {self.held_on}"

    def get_absolute_url(self) -> str:
        return reverse("conference", args=[self.pk])

    @property
    def is_over(self) -> bool:
        return self.ended_at is not None


class ConferenceCase(models.Model):
    """One case on a conference's agenda; seen by those in whose scope the case lies."""

    conference = models.ForeignKey(CaseConference, on_delete=models.PROTECT, related_name="cases")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    place = models.PositiveIntegerField()
    minutes = models.PositiveSmallIntegerField(default=10)
    presenter = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        ordering = ["place", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conference", "episode"], name="case_once_a_conference"
            ),
            models.CheckConstraint(
                condition=Q(minutes__gte=1, minutes__lte=120), name="conference_case_minutes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.episode_id} at {self.conference_id}"
