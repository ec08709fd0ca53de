from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from sessions_app.models.organisation import ENDS_AFTER_START, Clinician


class CrisisText(models.Model):
    """What a client reads at once after an answer that can't wait, in one language.

    The newest of a language counts; what clients read before stays.
    """

    language = models.CharField(max_length=8)
    text = models.TextField(max_length=1000)
    set_at = models.DateTimeField(auto_now_add=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["language", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="crisis_text_says_something")
        ]

    def __str__(self) -> str:
        return f"crisis text ({self.language})"


class DutyTurn(models.Model):
    """Who is on duty for answers that nobody else took up, from when to when."""

    clinician = models.ForeignKey(Clinician, on_delete=models.PROTECT, related_name="duty_turns")
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)
    set_at = models.DateTimeField(auto_now_add=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["from_on", "id"]
        constraints = [
            models.CheckConstraint(condition=ENDS_AFTER_START, name="duty_ends_after_start")
        ]

    def __str__(self) -> str:
        return f"{self.clinician_id} on duty from {self.from_on}"
