"""The Celery application: `celery -A outcomes_site.celery worker --beat`."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "outcomes_site.settings")

app = Celery("outcomes")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
