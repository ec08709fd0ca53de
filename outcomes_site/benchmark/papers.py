"""A conference's cases as one file, as the worker makes it: seconds, and the largest case.

Seconds are of the clock and of this process's own processor time; on a machine that does other
work beside it, the second is what a worker alone would take, but for the database.
"""

from __future__ import annotations

import time
from typing import Any

from measures_app.models import Flag
from outcomes_site.benchmark.doors import BY, Cast
from reports_app import paper
from reports_app.case_files import make_case_file
from reports_app.case_review import case_review_pdf
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Client, Episode

CASES = 20


def _longest(cast: Cast) -> list[Episode]:
    """The supervisor's open cases with the most sessions: each fills its two pages."""
    flagged = Flag.objects.live().for_review().values("episode")
    found = (
        Episode.objects.visible_to(cast.supervisor.user)
        .filter(closed_on=None)
        .select_related("client__key", "summary")
        .order_by("-summary__attended", "pk")
    )
    chosen = list(found.filter(pk__in=flagged)[:CASES])
    more = found.exclude(pk__in=[e.pk for e in chosen])[: CASES - len(chosen)]
    return [*chosen, *more]


def measure(cast: Cast) -> dict[str, Any] | None:
    """Make the file once, after one case to warm up; None where no PDF can be made here."""
    if paper.missing():
        return None
    user = cast.supervisor.user
    with acting_as(BY):
        episodes = _longest(cast)
    if not episodes:
        return None
    with acting_as(user):
        conference = actions.call_conference(
            held_on=clinic_time.today(), episodes=episodes, by=user
        )
        clients = Client.objects.visible_to(user).select_related("key", "identity", "site")
        sizes = [
            len(case_review_pdf(client, user))
            for client in clients.filter(pk__in=[e.client_id for e in episodes])
        ]
        began, used = time.perf_counter(), time.process_time()
        content, held = make_case_file(conference, user)
    return {
        "cases": len(held),
        "seconds": round(time.perf_counter() - began, 2),
        "processor_seconds": round(time.process_time() - used, 2),
        "bytes": len(content),
        "largest_case_bytes": max(sizes),
    }
