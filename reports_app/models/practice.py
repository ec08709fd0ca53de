"""A clinician's own log of practice, and with whom they share their page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from sessions_app import access
from sessions_app.models import Clinician


class PracticeQuerySet(models.QuerySet["PracticeEntry"]):
    def visible_to(self, user: Any) -> PracticeQuerySet:
        """One's own, and those of a clinician one supervises who shares them."""
        return self.filter(access.practice_of(user)).distinct()


class PracticeEntry(models.Model):
    """What was practised, for how long, and what was tried. Names no client."""

    class Skill(models.TextChoices):
        MOVING_ON = "moving_on", "the moving-on conversation"
        ENDING = "ending", "ending together"
        MEASURING = "measuring", "asking at each session"
        OTHER = "other", "something else"

    clinician = models.ForeignKey(Clinician, on_delete=models.PROTECT, related_name="practised")
    on = models.DateField()
    skill = models.CharField(max_length=10, choices=Skill.choices)
    hours = models.DecimalField(max_digits=4, decimal_places=1, default=0)
    sessions_reviewed = models.PositiveSmallIntegerField(default=0)
    tried = models.CharField(max_length=400, blank=True, default="")
    recorded_at = models.DateTimeField(auto_now_add=True)

    objects = models.Manager.from_queryset(PracticeQuerySet)()

    class Meta:
        ordering = ["-on", "-id"]
        indexes = [models.Index(fields=["clinician", "on"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(hours__gte=0, hours__lte=24), name="practice_hours_of_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.skill} on {self.on}"


class PracticeShare(models.Model):
    """A clinician lets one of their supervisors see their practice page, until they say no."""

    clinician = models.ForeignKey(
        Clinician, on_delete=models.PROTECT, related_name="practice_shares"
    )
    supervisor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="practice_shares"
    )
    shared_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["shared_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["clinician", "supervisor"],
                condition=Q(ended_at=None),
                name="one_open_share",
            )
        ]

    def __str__(self) -> str:
        return f"{self.clinician_id} with {self.supervisor_id}"
