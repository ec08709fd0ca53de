"""Files that the worker makes for one person, kept sealed for a day."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models

from sessions_app import clinic_time, sealing
from sessions_app.models import CaseConference, Job

KEPT_FOR = timedelta(days=1)


class KeptFile(models.Model):
    """Bytes for whoever asked, and theirs alone."""

    PLACE: ClassVar[str]  # what the bytes are bound to

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    sealed = models.BinaryField(blank=True, default=b"")
    master_key_id = models.CharField(max_length=20, blank=True, default="")

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["-created_at"]

    @property
    def is_over(self) -> bool:
        return clinic_time.now() >= self.created_at + KEPT_FOR

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return sealing.unwrap(bytes(self.sealed), self.master_key_id, f"{self.PLACE}:{self.pk}")

    def keep(self, content: bytes) -> None:
        """Seal the file's bytes; the caller saves."""
        self.sealed, self.master_key_id = sealing.wrap(content, f"{self.PLACE}:{self.pk}")


class CaseFile(KeptFile):
    """The cases of a conference on paper, in the scope of whoever asked."""

    PLACE = "case-file"

    conference = models.ForeignKey(CaseConference, on_delete=models.PROTECT, related_name="files")

    class Meta(KeptFile.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"cases of {self.conference_id}"


class ClientCopy(KeptFile):
    """All that is known of a client, for the client: a PDF and a FHIR bundle in one ZIP."""

    PLACE = "client-copy"

    client_code = models.CharField(max_length=12)

    class Meta(KeptFile.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"copy for {self.client_code}"


class CaseRows(models.Model):
    """De-identified rows of episodes for a researcher: one person's file, sealed in parts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")
    first_year = models.PositiveSmallIntegerField()
    last_year = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"case rows {self.first_year}-{self.last_year}"

    @property
    def is_over(self) -> bool:
        return clinic_time.now() >= self.created_at + KEPT_FOR


class CaseRowsPart(models.Model):
    """Some of a file's bytes, so that neither making nor sending holds all of them."""

    file = models.ForeignKey(CaseRows, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    sealed = models.BinaryField()
    master_key_id = models.CharField(max_length=20)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="case_rows_part_once")
        ]

    def __str__(self) -> str:
        return f"{self.file_id}.{self.number}"

    @property
    def _place(self) -> str:
        return f"case-rows:{self.file_id}:{self.number}"

    @property
    def content(self) -> bytes:
        return sealing.unwrap(bytes(self.sealed), self.master_key_id, self._place)

    def keep(self, content: bytes) -> None:
        """Seal the part's bytes; the caller saves."""
        self.sealed, self.master_key_id = sealing.wrap(content, self._place)
