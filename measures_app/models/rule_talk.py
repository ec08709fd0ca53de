from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from sessions_app.models import Clinician


class OwnCheckpoint(models.Model):
    """A clinician's own first checkpoint from a day on: for their own prompts, never later than
    the clinic's. Never edited: a change is a later row, none (`session` null) takes it back."""

    clinician = models.ForeignKey(
        Clinician, on_delete=models.PROTECT, related_name="own_checkpoints"
    )
    session = models.PositiveSmallIntegerField(null=True)
    from_on = models.DateField()
    set_at = models.DateTimeField(auto_now_add=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["from_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(session=None) | Q(session__gte=2), name="own_checkpoint_has_two_scores"
            )
        ]

    def __str__(self) -> str:
        return f"{self.clinician_id}: session {self.session} from {self.from_on}"


class RuleProposal(models.Model):
    """A change of the rules that somebody asks for, and what was answered: both stay."""

    class Answer(models.TextChoices):
        ACCEPTED = "accepted", "accepted"
        DECLINED = "declined", "declined"

    rule = models.CharField(max_length=32)
    # A number of the rules (a policy's key) and the value wanted; else words alone.
    key = models.CharField(max_length=40, blank=True, default="")
    value = models.FloatField(null=True, blank=True)
    what = models.CharField(max_length=300)
    why = models.CharField(max_length=600)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    proposed_at = models.DateTimeField(auto_now_add=True)
    answer = models.CharField(max_length=8, blank=True, default="", choices=Answer.choices)
    answer_words = models.CharField(max_length=600, blank=True, default="")
    from_on = models.DateField(null=True, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-proposed_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(key="", value=None) | (~Q(key="") & Q(value__isnull=False)),
                name="proposal_names_a_value",
            ),
            models.CheckConstraint(
                condition=Q(
                    answer="", answered_at=None, answered_by=None, answer_words="", from_on=None
                )
                | (
                    Q(answered_at__isnull=False, answered_by__isnull=False)
                    & (
                        Q(answer="accepted", from_on__isnull=False)
                        | (Q(answer="declined") & ~Q(answer_words=""))
                    )
                ),
                name="proposal_answered_when_and_how",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"
