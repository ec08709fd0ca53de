"""Nights of a growing clinic: what ten times the clients take, and what a day's news takes.

Seconds are of the clock; on a machine that does other work beside it, compare the ratios.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection

from measures_app.models import Administration, Measure
from outcomes_site.benchmark.memory import Memory
from outcomes_site.benchmark.parts import SEED, command, settle
from sessions_app import bulk, clinic_time
from sessions_app.context import acting_as, system
from sessions_app.models import Clinician, Meeting, MeetingClinician, Session

GROWTH = 10
NEWS_ONE_IN = 100  # sessions held: what was called off or is booked ahead brings no scores
LAST_DAYS = 5


def run(clients: int, say: Callable[[str], object]) -> dict[str, Any]:
    """Load a tenth of the clinic, then the rest, then a day's news; a night after each.

    Parameters
    ----------
    clients : int
    say : callable
        Hears what goes on.

    Returns
    -------
    dict
        ``nights`` (a row each: what, sessions, seconds, the parts' seconds, episodes, changed,
        and the most memory that night and database held at once, see `memory`)
        and ``ratios``: ``ten_times`` (of a whole night with ten times the clients; at most 11 is
        asked) and ``news_is_one_in`` (how many nights after 1 % new sessions a whole night is
        worth; at least 6).
    """
    few = clients // GROWTH
    say(f"Simulating {few} clients ...")
    command("simulate_clinic", "--clients", str(few), "--seed", str(SEED))
    small = _night("a tenth of the clients", say)
    say(f"Simulating {clients - few} more ...")
    command("simulate_clinic", "--clients", str(clients - few), "--seed", str(SEED + 1))
    large = _night("all clients", say)
    say("Recording new sessions ...")
    record_news()
    news = _night("all, after 1 % new sessions", say)
    calm = _night("all, after nothing", say)
    return {
        "nights": [small, large, news, calm],
        "ratios": {
            "ten_times": round(large["seconds"] / small["seconds"], 2),
            "news_is_one_in": round(large["seconds"] / news["seconds"], 1),
        },
    }


def _night(what: str, say: Callable[[str], object]) -> dict[str, Any]:
    settle()
    say(f"Running a night: {what} ...")
    with Memory() as memory:
        seconds, night = command("run_nightly")
    with acting_as(system("benchmark")):
        sessions = Session.objects.count()
    connection.close()
    return {
        "what": what,
        "sessions": sessions,
        "seconds": round(seconds, 2),
        "steps": night["seconds"],
        "episodes": night["episodes"],
        "changed": night["changed"],
        "memory_mb": memory.as_dict(),
    }


def record_news() -> int:
    """A session in the last days for every so-many-th episode, with the scores it had before.

    Returns
    -------
    int
        Sessions recorded.
    """
    with acting_as(system("benchmark")):
        held = Session.objects.filter(status=Session.Status.ATTENDED)
        wanted = held.count() // NEWS_ONE_IN
        newest = (
            Administration.objects.filter(
                measure__purpose__in=[Measure.Purpose.OUTCOME, Measure.Purpose.ALLIANCE],
                superseded_at=None,
                voided=False,
                total__isnull=False,
                respondent__relation="self",
                episode__closed_on=None,
            )
            .order_by("episode_id", "measure_id", "-taken_on")
            .distinct("episode_id", "measure_id")
        )
        by_episode: dict[int, list[Administration]] = {}
        for row in newest.only(*SAME, "episode_id").iterator():
            by_episode.setdefault(row.episode_id, []).append(row)
        there = list(by_episode.items())
        there = there[:: max(len(there) // max(wanted, 1), 1)]
        chosen = [there[n % len(there)] for n in range(wanted if there else 0)]
        meetings = bulk.reserve_ids(Meeting, len(chosen))
        sessions = bulk.reserve_ids(Session, len(chosen))
        now, today = clinic_time.now(), clinic_time.today()
        days = [today - timedelta(days=n % LAST_DAYS) for n in range(len(chosen))]
        site = Meeting.objects.values_list("site", flat=True)[0]
        clinicians = list(Clinician.objects.values_list("pk", flat=True))
        bulk.copy_rows(
            Meeting,
            ["id", "starts_at"],
            [(pk, clinic_time.at(day, 8)) for pk, day in zip(meetings, days, strict=True)],
            {
                "minutes": 50, "format": "individual", "kind": "treatment", "site": site,
                "telehealth": False,
            },
        )  # fmt: skip
        bulk.copy_rows(
            MeetingClinician,
            ["meeting", "clinician"],
            [(pk, clinicians[pk % len(clinicians)]) for pk in meetings],
        )
        bulk.copy_rows(
            Session,
            ["id", "meeting", "episode", "client", "held_on"],
            [
                (pk, meeting, episode, rows[0].client_id, day)
                for pk, meeting, (episode, rows), day in zip(
                    sessions, meetings, chosen, days, strict=True
                )
            ],
            {"status": "attended", "obstacle": "", "recorded_at": now},
        )
        bulk.copy_rows(
            Administration,
            ["session", "taken_on", "taken_at", "known_on", "episode", *SAME],
            [
                (pk, day, clinic_time.at(day, 8, 5), day, episode, *(getattr(old, n) for n in SAME))
                for pk, (episode, rows), day in zip(sessions, chosen, days, strict=True)
                for old in rows
            ],
            {
                "recorded_at": now, "voided": False, "not_taken": "",
                "correction_reason_sealed": b"", "void_reason_sealed": b"",
            },
        )  # fmt: skip
        return len(chosen)


SAME = (
    "client_id", "respondent_id", "measure_id", "version_id", "norm_id", "language",
    "provenance", "manner", "answers", "total", "prorated", "age_years",
)  # fmt: skip


def lines(found: dict[str, Any]) -> list[str]:
    """Say the nights in words, a line each."""
    said = []
    for night in found["nights"]:
        steps = ", ".join(f"{name} {value:.1f} s" for name, value in night["steps"].items())
        said.append(
            f"  night   {night['seconds']:8.1f} s, {night['sessions']} sessions: {night['what']} "
            f"({night['changed']} of {night['episodes']} episodes read; {steps})"
        )
        held = night["memory_mb"]
        if held["peak"] is not None:
            said.append(
                f"          {held['peak']:8d} MB at most at once: {held['night']} the night's "
                f"processes, {held['database']} the database's (asked: 2000)"
            )
    ratios = found["ratios"]
    said.append(f"  ten times the clients take {ratios['ten_times']:.1f} times as long (asked: 11)")
    said.append(
        f"  a night after 1 % new sessions takes a {ratios['news_is_one_in']:.1f}th of a whole one "
        "(asked: a sixth)"
    )
    return said
