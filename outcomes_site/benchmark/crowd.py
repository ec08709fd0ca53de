"""Many clinicians entering at once: what each sends, and what became of all of it.

Entries are written down before the first is sent, so that afterwards it can be told, entry by
entry, what the clinic's records should hold.
"""

from __future__ import annotations

import asyncio
import http.client
import resource
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django.conf import settings
from django.db import connection
from django.urls import reverse

from outcomes_site.benchmark.asking import web
from outcomes_site.benchmark.doors import BY, Person, from_paper, leads_of, signed_in
from outcomes_site.benchmark.parts import SEED, command, settle
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import Clinician, Session, Submission

CSRF = "c" * 32
PATIENCE = 30.0  # seconds, of one request
MEASURES = 2  # of a pair
WORKERS, THREADS = 4, 2  # the Dockerfile's


@dataclass(frozen=True)
class Entry:
    """Both measures and attendance of one session, as a clinician's form sends them."""

    key: str
    path: str
    cookie: str
    body: dict[str, str]


@dataclass(frozen=True)
class Sent:
    """What a server said to an entry; status 0 is no answer at all."""

    key: str
    status: int
    ms: float
    after: float  # seconds since the start
    to: str = ""

    @property
    def is_acknowledged(self) -> bool:
        """What was kept leads to its picture; somebody not let in is led elsewhere."""
        return self.status == 302 and self.to.endswith("/picture/")


@dataclass(frozen=True)
class Counts:
    """What the records hold that entries add to."""

    sessions: int
    administrations: int
    submissions: int


def counts() -> Counts:
    from measures_app.models import Administration

    with acting_as(BY):
        return Counts(
            Session.objects.count(), Administration.objects.count(), Submission.objects.count()
        )


def kept(keys: Iterable[str]) -> set[str]:
    """Those of some entries that were carried out to their end."""
    with acting_as(BY):
        found = Submission.objects.filter(key__in=list(keys), result__isnull=False)
        return {str(key) for key in found.values_list("key", flat=True)}


def _people(wanted: int) -> list[Person]:
    """Clinicians with open episodes, most clients last; who has no account gets one."""
    today = clinic_time.today()
    found = []
    for clinician in Clinician.objects.select_related("user").order_by("pk"):
        clients = list(leads_of(clinician).values_list("episode__client__code", flat=True))
        if not clients:
            continue
        if clinician.user is None:
            clinician.user = actions.add_user(
                email=f"crowd{clinician.pk}@bench.example", name=f"Crowd {clinician.pk}", by=BY
            )
            actions.grant_role(user=clinician.user, role="clinician", from_on=today, by=BY)
            clinician.save(update_fields=["user"])
        person = Person(clinician.user, [str(code) for code in clients])
        person.cookie = signed_in(clinician.user)
        found.append(person)
        if len(found) == wanted:
            break
    return found


def prepare(clinicians: int, entries: int) -> list[list[Entry]]:
    """What each of some clinicians will send, in order.

    Parameters
    ----------
    clinicians : int
        At most so many: those who have open episodes.
    entries : int
        Of each.

    Returns
    -------
    list of list of Entry
    """
    cookie = f"{settings.CSRF_COOKIE_NAME}={CSRF}"
    found: list[list[Entry]] = []
    with acting_as(BY):
        for person in _people(clinicians):
            mine: list[Entry] = []
            for number in range(len(person.clients) + entries):
                body = from_paper(person, number)
                if sum("_" in name for name in body) < MEASURES:
                    continue  # nothing is due for this client
                path = reverse("session_new", args=[person.clients[number % len(person.clients)]])
                mine.append(Entry(body["key"], path, f"{person.cookie}; {cookie}", body))
                if len(mine) == entries:
                    break
            if mine:
                found.append(mine)
    return found


def as_rows(all_of_them: Sequence[Sequence[Entry]]) -> list[list[dict[str, Any]]]:
    return [[asdict(entry) for entry in mine] for mine in all_of_them]


def _headers(port: int, entry: Entry) -> dict[str, str]:
    return {
        "Host": f"localhost:{port}",
        "Cookie": entry.cookie,
        "X-CSRFToken": CSRF,
        "Content-Type": "application/x-www-form-urlencoded",
    }


def send(port: int, entry: Entry, began: float = 0.0) -> Sent:
    """Send an entry once."""
    headers = _headers(port, entry)
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    at, to = time.perf_counter(), ""
    try:
        line.request("POST", entry.path, body=urlencode(entry.body), headers=headers)
        answer = line.getresponse()
        answer.read()
        status, to = answer.status, answer.headers.get("Location", "")
    except (OSError, http.client.HTTPException):
        status = 0
    finally:
        line.close()
    now = time.perf_counter()
    return Sent(entry.key, status, (now - at) * 1000, at - began, to)


def _request(port: int, entry: Entry) -> bytes:
    body = urlencode(entry.body).encode()
    headers = {**_headers(port, entry), "Content-Length": len(body), "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {entry.path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def _send(port: int, key: str, request: bytes, began: float) -> Sent:
    """Send an entry once, a connection a request as `send`, at a fraction of its processor time."""
    at, status, to = time.perf_counter(), 0, ""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            answer = await reader.read()  # to its end: the server closes
            writer.close()
        head, _, _ = answer.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rest)}
        to = headers.get("location", "")
    except (OSError, ValueError, IndexError):  # a timeout is an OSError
        status = 0
    return Sent(key, status, (time.perf_counter() - at) * 1000, at - began, to)


def enter(port: int, all_of_them: Sequence[Sequence[Entry]], *, every: float) -> list[Sent]:
    """Each clinician enters in turn, one entry `every` seconds, all of them side by side.

    One thread plays them all: what sends shares the processors with what is measured.
    """
    requests = [[(one.key, _request(port, one)) for one in mine] for mine in all_of_them]
    said: list[Sent] = []

    async def one(place: int, mine: Sequence[tuple[str, bytes]], began: float) -> None:
        offset = every * place / len(requests)  # nobody starts on the same beat
        for number, (key, request) in enumerate(mine):
            wait = offset + number * every - (time.perf_counter() - began)
            if wait > 0:
                await asyncio.sleep(wait)
            said.append(await _send(port, key, request, began))

    async def everyone() -> None:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for place, mine in enumerate(requests):
                group.create_task(one(place, mine, began))

    asyncio.run(everyone())
    return said


def judge(all_of_them: Sequence[Sequence[Entry]], said: Sequence[Sent], before: Counts) -> Any:
    """Times and losses of a crowd's entries.

    Returns
    -------
    dict
        ``sent``, ``refused`` (answers that kept nothing) and ``refused_with`` (which), ``p50_ms``,
        ``p95_ms``, ``slowest_ms``, ``lost`` (acknowledged and not in the records) and ``doubled``
        (sessions in the records beyond one for each entry that was carried out; one that was
        carried out and whose answer came too late is among the refused).
    """
    p50, p95 = np.percentile([one.ms for one in said], [50, 95])
    acknowledged = {one.key for one in said if one.is_acknowledged}
    held, after = kept(one.key for one in said), counts()
    refused = sorted({f"{one.status} {one.to}".strip() for one in said if not one.is_acknowledged})
    return {
        "clinicians": len(all_of_them),
        "sent": len(said),
        "refused": sum(not one.is_acknowledged for one in said),
        "refused_with": refused,
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "slowest_ms": round(max(one.ms for one in said), 1),
        "lost": len(acknowledged - held),
        "doubled": after.sessions - before.sessions - len(held),
    }


def _processor_seconds() -> float:
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


CLINICIANS, EVERY, SECONDS = 200, 5.0, 60.0  # as a large clinic's hour between two sessions


def run(clients: int, *, folder: Path, say: Callable[[str], object]) -> dict[str, Any]:
    """A minute of 200 clinicians entering at once, and another while a night runs.

    Parameters
    ----------
    clients : int
        Of the simulated clinic.
    folder : Path
        For the web server's log.
    say : callable
        Hears what goes on.

    Returns
    -------
    dict
        ``quiet`` and ``night``: as `judge`, with ``senders_share``, what sending took of one
        processor.
    """
    half = clients // 2
    say(f"Simulating {clients} clients, half of them before a night ...")
    command("simulate_clinic", "--clients", str(half), "--seed", str(SEED))
    settle()
    command("run_nightly")
    command("simulate_clinic", "--clients", str(clients - half), "--seed", str(SEED + 1))
    settle()
    found: dict[str, Any] = {}
    log = folder / "logs" / "web.log"
    with web(log, workers=WORKERS, threads=THREADS) as browser:
        for name in ("quiet", "night"):
            say(f"Writing down what {CLINICIANS} clinicians will send ...")
            entries = prepare(CLINICIANS, round(SECONDS / EVERY))
            before = counts()
            connection.close()
            say(f"Sending it for {SECONDS:.0f} s ({name}) ...")
            night = None
            if name == "night":
                # A whole one: half of the clients are new, so that every model is fitted again.
                night = threading.Thread(target=command, args=("run_nightly",))
                night.start()
            began, of_ours = time.perf_counter(), _processor_seconds()
            said = enter(browser.port, entries, every=EVERY)
            share = (_processor_seconds() - of_ours) / (time.perf_counter() - began)
            if night is not None:
                night.join()
            found[name] = judge(entries, said, before) | {"senders_share": round(share, 3)}
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """Say what came of it in words, a line each."""
    words = {"quiet": "nothing else running", "night": "with a night running"}
    return [
        f"  {row['clinicians']} clinicians, {row['sent']} pairs, {words[name]}: "
        f"p50 {row['p50_ms']:.0f} ms, p95 {row['p95_ms']:.0f} ms, slowest {row['slowest_ms']:.0f} "
        f"ms; refused {row['refused']} {row['refused_with'] or ''}, lost {row['lost']}, "
        f"doubled {row['doubled']}; sending took {row['senders_share']:.0%} of a processor"
        for name, row in found.items()
    ]
