"""A synthetic clinic goes into the database in bulk, under row-level security like any other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from measures_app import measures
from measures_app.models import Administration
from measures_app.simulation import people
from measures_app.simulation.clinic import SimulatedClinic
from measures_app.simulation.forms import ITEMS, MEASURES
from sessions_app import actions, audit, bulk, clinic_time, sealing
from sessions_app.context import system
from sessions_app.models import (
    Assignment,
    Client,
    ClientIdentity,
    ClientKey,
    Clinician,
    Episode,
    Installation,
    Meeting,
    MeetingClinician,
    NameHash,
    Programme,
    Referral,
    Respondent,
    Session,
    Site,
    Team,
)

EPOCH = date(1970, 1, 1)
BY = system("simulation")
MARKS = ['"' + str(tenths / 10) + '"' for tenths in range(101)] + ["null"]  # [-1] is untouched


class RealClients(RuntimeError):
    """The database holds people: a synthetic clinic has no place beside them."""


def refuse_real_clients() -> None:
    """Raise unless there are no clients, or simulated ones, or this is a demo.

    Raises
    ------
    RealClients
    """
    if Installation.objects.filter(demo=True).exists():
        return
    simulated = Episode.objects.filter(origin=Episode.Origin.SIMULATED)
    real = Client.objects.exclude(pk__in=simulated.values("client_id")).count()
    if real:
        raise RealClients(
            f"This database holds {real} {'client' if real == 1 else 'clients'} who were not "
            "simulated. Made-up people beside real ones would spoil every number of the clinic "
            "and could be taken for patients. Use an empty database."
        )


def day_number(day: date) -> int:
    return (day - EPOCH).days


@lru_cache(maxsize=65536)
def _day(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()


def _date(day: int) -> str | None:
    """A day that may be missing: 0. (A birth day never is: somebody was born on that very day.)"""
    return _day(day) if day else None


@lru_cache(maxsize=65536)
def _hour(day: int, hour: int) -> str:
    return clinic_time.at(EPOCH + timedelta(days=day), hour).isoformat()


def _moment(day: int, minute: int) -> str:
    # The offset stands at the end of the text; the minutes are put where they belong.
    hour = _hour(day, minute // 60)
    return f"{hour[:14]}{minute % 60:02d}{hour[16:]}"


def _named(model: Any, name: str, add: Any, **more: Any) -> Any:
    return model.objects.filter(name=name).first() or add(name=name, by=BY, **more)


class _Places:
    """Rows that may be there already: sites, programmes, teams, clinicians, measures."""

    def __init__(self, clinic: SimulatedClinic, staff: Sequence[Clinician] | None) -> None:
        self.sites = [_named(Site, name, actions.add_site).pk for name in clinic.sites]
        self.programmes = [
            _named(Programme, name, actions.add_programme, restricted=restricted).pk
            for name, restricted in clinic.programmes
        ]
        self.clinicians = [c.pk for c in staff] if staff else self._staff(clinic)
        self.measures = [measures.get_measure(code) for code in MEASURES]
        self.versions = [measures.current_version(measure) for measure in self.measures]
        self.forms = []
        for version in self.versions:
            ids = [item.id for item in measures.definition_of(version).items]
            if len(ids) != ITEMS:
                raise ValueError(f"{version.measure.code} no longer has {ITEMS} items.")
            self.forms.append("{" + ", ".join(f'"{name}": %s' for name in ids) + "}")

    def _staff(self, clinic: SimulatedClinic) -> list[int]:
        teams = [_named(Team, name, actions.add_team).pk for name in clinic.teams]
        known = dict(
            Clinician.objects.filter(code__in=list(clinic.clinicians["code"])).values_list(
                "code", "pk"
            )
        )
        new = Clinician.objects.bulk_create(
            Clinician(
                name=row.name,
                code=row.code,
                site_id=self.sites[row.site],
                team_id=teams[row.team],
                trainee=row.trainee,
            )
            for row in clinic.clinicians.itertuples(index=False)
            if row.code not in known
        )
        known |= {row.code: row.pk for row in new}
        return [known[code] for code in clinic.clinicians["code"]]


def _ids(keys: range, index: Any) -> list[int]:
    """The new keys of row numbers."""
    return (np.asarray(index) + keys.start).tolist()


def _lists(table: Any, *names: str) -> list[list[Any]]:
    return [table[name].tolist() for name in names]


def _clients(clinic: SimulatedClinic, places: _Places) -> tuple[range, list[bytes]]:
    table = clinic.clients
    keys = bulk.reserve_ids(Client, len(table))
    birth, gender, language, site, registered, died = _lists(
        table, "birth", "gender", "language", "site", "registered_on", "deceased_on"
    )
    recorded = people.attributes(len(table))
    codes = clinic.codes(frozenset(Client.objects.values_list("code", flat=True)))
    bulk.copy_rows(
        Client,
        [
            "id",
            "code",
            "site",
            "language",
            "birth_year",
            "gender",
            "deceased_on",
            "registered_at",
            "attributes",
        ],
        (
            (
                key,
                codes[i],
                places.sites[site[i]],
                language[i],
                int(_day(birth[i])[:4]),
                gender[i],
                _date(died[i]),
                _hour(registered[i], 9),
                recorded[i],
            )
            for i, key in enumerate(keys)
        ),
    )
    return keys, _identities(keys, table["name"].tolist(), birth)


def _identities(keys: range, names: list[str], birth: list[int]) -> list[bytes]:
    """Keys and sealed identities as registering a person makes them; the keys, unwrapped."""
    hashes: dict[str, set[bytes]] = {}
    secrets = []
    wrapped, sealed, found = [], [], []
    for key, name, born in zip(keys, names, birth, strict=True):
        secret = sealing.new_key()
        secrets.append(secret)
        wrapped.append((key, *sealing.wrap(secret, f"client-key:{key}")))
        known = {
            "name": name,
            "birth_date": _day(born),
            "email": f"{name.replace(' ', '.').lower()}@mail.example",
        }
        sealed.append((key, sealing.encrypt(secret, json.dumps(known).encode(), f"identity:{key}")))
        of_client: set[bytes] = set()
        for word in name.split():
            if word not in hashes:
                hashes[word] = sealing.name_hashes(word)
            of_client |= hashes[word]
        found += [(key, digest) for digest in sorted(of_client)]
    bulk.copy_rows(ClientKey, ["client", "wrapped", "master_key_id"], wrapped)
    bulk.copy_rows(ClientIdentity, ["client", "sealed"], sealed)
    bulk.copy_rows(NameHash, ["client", "hash"], found)
    return secrets


def _respondents(clinic: SimulatedClinic, clients: range) -> range:
    table = clinic.respondents
    keys = bulk.reserve_ids(Respondent, len(table))
    rows = zip(
        keys,
        _ids(clients, table["client"]),
        *_lists(table, "relation", "label", "language"),
        map(_date, table["from_on"].tolist()),
        strict=True,
    )
    bulk.copy_rows(
        Respondent,
        ["id", "client", "relation", "label", "language", "from_on"],
        rows,
        {"contact_sealed": b"", "may_see": []},
    )
    return keys


def _episodes(
    clinic: SimulatedClinic, places: _Places, clients: range, secrets: list[bytes]
) -> range:
    table = clinic.episodes
    keys = bulk.reserve_ids(Episode, len(table))
    closed = table["closed_on"].tolist()
    before = [number or None for number in table["sessions_before"].tolist()]
    opened = [_date(day) for day in table["opened_on"].tolist()]
    rows = zip(
        keys,
        _ids(clients, table["client"]),
        [places.programmes[number] for number in table["programme"].tolist()],
        [places.sites[number] for number in table["site"].tolist()],
        *_lists(table, "purpose", "problem", "funder"),
        opened,
        opened,
        map(_date, table["care_began_on"].tolist()),
        before,
        map(_date, closed),
        [_hour(day, 17) if day else None for day in closed],
        table["ending"].tolist(),
        strict=True,
    )
    bulk.copy_rows(
        Episode,
        [
            "id",
            "client",
            "programme",
            "site",
            "purpose",
            "problem",
            "funder",
            "opened_on",
            "purpose_agreed_on",
            "care_began_on",
            "sessions_before",
            "closed_on",
            "closed_recorded_at",
            "ending",
        ],
        rows,
        {"origin": Episode.Origin.SIMULATED, "reference": ""},
    )
    handed = clinic.assignments
    of_client = table["client"].to_numpy()[handed["episode"].to_numpy()].tolist()
    reasons = [
        sealing.encrypt(secrets[number], why.encode(), f"assignment-why:{clients[number]}")
        if why
        else b""
        for number, why in zip(of_client, handed["why"].tolist(), strict=True)
    ]
    bulk.copy_rows(
        Assignment,
        ["episode", "clinician", "part", "from_on", "to_on", "why_sealed"],
        zip(
            _ids(keys, handed["episode"]),
            [places.clinicians[number] for number in handed["clinician"].tolist()],
            handed["part"].tolist(),
            map(_date, handed["from_on"].tolist()),
            map(_date, handed["to_on"].tolist()),
            reasons,
            strict=True,
        ),
    )
    return keys


def _referrals(clinic: SimulatedClinic, places: _Places, clients: range, episodes: range) -> None:
    table = clinic.referrals
    if table.empty:
        return
    rows = zip(
        _ids(clients, table["client"]),
        [places.programmes[number] for number in table["programme"].tolist()],
        [places.sites[number] for number in table["site"].tolist()],
        *_lists(table, "source", "funder", "outcome"),
        *(
            [_date(day) for day in table[name].tolist()]
            for name in ("received_on", "offered_on", "outcome_on")
        ),
        [None if number < 0 else episodes[number] for number in table["episode"].tolist()],
        [_hour(day, 10) for day in table["received_on"].tolist()],
        strict=True,
    )
    bulk.copy_rows(
        Referral,
        ["client", "programme", "site", "source", "funder", "outcome", "received_on",
         "first_offer_on", "outcome_on", "episode", "recorded_at"],
        rows,
    )  # fmt: skip


def _diary(clinic: SimulatedClinic, places: _Places, clients: range, episodes: range) -> range:
    table = clinic.meetings
    meetings = bulk.reserve_ids(Meeting, len(table))
    day, minute = _lists(table, "day", "minute")
    bulk.copy_rows(
        Meeting,
        ["id", "starts_at", "minutes", "format", "kind", "site", "telehealth"],
        zip(
            meetings,
            map(_moment, day, minute),
            *_lists(table, "minutes", "format", "kind"),
            [places.sites[number] for number in table["site"].tolist()],
            table["telehealth"].tolist(),
            strict=True,
        ),
    )
    who = [places.clinicians[number] for number in table["clinician"].tolist()]
    bulk.copy_rows(MeetingClinician, ["meeting", "clinician"], zip(meetings, who, strict=True))
    table = clinic.sessions
    sessions = bulk.reserve_ids(Session, len(table))
    day, minute, status = _lists(table, "day", "minute", "status")
    # A booking was made the week before; what was held was recorded within the hour.
    recorded = [
        _hour(min(d - 7, clinic.until - 1), 9) if s == "booked" else _moment(d, m + 50)
        for d, m, s in zip(day, minute, status, strict=True)
    ]
    bulk.copy_rows(
        Session,
        ["id", "meeting", "episode", "client", "held_on", "status", "obstacle", "recorded_at"],
        zip(
            sessions,
            _ids(meetings, table["meeting"]),
            _ids(episodes, table["episode"]),
            _ids(clients, table["client"]),
            map(_date, day),
            status,
            table["obstacle"].tolist(),
            recorded,
            strict=True,
        ),
    )
    return sessions


def _administrations(
    clinic: SimulatedClinic,
    places: _Places,
    keys: tuple[range, range, range, range],
) -> int:
    clients, respondents, episodes, sessions = keys
    table = clinic.administrations
    measure, age, day = _lists(table, "measure", "age", "day")
    norms = {
        pair: getattr(measures.norm_for(places.measures[pair[0]], pair[1]), "pk", None)
        for pair in set(zip(measure, age, strict=True))
    }
    answers: list[str | None] = []
    totals: list[str | None] = []
    marks = zip(*_lists(table, *(f"item_{number}" for number in range(ITEMS))), strict=True)
    for number, reason, total, complete, items in zip(
        *_lists(table, "measure", "not_taken", "total", "complete"), marks, strict=True
    ):
        taken = reason == ""
        answers.append(places.forms[number] % tuple(MARKS[i] for i in items) if taken else None)
        totals.append(str(total / 10) if taken and complete else None)
    moments = list(map(_moment, day, table["minute"].tolist()))
    dates = list(map(_date, day))
    return bulk.copy_rows(
        Administration,
        [
            "client",
            "episode",
            "session",
            "respondent",
            "measure",
            "version",
            "norm",
            "language",
            "provenance",
            "manner",
            "answers",
            "total",
            "not_taken",
            "taken_at",
            "recorded_at",
            "taken_on",
            "known_on",
            "age_years",
        ],
        zip(
            _ids(clients, table["client"]),
            _ids(episodes, table["episode"]),
            _ids(sessions, table["session"]),
            _ids(respondents, table["respondent"]),
            [places.measures[number].pk for number in measure],
            [places.versions[number].pk for number in measure],
            [norms[pair] for pair in zip(measure, age, strict=True)],
            *_lists(table, "language", "provenance", "manner"),
            answers,
            totals,
            table["not_taken"].tolist(),
            moments,
            moments,
            dates,
            dates,
            age,
            strict=True,
        ),
        {
            "prorated": False,
            "correction_reason_sealed": b"",
            "voided": False,
            "void_reason_sealed": b"",
        },
    )


def store(clinic: SimulatedClinic, staff: Sequence[Clinician] | None = None) -> dict[str, int]:
    """Load a generated clinic; call within a unit of work of the system.

    Parameters
    ----------
    staff : sequence of Clinician, optional
        Who stands for the clinic's clinicians, in their order; else they are added by code.

    Returns
    -------
    dict
        Rows by table.

    Raises
    ------
    RealClients
    """
    refuse_real_clients()
    places = _Places(clinic, staff)
    clients, secrets = _clients(clinic, places)
    respondents = _respondents(clinic, clients)
    episodes = _episodes(clinic, places, clients, secrets)
    sessions = _diary(clinic, places, clients, episodes)
    _referrals(clinic, places, clients, episodes)
    _administrations(clinic, places, (clients, respondents, episodes, sessions))
    counts = clinic.counts()
    audit.record("clinic simulated", subject_kind="clinic", by=BY, seed=clinic.seed, **counts)
    return counts
