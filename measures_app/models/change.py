from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from measures_app.models.definitions import Measure
from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models import Client, Episode, Respondent


class ExpectedChangeModel(models.Model):
    """A fitted expected-change model: an immutable row that trajectories and flags name."""

    class Label(models.TextChoices):
        PRIOR = "published prior", "published prior"
        PROVISIONAL = "provisional", "provisional"
        OWN = "own data", "own data"

    measure = models.ForeignKey(Measure, on_delete=models.PROTECT, related_name="models")
    relation = models.CharField(max_length=10, default="self")
    stratum = models.CharField(max_length=80, blank=True, default="")
    label = models.CharField(max_length=60)
    cutoff_on = models.DateField()
    clients = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    parameters = models.JSONField()
    code_version = models.CharField(max_length=40)
    checksum = models.CharField(max_length=64)
    reference_year = models.PositiveSmallIntegerField(null=True, blank=True)
    fitted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["measure", "relation", "stratum", "checksum"], name="model_once"
            ),
            models.UniqueConstraint(
                fields=["measure", "relation", "stratum", "reference_year"],
                condition=models.Q(reference_year__isnull=False),
                name="one_reference_model_a_year",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.measure_id} {self.label}"


class StoppingModel(models.Model):
    """The chance that four weeks bring no session, for the whole clinic: an immutable row.

    `parameters` are the model's own, and under `held_out` how its chances came true for episodes
    that it hadn't seen.
    """

    label = models.CharField(max_length=60)
    cutoff_on = models.DateField()
    episodes = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    stops = models.PositiveIntegerField()  # episodes that went four weeks without a session
    parameters = models.JSONField()
    code_version = models.CharField(max_length=40)
    checksum = models.CharField(max_length=64)
    fitted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.label


class Trajectory(models.Model):
    """Derived: a series as read with the model it names. Replaced only by one of newer input.

    Arrays run over sessions: `t`/`scores` are those seen, `expected_t` and the three arrays
    beside it the expected response from this start, `forecast_*` what follows the last score.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="trajectories")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="trajectories")
    measure = models.ForeignKey(Measure, on_delete=models.PROTECT)
    respondent = models.ForeignKey(Respondent, on_delete=models.PROTECT)
    # "" for the measure's first scoring, "v3" where a later version began a series of its own.
    variant = models.CharField(max_length=8, blank=True, default="")
    model = models.ForeignKey(
        ExpectedChangeModel, null=True, on_delete=models.PROTECT, related_name="trajectories"
    )
    as_of = models.DateField()
    newest_input_at = models.DateTimeField()
    input_hash = models.CharField(max_length=64)
    mid_care = models.BooleanField(default=False)
    t = ArrayField(models.PositiveSmallIntegerField())
    dates = ArrayField(models.DateField())
    scores = ArrayField(models.FloatField())
    expected_t = ArrayField(models.PositiveSmallIntegerField(), default=list)
    expected_mean = ArrayField(models.FloatField(), default=list)
    expected_low80 = ArrayField(models.FloatField(), default=list)
    expected_high80 = ArrayField(models.FloatField(), default=list)
    forecast_t = ArrayField(models.PositiveSmallIntegerField(), default=list)
    forecast_mean = ArrayField(models.FloatField(), default=list)
    forecast_low80 = ArrayField(models.FloatField(), default=list)
    forecast_high80 = ArrayField(models.FloatField(), default=list)
    standing = models.CharField(max_length=24, blank=True, default="")
    change_class = models.CharField(max_length=16, blank=True, default="")
    probabilities = models.JSONField(default=dict)
    computed_at = models.DateTimeField(auto_now=True)

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["episode", "measure", "variant", "respondent"],
                name="one_trajectory_a_series",
            )
        ]

    def __str__(self) -> str:
        return f"{self.episode_id} {self.measure_id}"
