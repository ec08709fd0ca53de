"""Derived rows that reports read. Deleting them and running the night gives them back."""

from __future__ import annotations

from django.db import models

from measures_app.models import ExpectedChangeModel, Measure
from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models import Client, Clinician, Episode, Programme, Site


class EpisodeSummary(models.Model):
    """One row an episode: what a report needs of it, without anything that names a person."""

    episode = models.OneToOneField(Episode, on_delete=models.CASCADE, related_name="summary")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    programme = models.ForeignKey(Programme, on_delete=models.CASCADE)
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    clinician = models.ForeignKey(Clinician, null=True, on_delete=models.CASCADE)
    purpose = models.CharField(max_length=10)
    problem = models.CharField(max_length=80, blank=True, default="")
    funder = models.CharField(max_length=80, blank=True, default="")
    gender = models.CharField(max_length=8, blank=True, default="")
    age_at_opening = models.PositiveSmallIntegerField(null=True)
    opened_on = models.DateField()
    closed_on = models.DateField(null=True)
    ending = models.CharField(max_length=16, blank=True, default="")
    first_session_on = models.DateField(null=True)
    last_session_on = models.DateField(null=True)
    attended = models.PositiveSmallIntegerField(default=0)
    no_shows = models.PositiveSmallIntegerField(default=0)
    late_cancels = models.PositiveSmallIntegerField(default=0)
    # The episode's outcome series: the longest; none with two scores is missing.
    measure = models.ForeignKey(Measure, null=True, on_delete=models.CASCADE, related_name="+")
    relation = models.CharField(max_length=10, blank=True, default="")
    collateral_raters = models.PositiveSmallIntegerField(default=0)
    scores = models.PositiveSmallIntegerField(default=0)
    mid_care = models.BooleanField(default=False)
    first_score = models.FloatField(null=True)
    last_score = models.FloatField(null=True)
    last_score_on = models.DateField(null=True)
    started_clinical = models.BooleanField(null=True)
    improvement_possible = models.BooleanField(null=True)
    # Ended episodes only; empty where the outcome is missing.
    outcome_class = models.CharField(max_length=16, blank=True, default="")
    # So far, for open episodes: never part of a rate.
    class_so_far = models.CharField(max_length=16, blank=True, default="")
    # By the reporting year's frozen model; while there is none, by the night's.
    expected_last = models.FloatField(null=True)
    reference = models.ForeignKey(
        ExpectedChangeModel, null=True, on_delete=models.PROTECT, related_name="+"
    )
    reached_expected = models.BooleanField(null=True)
    first_alliance = models.FloatField(null=True)
    as_of = models.DateField()
    # What the episode's derived rows were made from; the night leaves alone what still agrees.
    made_from = models.CharField(max_length=64, blank=True, default="")
    trajectories = models.PositiveSmallIntegerField(default=0)

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        indexes = [
            models.Index(fields=["closed_on", "programme"]),
            models.Index(fields=["opened_on", "programme"]),
            models.Index(fields=["clinician"]),
            models.Index(fields=["first_session_on"]),
        ]

    def __str__(self) -> str:
        return f"summary of {self.episode_id}"


class SessionMonth(models.Model):
    """Sessions of a month by programme, site and clinician: attendance and completeness."""

    month = models.DateField()
    programme = models.ForeignKey(Programme, on_delete=models.CASCADE)
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    clinician = models.ForeignKey(Clinician, null=True, on_delete=models.CASCADE)
    scheduled = models.PositiveIntegerField(default=0)
    attended = models.PositiveIntegerField(default=0)
    no_shows = models.PositiveIntegerField(default=0)
    late_cancels = models.PositiveIntegerField(default=0)
    clinic_cancels = models.PositiveIntegerField(default=0)
    not_seen_by_us = models.PositiveIntegerField(default=0)
    both_measures = models.PositiveIntegerField(default=0)
    minutes = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["month", "programme", "site", "clinician"], name="session_month_once"
            )
        ]
        indexes = [models.Index(fields=["month", "programme"])]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.programme_id}"


class KeptFigures(models.Model):
    """What a report says of a scope, with the moment it was counted at.

    `of` is a period as written ("2026-03"), with what is said of it where that isn't the month's
    report ("2026-03 flow source"), or another thing that the night counts; `scope` is
    `extract.Scope.key`. `stale` once something has changed that it is made of: to be counted again.
    """

    of = models.CharField(max_length=160)
    scope = models.CharField(max_length=120, blank=True, default="")
    content = models.JSONField()
    made_at = models.DateTimeField()
    stale = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["of", "scope"], name="figures_once")]

    def __str__(self) -> str:
        return f"{self.of} {self.scope}"


class TouchedMonth(models.Model):
    """A month of which something changed since it was last counted: by triggers, and the summaries.

    Whoever changes a session, its meeting or a score, and by whichever way, leaves a row in the
    same transaction. Rows may repeat: nobody waits for anybody to write one. Where `sessions` is
    false, its sessions are counted already, or only episodes that began or ended in the month read
    differently. `entered` sessions took place, and nobody had said so before.
    """

    month = models.DateField()
    sessions = models.BooleanField(default=True, db_default=True)
    entered = models.PositiveIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
