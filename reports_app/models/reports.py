from __future__ import annotations

from django.conf import settings
from django.db import models

from sessions_app.models import Programme


class ReportRun(models.Model):
    """One making of a report: for which period and scope, by whom, from which night.

    `scope` is `extract.Scope.name`. `changes` are the numbers that differ from the edition before;
    `cells` all counts of a published one, for the next to be held against.
    """

    kind = models.CharField(max_length=20, default="monthly")
    period = models.CharField(max_length=24)
    programme = models.ForeignKey(Programme, null=True, blank=True, on_delete=models.PROTECT)
    scope = models.CharField(max_length=240, default="clinic")
    published = models.BooleanField(default=False)
    changes = models.JSONField(default=list, blank=True)
    cells = models.JSONField(default=dict, blank=True)
    made_at = models.DateTimeField(auto_now_add=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT)
    summaries_as_of = models.DateField(null=True)
    provisional = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["period", "scope"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.period}"


class ReportEdition(models.Model):
    """A kept file of a run, downloadable again to the byte."""

    run = models.ForeignKey(ReportRun, on_delete=models.PROTECT, related_name="editions")
    format = models.CharField(max_length=4)
    content = models.BinaryField()
    checksum = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "format"], name="edition_once_a_format")
        ]

    def __str__(self) -> str:
        return f"{self.run_id}.{self.format}"
