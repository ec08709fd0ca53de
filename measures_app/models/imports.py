from __future__ import annotations

import json
import uuid
import zlib
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse

from sessions_app import sealing
from sessions_app.models import Job


class ImportDraft(models.Model):
    """A file on its way in: sealed under the master key, seen by who brought it, for a day.

    `mapping` is what was last chosen (JSON); the report says what came of trying it, and
    quotes rows of the file: sealed too.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=120)
    sealed = models.BinaryField()
    master_key_id = models.CharField(max_length=20)
    mapping = models.TextField(blank=True, default="")
    report_sealed = models.BinaryField(blank=True, default=b"")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("import_draft", args=[self.pk])

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return sealing.unwrap(bytes(self.sealed), self.master_key_id, f"import:{self.pk}")

    def keep(self, content: bytes) -> None:
        """Seal the file's bytes; the caller saves."""
        self.sealed, self.master_key_id = sealing.wrap(content, f"import:{self.pk}")

    @property
    def report(self) -> dict[str, Any] | None:
        """What came of the last try; None before it."""
        if not self.report_sealed:
            return None
        place = f"import-report:{self.pk}"
        text = sealing.unwrap(bytes(self.report_sealed), self.master_key_id, place)
        report: dict[str, Any] = json.loads(zlib.decompress(text))
        return report

    def keep_report(self, report: dict[str, Any] | None) -> None:
        """Seal what came of a try, or forget it; the caller saves."""
        if report is None:
            self.report_sealed = b""
            return
        if self.master_key_id != settings.MASTER_KEY_ID:
            self.keep(self.content)  # one key for both
        text = zlib.compress(json.dumps(report).encode())
        self.report_sealed = sealing.wrap(text, f"import-report:{self.pk}")[0]
