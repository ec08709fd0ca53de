"""What a month's report says that no session tells: entered for the clinic, never per person."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class MonthlyEntry(models.Model):
    """Counts and words entered for a month. A correction is a new row; the newest counts."""

    month = models.DateField()
    complaints = models.PositiveIntegerField(null=True, blank=True)
    vacancies = models.PositiveIntegerField(null=True, blank=True)
    leavers = models.PositiveIntegerField(null=True, blank=True)
    sick_days = models.PositiveIntegerField(null=True, blank=True)
    changed = models.TextField(blank=True, default="")
    entered_at = models.DateTimeField(auto_now_add=True)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-month", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(month__day=1), name="monthly_entry_is_of_a_month"
            )
        ]
        indexes = [models.Index(fields=["month"])]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ContractTarget(models.Model):
    """What a funder's contract asks of a metric, from a day on; the past stays."""

    funder = models.CharField(max_length=80)
    metric = models.CharField(max_length=40)
    value = models.FloatField()
    from_on = models.DateField()
    set_at = models.DateTimeField(auto_now_add=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["funder", "metric", "from_on", "id"]

    def __str__(self) -> str:
        return f"{self.funder}: {self.metric} {self.value:g}"
