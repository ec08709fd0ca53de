"""How gunicorn runs the site: `gunicorn --config python:outcomes_site.serving ...`.

Its log lines are the site's, and its workers' counts are added up in a folder of this server's
own that is gone with it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from outcomes_site import logs

logconfig_dict = logs.configuration()

# Read in once, by the first process: the workers begin as copies of it and share what it holds.
preload_app = True

# Before any worker imports prometheus_client, which looks for it once.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="outcomes-metrics-")


def child_exit(server: Any, worker: Any) -> None:
    """What a worker counted stays; what it held at the moment doesn't."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # theirs


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
