from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import Q

from sessions_app.models.organisation import ENDS_AFTER_START, Clinician


class AbsenceQuerySet(models.QuerySet["Absence"]):
    def standing(self) -> AbsenceQuerySet:
        return self.filter(withdrawn_at=None)

    def on(self, day: date) -> AbsenceQuerySet:
        """Those in force on a day."""
        return self.standing().filter(Q(to_on=None) | Q(to_on__gte=day), from_on__lte=day)

    def during(self, from_on: date, to_on: date | None) -> AbsenceQuerySet:
        """Those that share a day with a span (without an end: from its first day on)."""
        shared = self.standing().filter(Q(to_on=None) | Q(to_on__gte=from_on))
        return shared if to_on is None else shared.filter(from_on__lte=to_on)


class Absence(models.Model):
    """A clinician is away and another stands in: dated, so that the access it gives is too."""

    clinician = models.ForeignKey(Clinician, on_delete=models.PROTECT, related_name="absences")
    cover = models.ForeignKey(Clinician, on_delete=models.PROTECT, related_name="covers")
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)
    entered_at = models.DateTimeField(auto_now_add=True)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    # It never took effect: ended before its first day.
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = models.Manager.from_queryset(AbsenceQuerySet)()

    class Meta:
        ordering = ["from_on", "id"]
        constraints = [
            models.CheckConstraint(condition=ENDS_AFTER_START, name="absence_ends_after_start"),
            models.CheckConstraint(
                condition=~Q(cover=models.F("clinician")), name="absence_covered_by_another"
            ),
        ]
        indexes = [models.Index(fields=["cover", "to_on"])]

    def __str__(self) -> str:
        return f"{self.cover_id} for {self.clinician_id} from {self.from_on}"
