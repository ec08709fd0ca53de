"""Work that nobody waits for at a screen goes behind the pages.

Where web server, worker and database share a machine, a night beside 200 people entering scores
takes the processors from them unless each of three places says who comes first: the process; on
Linux the session of processes it leads, since sessions are weighed against each other before the
processes within them are (sched(7), "autogroup"); and the database's own process that answers.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

BEHIND = 10  # a tenth of a page's weight: the night still ends on a busy day


def go_behind() -> None:
    """From now on this process, its children and who answers it in the database come last."""
    os.setpriority(os.PRIO_PROCESS, 0, max(BEHIND, os.getpriority(os.PRIO_PROCESS, 0)))
    if os.getsid(0) == os.getpid():  # nobody else's: not a terminal's
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(BEHIND))
    connection_created.connect(_so_does_its_backend, dispatch_uid=__name__)


def _so_does_its_backend(connection: Any, **rest: Any) -> None:
    """Only where the database runs here and is ours to order; elsewhere its host decides."""
    info = connection.connection.info
    if not (info.host or "").startswith("/"):
        return
    pid = info.backend_pid
    with suppress(OSError):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"postgres"):
            os.setpriority(os.PRIO_PROCESS, pid, BEHIND)
