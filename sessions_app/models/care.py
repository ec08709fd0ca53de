from __future__ import annotations

import json
from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models.clients import Client
from sessions_app.models.organisation import ENDS_AFTER_START, Clinician, Programme, Site


class EpisodeQuerySet(ScopedQuerySet["Episode"]):
    episode_path = ""

    def open(self) -> EpisodeQuerySet:
        return self.filter(closed_on=None)

    def open_on(self, day: date) -> EpisodeQuerySet:
        return self.filter(Q(closed_on=None) | Q(closed_on__gt=day), opened_on__lte=day)


class Episode(models.Model):
    """One course of care of a client in a programme, from opening to its ending."""

    class Purpose(models.TextChoices):
        CHANGE = "change", "change"
        STAY_WELL = "stay_well", "stay well"
        ASSESS = "assess", "assess"
        CRISIS = "crisis", "get through a crisis"

    class Ending(models.TextChoices):
        OPEN = "", "open"
        AGREED = "agreed", "agreed between client and clinician"
        CLIENT_STOPPED = "client_stopped", "client stopped coming"
        CLINIC_ENDED = "clinic_ended", "ended by the clinic"
        CIRCUMSTANCES = "circumstances", "circumstances"
        TRANSFERRED = "transferred", "transferred"
        REFERRED = "referred", "referred on"
        DIED = "died", "died"
        ASSESSMENT_ONLY = "assessment_only", "assessment only"
        UNKNOWN = "unknown", "not known"

    class Origin(models.TextChoices):
        ENTERED = "entered", "entered here"
        IMPORTED = "imported", "imported"
        SIMULATED = "simulated", "simulated"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="episodes")
    programme = models.ForeignKey(Programme, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    reference = models.CharField(max_length=80, blank=True, default="")
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.ENTERED)
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.CHANGE)
    purpose_agreed_on = models.DateField(null=True, blank=True)
    problem = models.CharField(max_length=80, blank=True, default="")
    funder = models.CharField(max_length=80, blank=True, default="")
    opened_on = models.DateField()
    care_began_on = models.DateField(null=True, blank=True)
    sessions_before = models.PositiveSmallIntegerField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    closed_recorded_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=16, blank=True, default="", choices=Ending.choices)

    objects = ScopedManager.from_queryset(EpisodeQuerySet)()

    class Meta:
        ordering = ["opened_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_on=None) | Q(closed_on__gte=F("opened_on")),
                name="episode_ends_after_start",
            ),
            models.CheckConstraint(
                condition=Q(closed_on=None, ending="", closed_recorded_at=None)
                | (Q(closed_on__isnull=False, closed_recorded_at__isnull=False) & ~Q(ending="")),
                name="episode_closed_with_ending",
            ),
            models.CheckConstraint(
                condition=Q(care_began_on=None) | Q(care_began_on__lte=F("opened_on")),
                name="care_began_before_measuring",
            ),
            models.UniqueConstraint(
                fields=["client", "reference"],
                condition=~Q(reference=""),
                name="episode_reference_once",
            ),
            # What the composite foreign keys of row_security.filed_together refer to.
            models.UniqueConstraint(fields=["id", "client"], name="episode_of_one_client"),
        ]
        indexes = [models.Index(fields=["programme", "closed_on"])]

    def __str__(self) -> str:
        return f"{self.client_id} in {self.programme_id} since {self.opened_on}"

    @property
    def is_open(self) -> bool:
        return self.closed_on is None


class Assignment(models.Model):
    """Who treats in an episode, in which part, from when to when, and why it changed."""

    class Part(models.TextChoices):
        LEAD = "lead", "lead"
        CO_THERAPIST = "co_therapist", "co-therapist"
        PRESCRIBER = "prescriber", "prescriber"
        TRAINEE = "trainee", "trainee"
        DUTY = "duty", "on duty"

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="assignments")
    clinician = models.ForeignKey(Clinician, on_delete=models.PROTECT, related_name="assignments")
    part = models.CharField(max_length=14, choices=Part.choices, default=Part.LEAD)
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)
    why_sealed = models.BinaryField(blank=True, default=b"")
    summary_sealed = models.BinaryField(blank=True, default=b"", db_default=b"")

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        ordering = ["from_on", "id"]
        constraints = [
            models.CheckConstraint(condition=ENDS_AFTER_START, name="assignment_ends_after_start"),
            models.UniqueConstraint(
                fields=["episode"],
                condition=Q(part="lead", to_on=None),
                name="one_open_lead_an_episode",
            ),
        ]
        indexes = [models.Index(fields=["clinician", "to_on"])]

    def __str__(self) -> str:
        return f"{self.clinician_id} {self.part} of {self.episode_id}"

    @property
    def why(self) -> str:
        return self.episode.client.unseal(self.why_sealed, "assignment-why")

    @property
    def summary(self) -> str:
        """What whoever had the client before wrote for whoever goes on."""
        return self.episode.client.unseal(self.summary_sealed, "hand-over-summary")


class Meeting(models.Model):
    """An hour in the diary: when, where, how. Holds no client; workload counts these."""

    class Format(models.TextChoices):
        INDIVIDUAL = "individual", "individual"
        COUPLE = "couple", "couple"
        FAMILY = "family", "family"
        GROUP = "group", "group"

    class Kind(models.TextChoices):
        TREATMENT = "treatment", "treatment"
        MEDICATION = "medication", "medication"
        CRISIS = "crisis", "crisis"
        OTHER = "other", "other"

    starts_at = models.DateTimeField()
    minutes = models.PositiveSmallIntegerField(default=50)
    format = models.CharField(max_length=10, choices=Format.choices, default=Format.INDIVIDUAL)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.TREATMENT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    telehealth = models.BooleanField(default=False)
    clinicians = models.ManyToManyField(
        Clinician, through="MeetingClinician", related_name="meetings"
    )

    class Meta:
        ordering = ["starts_at", "id"]
        indexes = [models.Index(fields=["starts_at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.starts_at:%Y-%m-%d %H:%M}"


class MeetingClinician(models.Model):
    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT)
    clinician = models.ForeignKey(Clinician, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["meeting", "clinician"], name="clinician_once_a_meeting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.clinician_id} at {self.meeting_id}"


class SessionQuerySet(ScopedQuerySet["Session"]):
    def attended(self) -> SessionQuerySet:
        return self.filter(status=Session.Status.ATTENDED)

    def expected(self) -> SessionQuerySet:
        """Without what is booked beyond an episode's end, or of somebody who has died."""
        over = Q(episode__closed_on__lt=F("held_on")) | Q(episode__ending=Episode.Ending.DIED)
        return self.exclude(over, status=Session.Status.BOOKED)

    def treatment(self) -> SessionQuerySet:
        """Those that count as treatment sessions (t): others are contacts beside it."""
        return self.filter(meeting__kind=Meeting.Kind.TREATMENT)


class Session(models.Model):
    """One episode's place in a meeting, and whether the client was seen."""

    class Status(models.TextChoices):
        BOOKED = "booked", "booked"
        ATTENDED = "attended", "attended"
        NOT_SEEN_BY_US = "not_seen_by_us", "arrived but not seen by us"
        NO_SHOW = "no_show", "did not come"
        LATE_CANCEL = "late_cancel", "cancelled late"
        CLINIC_CANCEL = "clinic_cancel", "cancelled by the clinic"

    class Obstacle(models.TextChoices):
        NONE = "", "not asked"
        TRANSPORT = "transport", "transport"
        CHILDCARE = "childcare", "childcare"
        PHONE = "phone", "phone"
        WORK = "work", "work"
        HEALTH = "health", "health"
        OTHER = "other", "other"

    meeting = models.ForeignKey(Meeting, on_delete=models.PROTECT, related_name="sessions")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="sessions")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="sessions")
    held_on = models.DateField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.BOOKED)
    obstacle = models.CharField(max_length=10, blank=True, default="", choices=Obstacle.choices)
    arrived_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField(auto_now_add=True)
    # What an imported file calls this one of the day's sessions.
    reference = models.CharField(max_length=40, blank=True, default="", db_default="")
    # By video or phone: where the client is and a number to call back.
    whereabouts_sealed = models.BinaryField(null=True, blank=True)

    objects = ScopedManager.from_queryset(SessionQuerySet)()

    class Meta:
        ordering = ["held_on", "meeting__starts_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["meeting", "episode"], name="episode_once_a_meeting"),
            models.UniqueConstraint(fields=["id", "episode"], name="session_of_one_episode"),
        ]
        indexes = [
            models.Index(fields=["episode", "held_on"]),
            models.Index(fields=["held_on", "status"]),
            models.Index(fields=["client"]),
        ]

    def __str__(self) -> str:
        return f"{self.status} on {self.held_on}"

    @property
    def whereabouts(self) -> dict[str, str]:
        """`{"where", "call_back"}` of a session by video or phone, those that were said."""
        text = self.client.unseal(self.whereabouts_sealed, "session-whereabouts")
        return json.loads(text) if text else {}


class CaseReview(models.Model):
    """A talk about a case and what was decided; free text is sealed under the client's key."""

    class Decision(models.TextChoices):
        CONTINUE = "continue", "continue as we are"
        CHANGE_APPROACH = "change_approach", "change approach"
        CONSULT = "consult", "consult"
        TRANSFER = "transfer", "transfer"
        REFER = "refer", "refer on"
        END = "end", "end"
        SCORES_DONT_FIT = "scores_dont_fit", "the scores don't fit what we know"

    class Talked(models.TextChoices):
        NOT_SAID = "", "not said"
        ALONE = "alone", "the clinician alone"
        TOGETHER = "together", "clinician and supervisor together"
        CONFERENCE = "conference", "in a team case conference"

    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="reviews")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="reviews")
    reviewed_on = models.DateField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews"
    )
    decision = models.CharField(max_length=16, choices=Decision.choices)
    change_of = models.CharField(max_length=20, blank=True, default="")
    talked = models.CharField(
        max_length=10, blank=True, default="", db_default="", choices=Talked.choices
    )
    conference = models.ForeignKey(
        "sessions_app.CaseConference",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reviews",
    )
    session_number = models.PositiveSmallIntegerField(null=True, blank=True)
    note_sealed = models.BinaryField(blank=True, default=b"")
    client_said_sealed = models.BinaryField(blank=True, default=b"")
    follow_up_on = models.DateField(null=True, blank=True)
    result_sealed = models.BinaryField(blank=True, default=b"")
    result_at = models.DateTimeField(null=True, blank=True)
    result_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    class Meta:
        ordering = ["reviewed_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(follow_up_on=None) | Q(follow_up_on__gte=F("reviewed_on")),
                name="follow_up_after_review",
            ),
            models.CheckConstraint(
                condition=Q(result_at=None, result_by=None, result_sealed=b"")
                | (Q(result_at__isnull=False, result_by__isnull=False) & ~Q(result_sealed=b"")),
                name="review_result_says_who_when",
            ),
            models.CheckConstraint(
                condition=Q(conference=None) | Q(talked="conference"),
                name="review_of_a_conference_says_so",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.decision} on {self.reviewed_on}"

    @property
    def note(self) -> str:
        return self.client.unseal(self.note_sealed, "review-note")

    @property
    def client_said(self) -> str:
        return self.client.unseal(self.client_said_sealed, "review-client-said")

    @property
    def result(self) -> str:
        return self.client.unseal(self.result_sealed, "review-result")
