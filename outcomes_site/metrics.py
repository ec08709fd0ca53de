"""`/metrics` in Prometheus' words: requests by view and status, and what work waits.

Counts of all web workers are added up (prometheus_client's files in the folder that
outcomes_site/serving.py makes). Labels are names of our own views: no path, code or token. What
waits is asked of the database when it is looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Min
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from measures_app.models import NightlyRun
from sessions_app import clinic_time
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent, AuditSeal, Job, Outbox

OWN = CollectorRegistry()
REQUESTS = Counter(
    "outcomes_requests", "Answered requests.", ["view", "method", "status"], registry=OWN
)
SECONDS = Histogram(
    "outcomes_request_seconds",
    "How long an answer took.",
    ["view"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    registry=OWN,
)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
LOOPBACK = {"127.0.0.1", "::1"}


@dataclass
class Seen:
    view: str = "none"
    method: str = ""
    status: int = 500
    seconds: float = 0.0


@contextmanager
def timed(request: HttpRequest) -> Iterator[Seen]:
    """Count a request and its time under its view's name once it is answered."""
    seen, began = Seen(), time.perf_counter()
    try:
        yield seen
    finally:
        seen.seconds = time.perf_counter() - began
        match = request.resolver_match
        seen.view = (match.view_name if match else "") or "none"
        # Whoever asks may make up methods; labels they may not.
        seen.method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(seen.view, seen.method, str(seen.status)).inc()
        SECONDS.labels(seen.view).observe(seen.seconds)


class Waiting:
    """What stands in the database: read when somebody looks."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        def gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"outcomes_{name}", help, value)

        now = clinic_time.now()
        with acting_as(system("metrics")):
            waiting = Outbox.objects.filter(sent_at=None).aggregate(n=Count("pk"), at=Min("due_at"))
            last = NightlyRun.objects.filter(live=True, state="done").order_by("-as_of").first()
            stopped = NightlyRun.objects.filter(live=True, state="stopped")
            sealed = AuditSeal.objects.order_by("-last_id").values_list("last_id", flat=True)
            unsealed = AuditEvent.objects.filter(pk__gt=next(iter(sealed[:1]), 0)).count()
            jobs = dict(
                Job.objects.filter(state__in=["waiting", "running"])
                .values_list("state")
                .annotate(n=Count("pk"))
            )
            yield gauge("outbox_unsent", "Side effects that wait to be sent.", waiting["n"])
            oldest = (now - waiting["at"]).total_seconds() if waiting["at"] else 0.0
            yield gauge("outbox_overdue_seconds", "Since the oldest was due.", max(0.0, oldest))
            days = (clinic_time.today() - last.as_of).days if last else -1
            yield gauge("night_age_days", "Days since the last whole night; -1: none yet.", days)
            since = stopped.filter(as_of__gt=last.as_of) if last else stopped
            yield gauge("nights_stopped", "Nights that stopped since the last whole one.",
                        since.count())  # fmt: skip
            yield gauge("audit_unsealed", "Audit rows that wait for a seal.", unsealed)
            states = GaugeMetricFamily("outcomes_jobs", "Long work by state.", labels=["state"])
            for state in ("waiting", "running"):
                states.add_metric([state], jobs.get(state, 0))
            yield states


def _may(request: HttpRequest) -> bool:
    """With the clinic's key from anywhere; without one from this machine itself, unproxied."""
    if settings.METRICS_KEY:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and constant_time_compare(given, settings.METRICS_KEY)
    proxied = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not proxied


def page(request: HttpRequest) -> HttpResponse:
    """For Prometheus; absent for everybody else."""
    if not _may(request):
        raise Http404
    registry: Any = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)
    else:
        registry.register(_Of(OWN))
    registry.register(Waiting())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Of:
    """Another registry's metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

    def collect(self) -> Any:
        return self.registry.collect()
