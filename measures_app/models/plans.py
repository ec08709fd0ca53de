from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from measures_app.models.definitions import Measure
from sessions_app.models import Programme, Respondent


class MeasurePlan(models.Model):
    """A line of the clinic's plan from a day on: which measure, of whom, how often.

    Never edited: a change is a later row with the same `key`, and what was asked last year stays
    readable. Without a measure the line asks for a purpose, and age decides the variant.
    """

    class Rhythm(models.TextChoices):
        EACH = "each", "each session"
        NTH = "nth", "every nth session"
        ENDS = "ends", "first and last session"
        MONTHLY = "monthly", "once a month"
        DAYS = "days", "at most once in n days, in all programmes together"
        NEVER = "never", "not asked"

    key = models.CharField(max_length=40)
    from_on = models.DateField()
    withdrawn = models.BooleanField(default=False)
    programme = models.ForeignKey(Programme, null=True, blank=True, on_delete=models.PROTECT)
    measure = models.ForeignKey(Measure, null=True, blank=True, on_delete=models.PROTECT)
    purpose = models.CharField(
        max_length=12, blank=True, default="", choices=Measure.Purpose.choices
    )
    relation = models.CharField(
        max_length=10, choices=Respondent.Relation.choices, default=Respondent.Relation.SELF
    )
    rhythm = models.CharField(max_length=8, choices=Rhythm.choices, default=Rhythm.EACH)
    every = models.PositiveSmallIntegerField(null=True, blank=True)
    age_from = models.PositiveSmallIntegerField(null=True, blank=True)
    age_to = models.PositiveSmallIntegerField(null=True, blank=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    set_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["from_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=(Q(measure=None) & ~Q(purpose=""))
                | (Q(measure__isnull=False) & Q(purpose="")),
                name="plan_asks_for_a_measure_or_a_purpose",
            ),
            models.CheckConstraint(
                condition=Q(rhythm__in=["nth", "days"], every__gte=1)
                | (~Q(rhythm__in=["nth", "days"]) & Q(every=None)),
                name="plan_says_every_how_many",
            ),
            models.CheckConstraint(
                condition=Q(age_from=None) | Q(age_to=None) | Q(age_from__lte=models.F("age_to")),
                name="plan_ages_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} from {self.from_on}"
