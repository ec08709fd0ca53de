"""One cast for all tests, built by calling actions.

Alice treats Ana, and treated Boris until he moved to Bob 30 days ago; Clara left Alice 120 days
ago. Bob treats Boris, Clara and Dina. Carol works in the restricted programme with Dina (who is
also in Bob's care) and with Emil (whom nobody else knows). Sofia supervises Alice. Dora directs,
Fred is at the front desk of the whole clinic, Felix at the southern site's; Adam administers.
Ruth is a clinician with no clients: the stranger. Nobody has a demo password.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from sessions_app import actions, clinic_time
from sessions_app.context import acting_as, system
from sessions_app.models import (
    Client,
    Clinician,
    Episode,
    Programme,
    Session,
    Site,
    Supervision,
    User,
)

PASSWORD = "a long enough pass phrase"
PEOPLE = {
    "alice": ("Alice Alder", ["clinician"]),
    "bob": ("Bob Birch", ["clinician"]),
    "carol": ("Carol Cedar", ["clinician"]),
    "ruth": ("Ruth Rowan", ["clinician"]),
    "sofia": ("Sofia Spruce", ["supervisor"]),
    "dora": ("Dora Dogwood", ["director"]),
    "fred": ("Fred Fir", ["front_desk"]),
    "felix": ("Felix Fern", []),
    "adam": ("Adam Ash", ["administrator"]),
}
ROLES = ("alice", "sofia", "dora", "fred", "adam", "ruth")


@dataclass
class Clinic:
    """Who and what the tests speak of."""

    north: Site
    south: Site
    therapy: Programme
    restricted: Programme
    users: dict[str, User] = field(default_factory=dict)
    clinicians: dict[str, Clinician] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    episodes: dict[str, Episode] = field(default_factory=dict)
    sessions: dict[str, list[Session]] = field(default_factory=dict)
    supervision: Supervision | None = None

    def __getattr__(self, name: str) -> Any:
        """`clinic.alice` is a user, `clinic.ana` a client."""
        for group in ("users", "clients"):
            people = self.__dict__.get(group, {})
            if name in people:
                return people[name]
        raise AttributeError(name)


BY = system("tests")


def _register(clinic: Clinic, name: str, full: str, year: int, site: Site) -> Client:
    client = actions.register_client(
        by=BY, site=site, name=full, birth_year=year, gender="woman", email=f"{name}@mail.example"
    )
    clinic.clients[name] = client
    return client


def _attend(clinic: Clinic, key: str, days_ago: list[int]) -> None:
    today = clinic_time.today()
    clinic.sessions[key] = [
        actions.record_session(
            episode=clinic.episodes[key], held_on=today - timedelta(days=days), by=BY
        )
        for days in days_ago
    ]


def build() -> Clinic:
    """The whole cast; call within `acting_as`."""
    today = clinic_time.today()
    ago = lambda days: today - timedelta(days=days)  # noqa: E731 - reads as the day it names
    north = actions.add_site(name="North", by=BY)
    south = actions.add_site(name="South", by=BY)
    clinic = Clinic(
        north,
        south,
        actions.add_programme(name="Talking therapy", by=BY),
        actions.add_programme(name="Substance use treatment", restricted=True, by=BY),
    )
    for name, (full, roles) in PEOPLE.items():
        user = actions.add_user(email=f"{name}@clinic.example", name=full, password=PASSWORD, by=BY)
        clinic.users[name] = user
        for role in roles:
            actions.grant_role(user=user, role=role, from_on=ago(400), by=BY)
            if role == "clinician":
                clinic.clinicians[name] = actions.add_clinician(
                    name=full, code=name, user=user, site=north, by=BY
                )
    actions.grant_role(
        user=clinic.users["felix"], role="front_desk", site=south, from_on=ago(400), by=BY
    )
    clinic.supervision = actions.supervise(
        supervisor=clinic.users["sofia"],
        clinician=clinic.clinicians["alice"],
        from_on=ago(300),
        by=BY,
    )

    def episode(key: str, client: str, lead: str, opened: int, restricted: bool = False) -> None:
        clinic.episodes[key] = actions.open_episode(
            client=clinic.clients[client],
            programme=clinic.restricted if restricted else clinic.therapy,
            opened_on=ago(opened),
            lead=clinic.clinicians[lead],
            by=BY,
        )

    for name, full, year, site in (
        ("ana", "Ana Oliveira", 1990, north),
        ("boris", "Boris Petrov", 1985, north),
        ("clara", "Clara Jensen", 1978, south),
        ("dina", "Dina Haddad", 2000, north),
        ("emil", "Emil Novak", 1969, north),
    ):
        _register(clinic, name, full, year, site)
    episode("ana", "ana", "alice", 70)
    episode("boris", "boris", "alice", 120)
    episode("clara", "clara", "alice", 300)
    episode("dina", "dina", "bob", 60)
    episode("dina_restricted", "dina", "carol", 50, restricted=True)
    episode("emil", "emil", "carol", 40, restricted=True)
    bob = clinic.clinicians["bob"]
    actions.transfer_episode(
        episode=clinic.episodes["boris"], to=bob, on=ago(30), reason="Bob has evenings", by=BY
    )
    actions.transfer_episode(
        episode=clinic.episodes["clara"], to=bob, on=ago(120), reason="Alice moved sites", by=BY
    )
    _attend(clinic, "ana", [63, 56, 49, 42, 35, 28])
    _attend(clinic, "boris", [100, 93, 20])
    _attend(clinic, "dina_restricted", [45, 38])
    _attend(clinic, "emil", [33])
    return clinic


@pytest.fixture
def clinic(on_stage: Any, db: Any) -> Clinic:
    """The cast, in a transaction that is rolled back; nobody acts when the test begins."""
    if on_stage is not None:
        there: Clinic = on_stage.clinic
        return there
    with acting_as(BY):
        built = build()
    return built


@pytest.fixture
def browser_of(clinic: Clinic) -> Callable[[str], Browser]:
    """`browser_of("ruth")`: a test client signed in as one of the cast."""

    def sign_in(name: str) -> Browser:
        browser = Browser()
        browser.force_login(clinic.users[name])
        return browser

    return sign_in
