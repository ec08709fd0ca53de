from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KeyTransform

from sessions_app.access import ScopedManager, ScopedQuerySet
from sessions_app.models.care import Episode, Session
from sessions_app.models.clients import Client, Respondent
from sessions_app.models.organisation import Site


class EntryLink(models.Model):
    """A respondent's own way to one form: the token is stored as its hash only."""

    class Way(models.TextChoices):
        SHOWN = "", "shown"
        MAIL = "mail", "e-mail"
        TEXT = "text", "text message"
        TABLET = "tablet", "the clinic's device"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="entry_links")
    episode = models.ForeignKey(Episode, on_delete=models.PROTECT, related_name="entry_links")
    session = models.ForeignKey(
        Session, null=True, blank=True, on_delete=models.PROTECT, related_name="entry_links"
    )
    respondent = models.ForeignKey(Respondent, on_delete=models.PROTECT)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    way = models.CharField(max_length=6, blank=True, default="", db_default="", choices=Way.choices)
    sent_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)

    objects = ScopedManager.from_queryset(ScopedQuerySet)()

    def __str__(self) -> str:
        return f"link for {self.respondent_id}"


class Tablet(models.Model):
    """A device at reception that waits: it shows one form at a time, and nothing before or after.

    The device is known by its own session on the server; the row says which form is on it.
    """

    name = models.CharField(max_length=40)
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.PROTECT)
    enrolled_at = models.DateTimeField(auto_now_add=True)
    enrolled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    retired_at = models.DateTimeField(null=True, blank=True)
    link = models.ForeignKey(
        EntryLink, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Submission(models.Model):
    """An idempotent write: the same key and body replays the result, another body is refused."""

    key = models.UUIDField()
    actor = models.CharField(max_length=80)
    body_hash = models.CharField(max_length=64)
    result = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="submission_once")]

    def __str__(self) -> str:
        return str(self.key)


class Job(models.Model):
    """Long work that shows how far it is and can be left and found again."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        STOPPED = "stopped", "stopped"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    payload = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    problem = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT)

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class Outbox(models.Model):
    """A side effect promised in the transaction that caused it, sent at least once."""

    kind = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)
    message_id = models.UUIDField(default=uuid.uuid4, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_problem = models.TextField(blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(sent_at=None), name="outbox_unsent"),
            models.Index(
                KeyTransform("webhook", "payload"),
                "id",
                condition=Q(kind="webhook"),
                name="outbox_of_webhook",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.message_id}"


class AuditEvent(models.Model):
    """Who did or saw what. Append-only; random ids, no foreign keys: it outlives its subjects."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=40, blank=True, default="")
    subject = models.CharField(max_length=80, blank=True, default="")
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject_kind", "subject", "-id"]),
            models.Index(fields=["actor", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.subject}"


class AuditSeal(models.Model):
    """A link of the hash chain over committed audit rows, made each minute."""

    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField(unique=True)
    rows = models.PositiveIntegerField()
    previous = models.CharField(max_length=64, blank=True, default="")
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["last_id"]

    def __str__(self) -> str:
        return f"{self.first_id}-{self.last_id}"


class AuditHorizon(models.Model):
    """One row: how far audit ids had gone at a moment, and the first transaction after it.

    Once every transaction before `next_transaction` is over, no row up to `last_id` can appear
    any more, however long the transaction that drew its id took: those rows may be sealed.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last_id = models.BigIntegerField()
    next_transaction = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_audit_horizon")]

    def __str__(self) -> str:
        return f"up to {self.last_id}"
