"""Files that the worker makes for one person, kept sealed for a day."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models

from sessions_app import clinic_time, sealing
from sessions_app.models import CaseConference, Job

KEPT_FOR = timedelta(days=1)


class CaseFile(models.Model):
    """The cases of a conference on paper, in the scope of whoever asked, and theirs alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conference = models.ForeignKey(CaseConference, on_delete=models.PROTECT, related_name="files")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    sealed = models.BinaryField(blank=True, default=b"")
    master_key_id = models.CharField(max_length=20, blank=True, default="")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"cases of {self.conference_id}"

    @property
    def is_over(self) -> bool:
        return clinic_time.now() >= self.created_at + KEPT_FOR

    @property
    def content(self) -> bytes:
        """The PDF's bytes."""
        return sealing.unwrap(bytes(self.sealed), self.master_key_id, f"case-file:{self.pk}")

    def keep(self, content: bytes) -> None:
        """Seal the PDF's bytes; the caller saves."""
        self.sealed, self.master_key_id = sealing.wrap(content, f"case-file:{self.pk}")
