from __future__ import annotations

from datetime import date

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from measures_app.models.change import ExpectedChangeModel
from measures_app.models.definitions import Measure
from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models import CaseReview, Client, Episode, Respondent

WAITED = "while it waited"  # how the end of a flag that was never raised begins


class FlagRuleSet(models.Model):
    """The rules' constants from a day on; versions are added, never edited."""

    version = models.PositiveIntegerField(unique=True)
    from_on = models.DateField()
    rules = models.JSONField()
    why = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-version"]

    def __str__(self) -> str:
        return f"rules {self.version} from {self.from_on}"


class WeeklyLine(models.Model):
    """The line of a week where it follows the count of flags; written once, and what from.

    Holds from its day until the next. `raised` counts the flags of the whole weeks since the row
    before; none where a count begins, on the Monday after.
    """

    from_on = models.DateField()
    rule_set = models.ForeignKey(FlagRuleSet, on_delete=models.PROTECT, related_name="+")
    room = models.FloatField()  # flags a week in the whole clinic
    raised = models.PositiveIntegerField(null=True)
    ahead = models.FloatField(default=0.0)  # of the room, in weeks of it
    line = models.FloatField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-from_on", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["from_on", "rule_set"], name="one_line_a_week"),
            models.CheckConstraint(
                condition=Q(line__gte=0, room__gte=0), name="line_and_room_are_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line:.3f} from {self.from_on}"


class FlagQuerySet(ScopedQuerySet["Flag"]):
    def live(self) -> FlagQuerySet:
        return self.filter(state__in=Flag.LIVE)

    def standing(self) -> FlagQuerySet:
        """Live ones, and those that wait for room in the week."""
        return self.filter(state__in=Flag.STANDING)

    def noticed(self) -> FlagQuerySet:
        """Those that were raised: what only waited, and went or was decided waiting, left out."""
        return self.filter(Flag.was_noticed())

    def awake(self, day: date) -> FlagQuerySet:
        """Those that nobody has put off beyond a day."""
        return self.exclude(snoozed_until__gt=day)

    def for_review(self) -> FlagQuerySet:
        return self.filter(kind=Flag.Kind.REVIEW)


class Flag(models.Model):
    """A reason to talk: raised by a rule with its numbers, until decided or lapsed."""

    class Kind(models.TextChoices):
        PROMPT = "prompt", "prompt for the clinician"
        REVIEW = "review", "worth a conversation"
        ITEM = "item", "item alert"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting for room in the week"
        OPEN = "open", "open"
        TAKEN_UP = "taken_up", "taken up"
        DECIDED = "decided", "decided"
        LAPSED = "lapsed", "lapsed"

    LIVE = ("open", "taken_up")
    STANDING = ("waiting", *LIVE)

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="flags")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="flags")
    rule = models.CharField(max_length=32)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # "" where a rule concerns attendance and no series; else "measure-code/respondent id".
    series = models.CharField(max_length=60, blank=True, default="")
    measure = models.ForeignKey(Measure, null=True, blank=True, on_delete=models.PROTECT)
    respondent = models.ForeignKey(Respondent, null=True, blank=True, on_delete=models.PROTECT)
    model = models.ForeignKey(
        ExpectedChangeModel, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    rule_set = models.ForeignKey(FlagRuleSet, on_delete=models.PROTECT)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    evidence = models.JSONField()
    session_number = models.PositiveSmallIntegerField(null=True, blank=True)
    # Of one that waits: the day its reason was first seen. Set anew when it is raised.
    raised_on = models.DateField()
    # Expected benefit of looking when its numbers were made; none for prompts and item alerts.
    benefit = models.FloatField(null=True, blank=True)
    raised_at = models.DateTimeField(auto_now_add=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="flags_taken_up",
    )
    taken_up_at = models.DateTimeField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=200, blank=True, default="")
    # Put off: it is out of the queue until its day, and back without anybody's doing.
    snoozed_until = models.DateField(null=True, blank=True)
    snooze_why_sealed = models.BinaryField(blank=True, default=b"")
    review = models.ForeignKey(
        CaseReview, null=True, blank=True, on_delete=models.PROTECT, related_name="flags"
    )

    objects = ScopedManager.from_queryset(FlagQuerySet)()

    class Meta:
        ordering = ["-raised_on", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["episode", "rule", "series"],
                condition=Q(state__in=["waiting", "open", "taken_up"]),
                name="one_live_flag_a_rule_and_series",
            ),
            models.CheckConstraint(
                condition=Q(owner=None, taken_up_at=None)
                | Q(owner__isnull=False, taken_up_at__isnull=False),
                name="flag_owner_since",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["waiting", "open", "taken_up"], closed_on=None, closed_at=None
                )
                | Q(
                    state__in=["decided", "lapsed"],
                    closed_on__isnull=False,
                    closed_at__isnull=False,
                ),
                name="flag_closed_when",
            ),
            models.CheckConstraint(
                # What was done about an answer that couldn't wait stands in its ItemAlert.
                condition=~Q(state="decided") | Q(review__isnull=False) | Q(kind="item"),
                name="decided_flag_has_review",
            ),
            models.CheckConstraint(
                condition=Q(snoozed_until=None, snooze_why_sealed=b"")
                | (Q(snoozed_until__isnull=False) & ~Q(snooze_why_sealed=b"")),
                name="flag_put_off_with_a_reason",
            ),
            models.CheckConstraint(
                # Nobody has what only waits: taking up raises it.
                condition=~Q(state="waiting") | Q(owner=None, kind="review", snoozed_until=None),
                name="waiting_flag_is_nobodys",
            ),
        ]
        indexes = [
            models.Index(
                fields=["kind", "raised_on"],
                condition=Q(state__in=["open", "taken_up"]),
                name="flag_live",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.state}"

    @staticmethod
    def was_noticed() -> Q:
        """Raised, whatever became of it: neither waiting still nor over while it waited."""
        return ~Q(state=Flag.State.WAITING) & ~Q(close_reason__startswith=WAITED)

    @property
    def snooze_why(self) -> str:
        return self.client.unseal(self.snooze_why_sealed, "flag-snooze")


class FlagEvent(models.Model):
    """Each change of a flag's state or evidence: append-only."""

    flag = models.ForeignKey(Flag, on_delete=models.PROTECT, related_name="events")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=80)
    from_state = models.CharField(max_length=8, blank=True, default="")
    to_state = models.CharField(max_length=8)
    why = models.CharField(max_length=200, blank=True, default="")
    evidence = models.JSONField(default=dict)
    # What the numbers came from: the day, rule version, model, scores and administrations.
    basis = models.JSONField(default=dict)

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.flag_id} {self.from_state}->{self.to_state}"


class FollowUp(models.Model):
    """What a decision looked ahead from: the last score of its day and the forecast then.

    One a case review, of the client's main series; written once. Arrays run over the sessions
    `forecast_t` that followed the score at session `t`.
    """

    review = models.OneToOneField(CaseReview, on_delete=models.PROTECT, related_name="ahead")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="+")
    measure = models.ForeignKey(Measure, on_delete=models.PROTECT, related_name="+")
    respondent = models.ForeignKey(Respondent, on_delete=models.PROTECT, related_name="+")
    variant = models.CharField(max_length=8, blank=True, default="")
    model = models.ForeignKey(
        ExpectedChangeModel, null=True, on_delete=models.PROTECT, related_name="+"
    )
    t = models.PositiveSmallIntegerField()
    score = models.FloatField()
    forecast_t = ArrayField(models.PositiveSmallIntegerField(), default=list)
    forecast_mean = ArrayField(models.FloatField(), default=list)
    forecast_low80 = ArrayField(models.FloatField(), default=list)
    forecast_high80 = ArrayField(models.FloatField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    def __str__(self) -> str:
        return f"from {self.score} at session {self.t}"
