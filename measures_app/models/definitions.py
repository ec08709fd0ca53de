from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

AGES_IN_ORDER = Q(age_from=None) | Q(age_to=None) | Q(age_to__gte=F("age_from"))


class Measure(models.Model):
    """A measure by its code: `outcome-adult`, `phq-9`. What it asks stands in its versions."""

    class Purpose(models.TextChoices):
        OUTCOME = "outcome", "outcome"
        ALLIANCE = "alliance", "alliance"
        SYMPTOM = "symptom", "symptom"
        FUNCTIONING = "functioning", "functioning"
        RISK = "risk", "risk"

    class Rater(models.TextChoices):
        CLIENT = "client", "client"
        CARER = "carer", "carer"
        CLINICIAN = "clinician", "clinician"
        OTHER = "other", "other"

    code = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=120)
    purpose = models.CharField(max_length=12, choices=Purpose.choices)
    rater = models.CharField(max_length=10, choices=Rater.choices, default=Rater.CLIENT)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["purpose", "code"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("measure", args=[self.code])


class MeasureVersion(models.Model):
    """An immutable reading of a definition file. Equal scoring hash is one series."""

    class Better(models.TextChoices):
        HIGHER = "higher", "higher is better"
        LOWER = "lower", "lower is better"

    measure = models.ForeignKey(Measure, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveSmallIntegerField()
    definition = models.JSONField()
    source_text = models.TextField()
    checksum = models.CharField(max_length=64)
    scoring_hash = models.CharField(max_length=64)
    comparable_with = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    low = models.DecimalField(max_digits=8, decimal_places=2)
    high = models.DecimalField(max_digits=8, decimal_places=2)
    step = models.DecimalField(max_digits=6, decimal_places=2)
    better = models.CharField(max_length=6, choices=Better.choices)
    age_from = models.PositiveSmallIntegerField(null=True, blank=True)
    age_to = models.PositiveSmallIntegerField(null=True, blank=True)
    loaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["measure", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["measure", "version"], name="measure_version_once"),
            models.UniqueConstraint(fields=["measure", "checksum"], name="measure_text_once"),
            models.CheckConstraint(condition=Q(low__lt=F("high")), name="range_not_empty"),
            models.CheckConstraint(condition=AGES_IN_ORDER, name="version_ages_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.measure_id} v{self.version}"


class Wording(models.Model):
    """The words of a version in one language; every language scores the same."""

    version = models.ForeignKey(MeasureVersion, on_delete=models.PROTECT, related_name="wordings")
    language = models.CharField(max_length=8)
    text = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "language"], name="one_wording_a_language")
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.language}"


class NormRow(models.Model):
    """Published or own constants of a measure: dated, sourced, added and never edited."""

    class AtCutoff(models.TextChoices):
        CLINICAL = "clinical", "a score at the cutoff is on the clinical side"
        FUNCTIONAL = "functional", "a score at the cutoff is on the functional side"
        NEITHER = "neither", "a score at the cutoff is on neither side"

    measure = models.ForeignKey(Measure, on_delete=models.PROTECT, related_name="norms")
    population = models.CharField(max_length=120)
    country = models.CharField(max_length=40, blank=True, default="")
    age_from = models.PositiveSmallIntegerField(null=True, blank=True)
    age_to = models.PositiveSmallIntegerField(null=True, blank=True)
    mean = models.FloatField(null=True, blank=True)
    sd = models.FloatField(null=True, blank=True)
    reliability = models.FloatField(null=True, blank=True)
    cutoff = models.FloatField(null=True, blank=True)
    at_cutoff = models.CharField(
        max_length=10, choices=AtCutoff.choices, default=AtCutoff.FUNCTIONAL
    )
    reliable_change = models.FloatField(null=True, blank=True)
    rc_inclusive = models.BooleanField(default=True)
    provisional = models.CharField(max_length=200, blank=True, default="")
    source = models.TextField()
    from_on = models.DateField()
    default = models.BooleanField(default=False)
    checksum = models.CharField(max_length=64)
    added_at = models.DateTimeField(auto_now_add=True)
    # None: it came with the definition.
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["measure", "-default", "-from_on", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["measure", "checksum"], name="norm_row_once"),
            models.CheckConstraint(condition=~Q(source=""), name="norm_row_has_source"),
            models.CheckConstraint(condition=AGES_IN_ORDER, name="norm_ages_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.measure_id} {self.population}"


class MeasuresState(models.Model):
    """One row that the database gives a new mark whenever measures, norms or the plan change.

    Whoever keeps them read asks for the mark; the application may read it and nothing else.
    """

    mark = models.UUIDField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_state_of_measures")]

    def __str__(self) -> str:
        return str(self.mark)
