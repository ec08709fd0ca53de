"""Bulk creation of what an import's scores hang on: clients, episodes, assignments."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from measures_app.imports.mapping import Mapping
from measures_app.imports.rows import Record
from sessions_app import clinic_time, sealing
from sessions_app.actions import new_code
from sessions_app.models import (
    Assignment,
    Client,
    ClientKey,
    Clinician,
    Episode,
    ExternalId,
    Programme,
    Respondent,
    Site,
)

BATCH = 2000
EpisodeKey = tuple[str, str]  # the file's client, our reference


def reference_of(record: Record) -> str:
    return record.episode or f"imported: {record.programme}"[:80]


@dataclass
class Ground:
    """Looked-up and new rows by the names that the file uses for them."""

    clients: dict[str, Client] = field(default_factory=dict)
    respondents: dict[tuple[str, str], Respondent] = field(default_factory=dict)
    episodes: dict[EpisodeKey, Episode] = field(default_factory=dict)
    clinicians: dict[str, Clinician] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def _named(ground: Ground, model: Any, names: set[str], kind: str) -> dict[str, Any]:
    found = {row.name: row for row in model.objects.filter(name__in=names)}
    new = [model(name=name) for name in sorted(names - set(found))]
    ground.created[kind] += len(new)
    return found | {row.name: row for row in model.objects.bulk_create(new)}


def _clinicians(ground: Ground, codes: set[str]) -> dict[str, Clinician]:
    found = {row.code: row for row in Clinician.objects.filter(code__in=codes)}
    new = [Clinician(name=code, code=code) for code in sorted(codes - set(found))]
    ground.created["clinicians"] += len(new)
    return found | {row.code: row for row in Clinician.objects.bulk_create(new)}


def _clients(ground: Ground, records: list[Record], source: str) -> None:
    first = {}
    for record in records:
        first.setdefault(record.client, record)
    known = ExternalId.objects.filter(source=source, value__in=first).select_related("client")
    ground.clients = {row.value: row.client for row in known}
    names = [name for name in first if name not in ground.clients]
    codes = _codes(len(names))
    new = Client.objects.bulk_create(
        (
            Client(
                code=code,
                site=ground.sites[first[name].site],
                birth_year=first[name].birth_year,
                gender=first[name].gender,
                language=first[name].language,
            )
            for name, code in zip(names, codes, strict=True)
        ),
        batch_size=BATCH,
    )
    keys, ids, selves = [], [], []
    for name, client in zip(names, new, strict=True):
        wrapped, key_id = sealing.wrap(sealing.new_key(), f"client-key:{client.pk}")
        keys.append(ClientKey(client=client, wrapped=wrapped, master_key_id=key_id))
        ids.append(ExternalId(client=client, source=source, value=name))
        began = first[name].opened_on or first[name].held_on
        selves.append(Respondent(client=client, language=client.language, from_on=began))
        ground.clients[name] = client
    ClientKey.objects.bulk_create(keys, batch_size=BATCH)
    ExternalId.objects.bulk_create(ids, batch_size=BATCH)
    Respondent.objects.bulk_create(selves, batch_size=BATCH)
    ground.created["clients"] += len(new)


def _codes(count: int) -> list[str]:
    codes: set[str] = set()
    while len(codes) < count:
        codes |= {new_code() for _ in range(count - len(codes))}
        codes -= set(Client.objects.filter(code__in=codes).values_list("code", flat=True))
    return sorted(codes)


def _respondents(ground: Ground, records: list[Record]) -> None:
    wanted = {(record.client, record.relation): record.held_on for record in reversed(records)}
    names = {client.pk: name for name, client in ground.clients.items()}
    for row in Respondent.objects.filter(client__in=ground.clients.values()).order_by("-pk"):
        ground.respondents[names[row.client_id], row.relation] = row
    new = {
        key: Respondent(client=ground.clients[key[0]], relation=key[1], from_on=day)
        for key, day in wanted.items()
        if key not in ground.respondents
    }
    Respondent.objects.bulk_create(new.values(), batch_size=BATCH)
    ground.respondents |= new


def ending_of(records: list[Record], mapping: Mapping) -> tuple[date | None, str, date | None]:
    """(closed_on, ending, day it was known) of an episode's rows; Nones while it is open.

    Without a session for `ended_after_days` the episode ended at its last attended session, for
    a reason not known, and that could be known when those days had passed.
    """
    said = next((r for r in records if r.ended_on), None)
    if said is not None:
        return said.ended_on, said.ending or Episode.Ending.UNKNOWN, said.ended_on
    last = max(r.held_on for r in records)
    word = next((r.ending for r in records if r.ending), "")
    if word:
        return last, word, last
    if mapping.ended_after_days is not None:
        known = last + timedelta(days=mapping.ended_after_days)
        if known < clinic_time.today():
            return last, Episode.Ending.UNKNOWN, known
    return None, "", None


def _episodes(ground: Ground, groups: dict[EpisodeKey, list[Record]], mapping: Mapping) -> None:
    programmes = _named(
        ground, Programme, {rows[0].programme for rows in groups.values()}, "programmes"
    )
    names = {client.pk: name for name, client in ground.clients.items()}
    for row in Episode.objects.filter(client__in=ground.clients.values()).exclude(reference=""):
        ground.episodes[names[row.client_id], row.reference] = row
    new: dict[EpisodeKey, Episode] = {}
    ended: list[Episode] = []
    for key, rows in groups.items():
        closed_on, ending, known_on = ending_of(rows, mapping)
        closing = {
            "closed_on": closed_on,
            "ending": ending,
            "closed_recorded_at": clinic_time.at(known_on, 23, 59) if known_on else None,
        }
        episode = ground.episodes.get(key)
        if episode is None:
            head = rows[0]
            new[key] = Episode(
                client=ground.clients[key[0]],
                programme=programmes[head.programme],
                site=ground.sites[head.site],
                reference=key[1],
                origin=Episode.Origin.IMPORTED,
                problem=head.problem,
                funder=head.funder,
                opened_on=head.opened_on or min(r.held_on for r in rows),
                care_began_on=head.care_began_on,
                **closing,
            )
        elif episode.is_open and closed_on is not None:
            for name, value in closing.items():
                setattr(episode, name, value)
            ended.append(episode)
    Episode.objects.bulk_create(new.values(), batch_size=BATCH)
    Episode.objects.bulk_update(ended, ["closed_on", "ending", "closed_recorded_at"])
    ground.episodes |= new
    ground.created["episodes"] += len(new)
    ground.created["endings"] += len(ended)


def _assignments(ground: Ground, groups: dict[EpisodeKey, list[Record]]) -> None:
    """One lead after another, as the rows name them; the last stays open while the episode is."""
    leads: dict[int, Assignment] = {}
    of = [ground.episodes[key].pk for key in groups]
    for row in Assignment.objects.filter(episode__in=of, part=Assignment.Part.LEAD).order_by(
        "from_on", "pk"
    ):
        leads[row.episode_id] = row
    new: list[Assignment] = []
    changed: list[Assignment] = []
    for key, rows in groups.items():
        episode = ground.episodes[key]
        last = leads.get(episode.pk)
        named = sorted((r for r in rows if r.clinician), key=lambda r: r.held_on)
        for code, run in groupby(named, key=lambda r: r.clinician):
            day = next(run).held_on
            if last is not None and (
                last.clinician.code == code or day < last.from_on or last.to_on is not None
            ):
                continue
            if last is not None:
                last.to_on = day
                changed.append(last)
            last = Assignment(
                episode=episode,
                clinician=ground.clinicians[code],
                from_on=day if last is not None else episode.opened_on,
            )
            new.append(last)
        if last is not None and episode.closed_on is not None and last.to_on is None:
            last.to_on = max(episode.closed_on, last.from_on)
            changed.append(last)
    stored = [row for row in changed if row.pk]
    Assignment.objects.bulk_update(stored, ["to_on"], batch_size=BATCH)
    Assignment.objects.bulk_create(new, batch_size=BATCH)


def lay(records: list[Record], mapping: Mapping) -> Ground:
    """Find or create everything that the records' sessions and scores refer to."""
    ground = Ground()
    ground.sites = _named(ground, Site, {r.site for r in records}, "sites")
    ground.clinicians = _clinicians(ground, {r.clinician for r in records if r.clinician})
    _clients(ground, records, mapping.source)
    _respondents(ground, records)
    groups: dict[EpisodeKey, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.client, reference_of(record)].append(record)
    _episodes(ground, groups, mapping)
    _assignments(ground, groups)
    return ground
