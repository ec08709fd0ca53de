"""What belongs to a client's rights: what they were told and said, restriction, emergencies."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models.clients import Client, Respondent
from sessions_app.models.organisation import ENDS_AFTER_START, Programme


class ConsentStatement(models.Model):
    """Who sees the scores, in plain words by language. The newest version is shown; all stay."""

    version = models.PositiveIntegerField(unique=True)
    texts = models.JSONField()
    # Who agreed to an earlier version is shown this one before the next form.
    asks_again = models.BooleanField(default=True)
    set_at = models.DateTimeField(auto_now_add=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-version"]

    def __str__(self) -> str:
        return f"statement {self.version}"


class Consent(models.Model):
    """What a respondent said to a version of the statement. The newest row counts."""

    class Answer(models.TextChoices):
        AGREED = "agreed", "agreed"
        DECLINED = "declined", "would rather not"
        WITHDRAWN = "withdrawn", "withdrew"

    class Way(models.TextChoices):
        DEVICE = "device", "on the form"
        SPOKEN = "spoken", "in the room"
        PAPER = "paper", "on paper"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="consents")
    respondent = models.ForeignKey(Respondent, on_delete=models.PROTECT, related_name="consents")
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=8)
    answer = models.CharField(max_length=10, choices=Answer.choices)
    way = models.CharField(max_length=6, choices=Way.choices)
    at = models.DateTimeField(auto_now_add=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["respondent", "-id"], name="consent_newest")]

    def __str__(self) -> str:
        return f"{self.answer} to {self.version}"


class Restriction(models.Model):
    """A client asked that their record rest (GDPR article 18): kept, and not worked with."""

    class Reason(models.TextChoices):
        ACCURACY = "accuracy", "whether it is right is looked into"
        UNLAWFUL = "unlawful", "the client wants it kept rather than erased"
        CLAIMS = "claims", "the client needs it for a legal claim"
        OBJECTION = "objection", "an objection is looked into"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="restrictions")
    reason = models.CharField(max_length=10, choices=Reason.choices)
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        ordering = ["-from_on", "-id"]
        constraints = [
            models.CheckConstraint(condition=ENDS_AFTER_START, name="restriction_ends_after_start"),
            models.UniqueConstraint(
                fields=["client"], condition=Q(to_on=None), name="one_open_restriction"
            ),
        ]

    def __str__(self) -> str:
        return f"restricted from {self.from_on}"


class EmergencyAccess(models.Model):
    """Somebody opened a client's record in an emergency: for hours, with a reason, told to all."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="emergencies"
    )
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="emergencies")
    reason_sealed = models.BinaryField()
    from_at = models.DateTimeField()
    until_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        ordering = ["-from_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(until_at__gt=F("from_at")), name="emergency_ends_later"
            )
        ]
        indexes = [models.Index(fields=["user", "until_at"], name="emergency_in_force")]

    def __str__(self) -> str:
        return f"emergency of {self.user_id}"

    @property
    def reason(self) -> str:
        return self.client.unseal(self.reason_sealed, "emergency-reason")


class RetentionRule(models.Model):
    """After how many years since care ended a programme's clients lose their identity."""

    programme = models.ForeignKey(
        Programme, on_delete=models.PROTECT, related_name="retention_rules"
    )
    years = models.PositiveSmallIntegerField()
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["programme", "-from_on", "-id"]
        constraints = [
            models.CheckConstraint(condition=ENDS_AFTER_START, name="retention_ends_after_start"),
            models.CheckConstraint(condition=Q(years__gte=1), name="retention_is_a_year_or_more"),
            models.UniqueConstraint(
                fields=["programme"], condition=Q(to_on=None), name="one_retention_rule"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.years} years"


class ReleaseQuerySet(models.QuerySet["Release"]):
    def in_force(self, day: date) -> ReleaseQuerySet:
        return self.filter(from_on__lte=day, until_on__gte=day, withdrawn_at=None).order_by()


class Release(models.Model):
    """A client's recorded consent that a restricted programme's care is seen elsewhere.

    By those who treat or supervise the client outside that programme, until a day; a withdrawal
    counts at once.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="releases")
    programme = models.ForeignKey(Programme, on_delete=models.PROTECT, related_name="releases")
    from_on = models.DateField()
    until_on = models.DateField()
    way = models.CharField(max_length=6, choices=Consent.Way.choices)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["client", "programme"], name="release_of_client")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(until_on__gte=models.F("from_on")),
                name="release_ends_after_start",
            )
        ]

    def __str__(self) -> str:
        return f"{self.programme} until {self.until_on}"
