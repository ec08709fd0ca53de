from __future__ import annotations

from django.db import models
from django.db.models import Q

from sessions_app.models.users import User


class Webhook(models.Model):
    """An address of another system that is told of events as they happen.

    It stands for a person, as a key does: it is told what they see, and nothing before they
    agreed. `secret_sealed` signs what is sent; it lies sealed under the master key.
    """

    class Event(models.TextChoices):
        RECORDED = "score.recorded", "a new score"
        CORRECTED = "score.corrected", "a corrected score"
        VOIDED = "score.voided", "a score that doesn't count any more"
        RAISED = "flag.raised", "a flag that was raised"
        CLOSED = "flag.closed", "a flag that was decided or lapsed"

    name = models.CharField(max_length=80)
    url = models.URLField(max_length=500)
    events = models.JSONField(default=list)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="webhooks")
    handle = models.CharField(max_length=8, unique=True)
    secret_sealed = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    agreed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Since when nothing was taken, and since when it isn't tried any more for that reason.
    failing_since = models.DateTimeField(null=True, blank=True)
    rests_since = models.DateTimeField(null=True, blank=True)
    last_taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(rests_since=None) | Q(failing_since__isnull=False),
                name="webhook_rests_after_failing",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def event_words(self) -> list[str]:
        return [str(self.Event(event).label) for event in self.events]
