from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from measures_app.models.administrations import Administration
from measures_app.models.flags import Flag
from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models import Client, Episode


class ItemAlert(models.Model):
    """An answer that can't wait: what a flag of kind `item` is about, and what was done.

    Who has seen it is the flag's owner. It stays until somebody says what was done.
    """

    flag = models.OneToOneField(Flag, on_delete=models.PROTECT, related_name="alert")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="+")
    administration = models.ForeignKey(
        Administration, on_delete=models.PROTECT, related_name="alerts"
    )
    items = models.JSONField()  # ids of the items at or above their threshold
    raised_at = models.DateTimeField()
    # Accounts on whose every page it stands until somebody has seen it.
    shown_to = ArrayField(models.BigIntegerField(), default=list, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    done_sealed = models.BinaryField(blank=True, default=b"")

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        ordering = ["raised_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(done_at=None, done_by=None, done_sealed=b"")
                | (Q(done_at__isnull=False, done_by__isnull=False) & ~Q(done_sealed=b"")),
                name="alert_done_says_who_when_what",
            )
        ]

    def __str__(self) -> str:
        return f"alert of {self.administration_id}"

    @property
    def done(self) -> str:
        return self.client.unseal(self.done_sealed, "alert-done")
