from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class ImportDraft(models.Model):
    """A file on its way in: sealed under the master key, seen by who brought it, for a day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    name = models.CharField(max_length=120)
    sealed = models.BinaryField()
    master_key_id = models.CharField(max_length=20)
    mapping = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
