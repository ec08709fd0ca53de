"""One real web worker, and the time each page takes it."""

from __future__ import annotations

import http.client
import json
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django.conf import settings

from outcomes_site.benchmark.doors import Cast, pages
from outcomes_site.benchmark.parts import BenchProblem
from outcomes_site.local import processes, supervisor

WARM_UP = 2
ELSEWHERE = ("/sign-in/", "/second-factor/")
PATIENCE = 60.0  # seconds, of one request and of the start


@dataclass(frozen=True)
class Answer:
    status: int
    ms: float
    size: int
    to: str = ""  # where a redirect leads

    @property
    def is_let_in(self) -> bool:
        """Neither refused nor led to where one has to prove who one is."""
        return self.status < 400 and not self.to.startswith(ELSEWHERE)


class Browser:
    """Asks one worker on loopback, a connection a request as a proxy without keep-alive does."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.csrf = "b" * 32

    def ask(
        self, path: str, cookie: str = "", body: Any = None, *, is_form: bool = False
    ) -> Answer:
        """GET, or POST what is given: as JSON, or as a page's form with its token."""
        headers = {"Host": f"localhost:{self.port}"}
        token = f"{settings.CSRF_COOKIE_NAME}={self.csrf}"
        headers["Cookie"] = f"{cookie}; {token}" if cookie else token
        content, method = None, "GET"
        if body is not None:
            content, method = urlencode(body) if is_form else json.dumps(body), "POST"
            kind = "x-www-form-urlencoded" if is_form else "json"
            headers |= {
                "Content-Type": f"application/{kind}",
                "X-CSRFToken": self.csrf,
                "Idempotency-Key": str(uuid.uuid4()),
            }
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        began = time.perf_counter()
        line.connect()
        plug = line.sock.dup()
        try:
            line.request(method, path, body=content, headers=headers)
            response = line.getresponse()
            size = len(response.read())
            took = (time.perf_counter() - began) * 1000
            # What the one worker does when its answer is out mustn't slow who asks next: that
            # is `/healthz`, and every page would look quicker.
            while plug.recv(4096):
                pass
        finally:
            line.close()
            plug.close()
        return Answer(response.status, took, size, response.headers.get("Location", ""))


@contextmanager
def web(log: Path, *, workers: int = 1, threads: int = 1) -> Iterator[Browser]:
    """A gunicorn; pages are measured on one worker, as production runs several of."""
    port = supervisor.choose_port(0)
    process = processes.start(
        [
            sys.executable, "-m", "gunicorn", "outcomes_site.wsgi",
            "--bind", f"127.0.0.1:{port}", "--timeout", "120",
            "--workers", str(workers), "--threads", str(threads),
            "--no-control-socket", "--log-level", "warning",
        ],
        log=log,
    )  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE
        while not supervisor.answers(port):
            if process.poll() is not None or time.monotonic() > end:
                raise BenchProblem(f"The web server didn't start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield Browser(port)
    finally:
        processes.stop(process)


def _percentiles(times: list[float]) -> tuple[float, float]:
    p50, p95 = np.percentile(times, [50, 95])
    return float(p50), float(p95)


def measure(
    browser: Browser, cast: Cast, rounds: int, seconds: float
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ask every page round after round until `rounds` or `seconds` are over.

    Returns
    -------
    (dict, list of dict)
        `/healthz` and the pages: p50 and p95 in ms; for pages their ratios to `/healthz`'s own.
    """
    asked = pages()
    people = {page.name: cycle(cast.of(page.role)) for page in asked}
    times: dict[str, list[float]] = {page.name: [] for page in asked}
    last: dict[str, Answer] = {}
    health: list[float] = []
    end = time.monotonic() + seconds
    for number in range(WARM_UP + rounds):
        if time.monotonic() > end and number > WARM_UP:
            break
        for page in asked:
            calm = browser.ask("/healthz").ms
            person = next(people[page.name])
            body = page.body(person, number) if page.body else None
            cookie = page.cookie(person, number) if page.cookie else person.cookie
            answer = browser.ask(page.path(person, number), cookie, body, is_form=page.is_form)
            last[page.name] = answer
            if not answer.is_let_in:
                said = f"{answer.status} {answer.to}".strip()
                raise BenchProblem(f"{page.name} answered {said} to a {page.role}.")
            if number >= WARM_UP:
                health.append(calm)
                times[page.name].append(answer.ms)
    health50, health95 = _percentiles(health)
    rows = []
    for page in asked:
        p50, p95 = _percentiles(times[page.name])
        rows.append(
            {
                "page": page.name,
                "role": page.role,
                "status": last[page.name].status,
                "bytes": last[page.name].size,
                "requests": len(times[page.name]),
                "p50_ms": round(p50, 1),
                "p95_ms": round(p95, 1),
                "p50_ratio": round(p50 / health50, 1),
                "p95_ratio": round(p95 / health95, 1),
            }
        )
    calm = {"requests": len(health), "p50_ms": round(health50, 2), "p95_ms": round(health95, 2)}
    return calm, rows
