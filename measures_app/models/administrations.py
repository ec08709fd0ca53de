from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from measures_app.models.definitions import Measure, MeasureVersion, NormRow
from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models import Client, Episode, Respondent, Session


class AdministrationQuerySet(ScopedQuerySet["Administration"]):
    def current(self) -> AdministrationQuerySet:
        return self.filter(superseded_at=None, voided=False)

    def scored(self) -> AdministrationQuerySet:
        return self.current().filter(total__isnull=False)


class Administration(models.Model):
    """A measure asked once of one respondent: answers and total, or why it wasn't taken.

    Never edited: a correction is a new row that supersedes this one; a voided row stands with
    who voided it, when and why. `known_on` is the day from which the clinic could know it.
    """

    class Provenance(models.TextChoices):
        OWN_DEVICE = "own_device", "own device"
        CLINIC_TABLET = "clinic_tablet", "clinic tablet"
        PAPER = "paper", "typed by the clinician from paper"
        IMPORT = "import", "imported"
        API = "api", "by another system"

    class Manner(models.TextChoices):
        UNKNOWN = "", "not recorded"
        ALONE = "alone", "alone"
        READ_ALOUD = "read_aloud", "read aloud"
        INTERPRETER = "interpreter", "through an interpreter"

    class NotTaken(models.TextChoices):
        TAKEN = "", "taken"
        DECLINED = "declined", "declined"
        TOO_DISTRESSED = "too_distressed", "too distressed"
        NO_TIME = "no_time", "no time"
        NO_LANGUAGE = "no_language", "no suitable language"
        NOT_ASKED = "not_asked", "not asked"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="administrations")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="administrations")
    session = models.ForeignKey(
        Session, null=True, blank=True, on_delete=models.PROTECT, related_name="administrations"
    )
    respondent = models.ForeignKey(Respondent, on_delete=models.PROTECT)
    measure = models.ForeignKey(Measure, on_delete=models.PROTECT)
    version = models.ForeignKey(MeasureVersion, on_delete=models.PROTECT)
    norm = models.ForeignKey(NormRow, null=True, blank=True, on_delete=models.PROTECT)
    language = models.CharField(max_length=8, blank=True, default="")
    provenance = models.CharField(max_length=14, choices=Provenance.choices)
    manner = models.CharField(max_length=12, blank=True, default="", choices=Manner.choices)
    answers = models.JSONField(null=True, blank=True)
    total = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)
    subscales = models.JSONField(null=True, blank=True)
    prorated = models.BooleanField(default=False)
    not_taken = models.CharField(max_length=16, blank=True, default="", choices=NotTaken.choices)
    taken_at = models.DateTimeField()
    taken_on = models.DateField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    known_on = models.DateField()
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    age_years = models.PositiveSmallIntegerField(null=True, blank=True)
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )
    correction_reason_sealed = models.BinaryField(blank=True, default=b"")
    superseded_at = models.DateTimeField(null=True, blank=True)
    voided = models.BooleanField(default=False)
    voided_at = models.DateTimeField(null=True, blank=True)
    voided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    void_reason_sealed = models.BinaryField(blank=True, default=b"")

    objects = ScopedManager.from_queryset(AdministrationQuerySet)()

    class Meta:
        ordering = ["taken_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "measure", "respondent"],
                condition=Q(session__isnull=False, superseded_at=None, voided=False),
                name="one_current_administration",
            ),
            models.CheckConstraint(
                condition=Q(not_taken="") | Q(total=None, answers=None),
                name="not_taken_has_no_score",
            ),
            models.CheckConstraint(
                condition=Q(voided=False, voided_at=None, voided_by=None, void_reason_sealed=b"")
                # `voided_by` is empty for a part of the system: the audit trail names it.
                | (Q(voided=True, voided_at__isnull=False) & ~Q(void_reason_sealed=b"")),
                name="voided_says_who_when_why",
            ),
            models.CheckConstraint(
                condition=Q(supersedes=None, correction_reason_sealed=b"")
                | (Q(supersedes__isnull=False) & ~Q(correction_reason_sealed=b"")),
                name="correction_says_why",
            ),
        ]
        indexes = [
            models.Index(fields=["episode", "measure"]),
            models.Index(fields=["measure", "taken_on"]),
            models.Index(fields=["client"]),
        ]

    def __str__(self) -> str:
        return f"{self.measure_id} on {self.taken_on}"

    @property
    def correction_reason(self) -> str:
        return self.client.unseal(self.correction_reason_sealed, "correction-reason")

    @property
    def void_reason(self) -> str:
        return self.client.unseal(self.void_reason_sealed, "void-reason")
