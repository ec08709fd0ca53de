"""The Celery application and its timetable: `celery -A outcomes_site.celery worker --beat`."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging, worker_init, worker_process_init, worker_ready

from outcomes_site import logs
from sessions_app import yielding

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "outcomes_site.settings")

app = Celery("outcomes")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

READ_AHEAD_AFTER = 20.0  # seconds

# Ticks that nobody took in time are dropped: the next one does the same work.
MINUTELY = {"schedule": 60.0, "options": {"expires": 50}}
app.conf.beat_schedule = {
    "deliver what is due": {"task": "outbox.sweep", **MINUTELY},
    "tell other systems": {"task": "webhooks.sweep", **MINUTELY},
    "seal the audit trail": {"task": "audit.seal", **MINUTELY},
    "forget files nobody came back to": {
        "task": "imports.forget",
        "schedule": 3600.0,
        "options": {"expires": 3000},
    },
    "forget case files": {
        "task": "case_files.forget",
        "schedule": 3600.0,
        "options": {"expires": 3000},
    },
    "forget sign-ins that are over": {
        "task": "sign_ins.forget",
        "schedule": crontab(hour=4, minute=40),
        "options": {"expires": 3600},
    },
    "forget what was sent": {
        "task": "outbox.forget",
        "schedule": crontab(hour=4, minute=20),
        "options": {"expires": 3600},
    },
    "erase who is kept long enough": {
        "task": "retention.apply",
        "schedule": crontab(hour=3, minute=50),
        "options": {"expires": 3600},
    },
    # The hours are the clinic's. A night that this tick didn't begin, the sweep does.
    "compute the night": {
        "task": "night.run",
        "schedule": crontab(hour=2, minute=15),
        "options": {"expires": 3600},
    },
    # Keyed by the week: the second day sends what the first one couldn't begin, and nothing twice.
    "promise the weekly digests": {
        "task": "digest.promise",
        "schedule": crontab(hour=6, minute=30, day_of_week="1,2"),
        "options": {"expires": 6 * 3600},
    },
    # Each morning after the night: a month's first edition, its closing, and later corrections.
    "keep the monthly reports": {
        "task": "reports.keep",
        "schedule": crontab(hour=5, minute=40),
        "options": {"expires": 12 * 3600},
    },
    # Corrections by day: what reports keep of the months concerned is made again.
    "count changed months again": {
        "task": "months.refresh",
        "schedule": 600.0,
        "options": {"expires": 500},
    },
    "take up a night that was left": {"task": "night.sweep", **MINUTELY},
}


@setup_logging.connect
def write_the_sites_lines(**rest: Any) -> None:
    """Without a word of ours the worker would write its own, with what tasks were given."""
    from logging.config import dictConfig

    dictConfig(logs.configuration("WARNING"))


@worker_init.connect
def let_pages_go_first(**rest: Any) -> None:
    """On a machine that is busy the web server's processes come before the worker's."""
    yielding.go_behind()


@worker_process_init.connect
def read_ahead(**rest: Any) -> None:
    """The first file that somebody waits for needn't wait for the PDF engine; the start neither."""
    from reports_app import paper

    later = threading.Timer(READ_AHEAD_AFTER, paper.read_ahead)
    later.daemon = True
    later.start()


@worker_ready.connect
def tell_we_are_ready(**rest: Any) -> None:
    """Whoever started this worker waits for a file to appear."""
    file = os.environ.get("WORKER_READY_FILE")
    if file:
        Path(file).touch()
