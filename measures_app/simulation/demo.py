"""The demo clinic: people who can sign in, a year of care, and stories worth seeing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from measures_app import measures
from measures_app.simulation import courses
from measures_app.simulation.clinic import SimulatedClinic, generate
from measures_app.simulation.store import BY, day_number, store
from measures_app.simulation.stories import STORIES, tell
from sessions_app import actions, clinic_time
from sessions_app.models import (
    Client,
    Clinician,
    Episode,
    Installation,
    Programme,
    RoleGrant,
    Session,
    Site,
    Team,
    User,
)

CLINIC_NAME = "Riverside Community Clinic (demo)"
SITES = ("Riverside", "Hillcrest")
TEAMS = ("Adults", "Young people and families")
CLIENTS, MONTHS, SEED = 110, 12, 20
TODAY_FROM, TODAY_MOST = 9, 2  # sessions of simulated clients a morning, each clinician
ARRIVED = 3
# New people on the waiting list: name, who referred, days ago, days ago of the first offer.
WAITING = (
    ("Noor Ahmadi", "doctor", 58, None),
    ("Teo Marchetti", "self", 33, 6),
    ("Brigid Walsh", "hospital", 21, None),
    ("Samuel Osei", "family", 12, 4),
    ("Lotte de Vries", "doctor", 3, None),
)
FRIDAY = 4

Role = RoleGrant.Role


class NotEmpty(RuntimeError):
    """The database is in use: a demo needs one of its own."""


@dataclass(frozen=True)
class Person:
    """Someone who signs in to the demo."""

    email: str
    name: str
    role: str


CLINICIANS = (
    Person("alice@demo.example", "Alice Morgan", Role.CLINICIAN),
    Person("ben@demo.example", "Ben Okafor", Role.CLINICIAN),
    Person("carla@demo.example", "Carla Reyes", Role.CLINICIAN),
    Person("deniz@demo.example", "Deniz Yilmaz", Role.CLINICIAN),
)
OTHERS = (
    Person("samira@demo.example", "Samira Haddad", Role.SUPERVISOR),
    Person("dolores@demo.example", "Dolores Lindqvist", Role.DIRECTOR),
    Person("frank@demo.example", "Frank Nguyen", Role.FRONT_DESK),
    Person("ada@demo.example", "Ada Kowalska", Role.ADMINISTRATOR),
)
# In the order in which someone new looks around.
PEOPLE = (CLINICIANS[0], OTHERS[0], OTHERS[1], *OTHERS[2:], *CLINICIANS[1:])


def is_loaded() -> bool:
    return Installation.objects.filter(demo=True).exists()


def new_logins() -> list[dict[str, str]]:
    """Give everybody in the demo a new random password: email, password, role, name."""
    logins = []
    for person in PEOPLE:
        user = User.objects.get(email=person.email)
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        user.save(update_fields=["password"])
        role = str(Role(person.role).label)
        logins.append(
            {"email": person.email, "password": password, "role": role, "name": person.name}
        )
    return logins


def load() -> dict[str, int]:
    """Fill an empty database; call within a unit of work of the system.

    Raises
    ------
    NotEmpty
        When somebody can sign in already or a client is registered.
    """
    if Client.objects.exists() or User.objects.exists():
        raise NotEmpty(
            "This database is in use: a demo waives rules that protect people, so it is loaded "
            "into an empty database only."
        )
    today = clinic_time.today()
    until = day_number(today)
    Installation.objects.update_or_create(id=1, defaults={"demo": True, "clinic_name": CLINIC_NAME})
    measures.sync_library()
    staff = _people(today)
    year = generate(
        CLIENTS, SEED, until, months=MONTHS, clinicians=len(staff), sites=SITES, teams=TEAMS
    )
    _fill_the_week(year)
    counts = store(year, staff)
    told = store(tell(until, SITES, TEAMS), staff)
    _decisions(today)
    _arrivals(today)
    _waiting_list(today)
    return {name: counts[name] + told[name] for name in counts if name != "clinicians"}


def _people(today: date) -> list[Clinician]:
    since = today - timedelta(days=800)
    sites: list[Site] = [actions.add_site(name=name, by=BY) for name in SITES]
    teams: list[Team] = [
        actions.add_team(name=name, site=site, by=BY)
        for name, site in zip(TEAMS, sites, strict=True)
    ]
    users = {}
    for person in PEOPLE:
        user = actions.add_user(email=person.email, name=person.name, by=BY)
        actions.grant_role(user=user, role=person.role, from_on=since, by=BY)
        users[person.email] = user
    staff = [
        actions.add_clinician(
            name=person.name,
            code=person.email.partition("@")[0],
            user=users[person.email],
            site=sites[number % 2],
            team=teams[number % 2],
            active_from=since,
            by=BY,
        )
        for number, person in enumerate(CLINICIANS)
    ]
    for clinician in staff:
        actions.supervise(
            supervisor=users[OTHERS[0].email], clinician=clinician, from_on=since, by=BY
        )
    return staff


def _next_workday(day: int) -> int:
    at = int(courses.weekday(np.asarray(day)))
    return day + {FRIDAY: 3, FRIDAY + 1: 2}.get(at, 1)


def _fill_the_week(clinic: SimulatedClinic) -> None:
    """Bring each clinician's next bookings to today's morning and the mornings after it."""
    sessions, meetings = clinic.sessions, clinic.meetings
    booked = sessions[(sessions["status"] == "booked") & (sessions["format"] == "individual")]
    for _clinician, mine in booked.groupby("clinician"):
        day = clinic.until
        for place, row in enumerate(mine.sort_values(["day", "episode"]).itertuples()):
            if place and place % TODAY_MOST == 0:
                day = _next_workday(day)
            hour = TODAY_FROM + place % TODAY_MOST
            sessions.loc[row.Index, ["day", "minute"]] = [day, 60 * hour]
            meetings.loc[row.meeting, ["day", "minute"]] = [day, 60 * hour]


def _episode(key: str) -> Episode:
    name = next(story.name for story in STORIES if story.key == key)
    # The stories were stored last: somebody of the same name before them is somebody else.
    client = Client.objects.named(name).order_by("-pk").first()
    return Episode.objects.get(client=client)


def _decisions(today: date) -> None:
    """What was talked about and decided in two of the stories."""
    actions.record_case_review(
        episode=_episode("transferred"),
        decision="transfer",
        by=User.objects.get(email=OTHERS[0].email),
        reviewed_on=today - timedelta(days=41),
        session_number=6,
        note="Six sessions without change and the alliance going down. Carla offers trauma work.",
        client_said="She would like to try it, and asked for a first meeting with both.",
    )
    actions.record_case_review(
        episode=_episode("late responder"),
        decision="change_approach",
        change_of="method",
        by=User.objects.get(email=CLINICIANS[1].email),
        reviewed_on=today - timedelta(days=33),
        session_number=7,
        note="Good alliance, no change. From talking it over to trying things out between times.",
        client_said="He feels heard and would like homework he can show his wife.",
        follow_up_on=today + timedelta(days=5),
    )


def _arrivals(today: date) -> None:
    """A few of today's clients are in the waiting room already."""
    waiting = Session.objects.filter(held_on=today, status=Session.Status.BOOKED)
    first = waiting.order_by("meeting__starts_at", "pk")[:ARRIVED]
    of_alice = waiting.filter(meeting__clinicians__code="alice").order_by("meeting__starts_at")[:1]
    for session in {session.pk: session for session in [*first, *of_alice]}.values():
        actions.mark_arrived(session=session, by=BY)


def _waiting_list(today: date) -> None:
    """People who were referred and haven't been seen: beside those who come back."""
    sites, programme = list(Site.objects.order_by("pk")), Programme.objects.earliest("pk")
    for number, (name, source, received, offered) in enumerate(WAITING):
        site = sites[number % len(sites)]
        referral = actions.receive_referral(
            client=actions.register_client(site=site, name=name, birth_year=1980, by=BY),
            programme=programme,
            received_on=today - timedelta(days=received),
            source=source,
            by=BY,
        )
        if offered is not None:
            actions.offer_first(referral=referral, on=today - timedelta(days=offered), by=BY)
