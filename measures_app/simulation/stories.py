"""Cases worth seeing in the demo, told score by score, as tables that `store` loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from measures_app.simulation import courses, people
from measures_app.simulation.clinic import (
    PROGRAMMES,
    TALKING,
    YOUNG,
    SimulatedClinic,
)
from measures_app.simulation.forms import CARER, ITEMS, split
from measures_app.simulation.truth import TENTHS, Truth

ALICE, BEN, CARLA, DENIZ = range(4)
SITE_OF = (0, 1, 0, 1)
SEED = 1


@dataclass(frozen=True)
class Story:
    """One client: a score a weekly session (None: not taken), the newest `last` days ago."""

    key: str
    name: str
    age: int
    gender: str
    lead: int
    problem: str
    outcome: tuple[float | None, ...] = ()
    alliance: tuple[float | None, ...] = ()
    last: int = 7
    today: int = 0  # hour of a session booked for today; 0: none
    ahead: int = 0  # days until the next booked session; 0: none
    away: tuple[tuple[int, str, str], ...] = ()  # (days ago, status, obstacle)
    programme: int = TALKING
    language: str = "en"
    source: str = "self"
    funder: str = "County contract"
    to: int = -1  # who took over
    handed_at: int = 0  # first session of the one who took over
    carers: tuple[tuple[str, tuple[float | None, ...]], ...] = ()
    sessions_before: int = 0
    ending: str = ""
    partner: str = ""  # whose meetings these are too


STORIES = (
    Story(
        "recovering", "Maya Fernandes", 34, "woman", ALICE, "low mood",
        (14.2, 15.9, 18.1, 19.5, 21.8, 22.6, 24.4),
        (33.4, 34.8, 36.0, 37.1, 37.5, 38.2, 38.4), today=13, ahead=7,
    ),
    Story(
        "worse", "Tomasz Nowak", 47, "man", ALICE, "anxiety",
        (22.4, 21.3, 19.6, 18.1, 16.4, 14.9, 13.7),
        (36.8, 36.1, 34.0, 32.7, None, 30.9, 29.6), today=14, ahead=7,
        away=((31, "late_cancel", "work"),), source="family doctor",
    ),
    Story(
        "transferred", "Grace Mensah", 29, "woman", ALICE, "trauma",
        (17.5, 18.0, 16.9, 17.4, 16.2, 17.8, 18.9, 20.6, 22.4, 23.7, 26.2),
        (34.0, 33.1, 32.8, 32.0, 31.6, 32.2, 35.9, 37.0, 37.8, 38.5, 38.6),
        to=CARLA, handed_at=7, today=13, ahead=7,
    ),
    Story(
        "late responder", "Hassan Aziz", 52, "man", BEN, "low mood",
        (15.1, 15.8, 14.9, 16.2, 15.5, 16.8, 16.1, 18.4, 20.9, 22.7, 24.3),
        (35.2, 35.9, 36.3, 36.0, 36.8, 37.0, 37.2, 37.1, 37.9, 38.0, 38.3), today=15, ahead=7,
        funder="Health plan", source="family doctor",
    ),
    Story(
        "overdue", "Lucia Marino", 38, "woman", ALICE, "relationship",
        (19.8, 20.6, 22.9, 21.7, 23.4), (36.1, 36.4, 35.0, 36.9, 36.2), last=41,
        away=((34, "no_show", "childcare"),),
    ),
    Story(
        "mid-care", "Owen Keane", 61, "man", BEN, "grief",
        (24.1, 25.6, 24.7, 26.0), (37.2, 37.0, 38.1, 37.7), sessions_before=14, ahead=1,
    ),
    Story(
        "couple", "Yuki Sato", 41, "woman", CARLA, "relationship",
        (20.3, 21.9, 23.5, 25.8, 26.4), (34.7, 35.5, 36.8, 37.0, 37.4), ahead=2,
    ),
    Story(
        "partner", "Andre Sato", 43, "man", CARLA, "relationship",
        (26.2, 25.4, 23.1, 24.9, 27.0), (35.9, 33.2, 31.8, 34.4, 36.1), ahead=2,
        partner="couple",
    ),
    Story(
        "teenager", "Zainab Rahman", 15, "woman", DENIZ, "school",
        (23.6, 22.8, 25.1, 27.4, 29.0, 30.2), (33.9, 35.0, 36.6, 36.2, 37.7, 38.0),
        today=14, programme=YOUNG, source="school",
        carers=(
            ("mother", (18.4, None, 20.1, 22.7, 24.9, 26.3)),
            ("father", (24.8, None, 25.2, None, 24.1, 27.9)),
        ),
    ),
    Story(
        "ready to finish", "Felipe Castillo", 26, "man", BEN, "anxiety",
        (18.2, 21.1, 24.5, 27.9, 30.2, 31.5, 31.2, 31.8),
        (35.5, 36.2, 37.0, 37.8, 38.4, 38.6, 39.0, 38.9), today=16, language="es",
    ),
    Story(
        "first session", "Ingrid Eriksen", 57, "woman", ALICE, "low mood", today=15,
        source="family doctor", funder="Health plan",
    ),
    Story(
        "child", "Kofi Boateng", 9, "man", DENIZ, "behaviour",
        (24.0, 26.5, None, 28.8, 31.9), (36.0, 37.5, 38.1, 37.4, 38.8), today=15,
        programme=YOUNG, carers=(("grandmother", (15.2, 17.0, 18.8, None, 23.5)),),
        source="social services",
    ),
    Story(
        "finished", "Rosa Delgado", 66, "woman", CARLA, "grief",
        (16.4, 18.9, 22.0, 24.8, 27.2, 29.5, 30.8), (36.5, 37.0, 37.9, 38.0, 38.4, 38.8, 39.2),
        last=24, ending="agreed", source="hospital",
    ),
    Story(
        "stopped coming", "Nikhil Iyer", 31, "man", DENIZ, "alcohol or drugs",
        (18.8, 17.1, 18.0), (34.2, 31.0, 30.3), last=58, ending="client_stopped",
        away=((51, "no_show", ""), (44, "no_show", "work")),
    ),
)  # fmt: skip


class _Telling:
    """Collects rows story by story."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.rng = np.random.default_rng([SEED, until])
        self.rows: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in (
                "clients", "respondents", "episodes", "assignments", "meetings", "sessions",
                "administrations",
            )
        }  # fmt: skip
        self.episode_of: dict[str, int] = {}
        self.selves: list[dict[str, Any]] = []

    def add(self, table: str, **row: Any) -> int:
        self.rows[table].append(row)
        return len(self.rows[table]) - 1

    def tell(self, number: int, story: Story) -> None:
        days = self._days(story)
        first = days[0] if days else self.until
        opened = first - (8 if days else 6)
        birth = first - round(story.age * 365.25) - 40 - 11 * (number % 9)
        closed = days[-1] + (3 if story.ending == "agreed" else 30) if story.ending else 0
        site = SITE_OF[story.lead]
        client = self.add(
            "clients", name=story.name, birth=birth, gender=story.gender, language=story.language,
            source=story.source, site=site, registered_on=opened - 5, deceased_on=0,
        )  # fmt: skip
        shared = story.partner or any(other.partner == story.key for other in STORIES)
        episode = self.add(
            "episodes", client=client, programme=story.programme, site=site, purpose="change",
            problem=story.problem, funder=story.funder, opened_on=opened,
            care_began_on=first - 9 * story.sessions_before if story.sessions_before else 0,
            sessions_before=story.sessions_before, closed_on=closed, ending=story.ending,
            format="couple" if shared else "individual",
        )  # fmt: skip
        self.episode_of[story.key] = episode
        self._respondents(client, story, opened)
        self._assign(episode, story, days, opened, closed)
        self._sessions(number, client, episode, story, days, birth)

    def _days(self, story: Story) -> list[int]:
        weeks = np.arange(len(story.outcome))[::-1]
        return [int(day) for day in courses.to_workday(self.until - story.last - 7 * weeks)]

    def _respondents(self, client: int, story: Story, opened: int) -> None:
        row = {"client": client, "language": story.language, "from_on": opened - 5}
        self.add("respondents", relation="self", label="", **row)
        for label, _scores in story.carers:
            self.add("respondents", relation="carer", label=label, **row)

    def _assign(
        self, episode: int, story: Story, days: list[int], opened: int, closed: int
    ) -> None:
        # The new lead's first session is the day after the case was handed over.
        handed = days[story.handed_at - 1] - 1 if story.handed_at else 0
        why = "a fresh start with someone trained in trauma work" if handed else ""
        row = {"episode": episode, "part": "lead", "why": why}
        self.add("assignments", clinician=story.lead, from_on=opened, to_on=handed or closed, **row)
        if handed:
            self.add("assignments", clinician=story.to, from_on=handed, to_on=closed, **row)

    def _sessions(
        self, number: int, client: int, episode: int, story: Story, days: list[int], birth: int
    ) -> None:
        hour = 13 + number % 5
        visits = [(day, "attended", "", index) for index, day in enumerate(days)]
        visits += [
            (int(courses.to_workday(np.asarray(self.until - ago))), status, obstacle, -1)
            for ago, status, obstacle in story.away
        ]
        if story.today:
            visits.append((self.until, "booked", "", -1))
        if story.ahead:
            ahead = int(courses.to_workday(np.asarray(self.until + story.ahead)))
            visits.append((max(ahead, self.until + 1), "booked", "", -1))
        for day, status, obstacle, index in sorted(visits):
            lead = story.to if story.handed_at and index + 1 >= story.handed_at else story.lead
            if status == "booked" and story.handed_at:
                lead = story.to
            minute = 60 * (story.today if status == "booked" and story.today else hour)
            meeting = self._meeting(story, day, minute, lead)
            minute = self.rows["meetings"][meeting]["minute"]
            session = self.add(
                "sessions", meeting=meeting, episode=episode, client=client, day=day,
                status=status, obstacle=obstacle, minute=minute,
            )  # fmt: skip
            if index >= 0:
                self._forms(client, episode, session, story, index, day, minute, birth)

    def _meeting(self, story: Story, day: int, minute: int, lead: int) -> int:
        if story.partner:
            other = self.episode_of[story.partner]
            for row in self.rows["sessions"]:
                if row["episode"] == other and row["day"] == day:
                    return int(row["meeting"])
        shared = any(other.partner == story.key for other in STORIES)
        return self.add(
            "meetings", day=day, minute=minute, minutes=80 if shared else 50,
            format="couple" if shared else "individual", kind="treatment", site=SITE_OF[lead],
            telehealth=story.key == "mid-care", clinician=lead,
        )  # fmt: skip

    def _forms(
        self, client: int, episode: int, session: int, story: Story, index: int, day: int,
        minute: int, birth: int,
    ) -> None:  # fmt: skip
        age = int(people.age_on(np.asarray([day]), np.asarray([birth]))[0])
        group = int(people.age_group(np.asarray(age)))
        answering = [
            number for number, row in enumerate(self.rows["respondents"]) if row["client"] == client
        ]
        asked = [
            (answering[0], group, story.outcome[index], 0),
            (answering[0], 3 + group, story.alliance[index], 45),
        ]
        asked += [
            (who, CARER, scores[index], 2)
            for who, (_label, scores) in zip(answering[1:], story.carers, strict=True)
        ]
        for respondent, measure, score, late in asked:
            total = round((score or 0) * TENTHS)
            items = split(np.asarray([total]), 1.0, self.rng)[0]
            self.add(
                "administrations", session=session, episode=episode, client=client,
                respondent=respondent, measure=measure, total=total, day=day,
                minute=minute + late, complete=True, age=age, language=story.language,
                not_taken="" if score is not None else "no_time",
                provenance="own_device" if measure == CARER else "clinic_tablet", manner="alone",
                **{f"item_{item}": int(items[item]) for item in range(ITEMS)},
            )  # fmt: skip


def tell(until: int, sites: tuple[str, ...], teams: tuple[str, ...]) -> SimulatedClinic:
    """The stories as a clinic whose clinicians are the demo's four, in their order."""
    telling = _Telling(until)
    for number, story in enumerate(STORIES):
        telling.tell(number, story)
    tables = {name: pd.DataFrame(rows) for name, rows in telling.rows.items()}
    return SimulatedClinic(
        seed=SEED,
        until=until,
        truth=Truth(),
        sites=sites,
        programmes=PROGRAMMES,
        teams=teams,
        clinicians=pd.DataFrame({"code": [], "slope": [], "warmth": []}),
        **tables,
    )
