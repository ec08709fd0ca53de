"""Bulk creation of what an import's scores hang on: clients, episodes, assignments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django.db.models import Count, Max, Q

from measures_app.imports.agreement import EpisodeFacts, episodes_of, said
from measures_app.imports.mapping import Mapping
from measures_app.imports.rows import Problem, Record
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
    Session,
    Site,
)

BATCH = 2000
EpisodeKey = tuple[str, str]  # the file's client, our reference
OWN_NUMBERS = "clinic"  # the source of numbers typed when a client was registered here


@dataclass
class Ground:
    """Looked-up and new rows by the names that the file uses for them."""

    clients: dict[str, Client] = field(default_factory=dict)
    respondents: dict[tuple[str, str], Respondent] = field(default_factory=dict)
    episodes: dict[EpisodeKey, Episode] = field(default_factory=dict)
    clinicians: dict[str, Clinician] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, record: Record, column: str, value: Any, why: str, stored: Any) -> None:
        self.problems.append(Problem(record.row, column, str(value), why, str(stored)))


def _named(ground: Ground, model: Any, names: set[str], kind: str) -> dict[str, Any]:
    found = {row.name: row for row in model.objects.filter(name__in=names)}
    new = [model(name=name) for name in sorted(names - set(found))]
    ground.created[kind] += len(new)
    return found | {row.name: row for row in model.objects.bulk_create(new)}


def _clinicians(ground: Ground, names: set[str]) -> dict[str, Clinician]:
    """By code, else by a name that one clinician alone has, else new."""
    found = {row.code: row for row in Clinician.objects.filter(code__in=names)}
    named: dict[str, list[Clinician]] = defaultdict(list)
    for row in Clinician.objects.filter(name__in=names - set(found)):
        named[row.name].append(row)
    found |= {name: rows[0] for name, rows in named.items() if len(rows) == 1}
    new = [Clinician(name=name, code=name) for name in sorted(names - set(found))]
    ground.created["clinicians"] += len(new)
    return found | {row.code: row for row in Clinician.objects.bulk_create(new)}


def _known_clients(names: Iterable[str], source: str) -> dict[str, Client]:
    """Clients by the file's numbers.

    Without a source of its own a file may also mean the clinic's own numbers, or our codes.
    """
    ids = ExternalId.objects.filter(value__in=names).select_related("client")
    found = {row.value: row.client for row in ids.filter(source=source or "import")}
    if not source:
        found = {row.value: row.client for row in ids.filter(source=OWN_NUMBERS)} | found
        codes = {name.upper(): name for name in names if name not in found}
        for client in Client.objects.filter(code__in=codes, key__destroyed_at=None):
            found[codes[client.code]] = client
    return found


def _clients(ground: Ground, records: list[Record], mapping: Mapping) -> None:
    rows_of: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        rows_of[record.client].append(record)
    ground.clients = _known_clients(list(rows_of), mapping.source)
    for name, client in ground.clients.items():
        _compare_birth(ground, client, rows_of[name], mapping)
    names = [name for name in rows_of if name not in ground.clients]
    codes = _codes(len(names))
    new = Client.objects.bulk_create(
        (
            Client(
                code=code,
                site=ground.sites[rows_of[name][0].site],
                birth_year=said(rows_of[name], "birth_year"),
                gender=said(rows_of[name], "gender"),
                language=said(rows_of[name], "language") or "en",
            )
            for name, code in zip(names, codes, strict=True)
        ),
        batch_size=BATCH,
    )
    keys, ids, selves = [], [], []
    for name, client in zip(names, new, strict=True):
        wrapped, key_id = sealing.wrap(sealing.new_key(), f"client-key:{client.pk}")
        keys.append(ClientKey(client=client, wrapped=wrapped, master_key_id=key_id))
        ids.append(ExternalId(client=client, source=mapping.source or "import", value=name))
        began = min(min(r.opened_on or r.held_on, r.held_on) for r in rows_of[name])
        selves.append(Respondent(client=client, language=client.language, from_on=began))
        ground.clients[name] = client
    ClientKey.objects.bulk_create(keys, batch_size=BATCH)
    ExternalId.objects.bulk_create(ids, batch_size=BATCH)
    Respondent.objects.bulk_create(selves, batch_size=BATCH)
    ground.created["clients"] += len(new)


def _compare_birth(ground: Ground, client: Client, rows: list[Record], mapping: Mapping) -> None:
    """Another year of birth under the same number is most likely another person."""
    for row in rows:
        if row.birth_year is None or client.birth_year is None:
            continue
        if abs(row.birth_year - client.birth_year) > (1 if row.by_age else 0):
            name = "age" if row.by_age else "birth_year"
            why = "the client known here by this number was born in another year"
            column = mapping.columns.get(name, name)
            ground.refuse(row, column, row.birth_year, why, client.birth_year)


def _codes(count: int) -> list[str]:
    codes: set[str] = set()
    while len(codes) < count:
        codes |= {new_code() for _ in range(count - len(codes))}
        codes -= set(Client.objects.filter(code__in=codes).values_list("code", flat=True))
    return sorted(codes)


def _respondents(ground: Ground, records: list[Record]) -> None:
    wanted: dict[tuple[str, str], date] = {}
    for record in records:
        key = (record.client, record.relation)
        wanted[key] = min(record.held_on, wanted.get(key, record.held_on))
    names = {client.pk: name for name, client in ground.clients.items()}
    earlier = []
    for row in Respondent.objects.filter(client__in=ground.clients.values()).order_by("-pk"):
        key = (names[row.client_id], row.relation)
        ground.respondents[key] = row
        if key in wanted and wanted[key] < row.from_on:
            row.from_on = wanted[key]
            earlier.append(row)
    Respondent.objects.bulk_update(earlier, ["from_on"], batch_size=BATCH)
    new = {
        key: Respondent(client=ground.clients[key[0]], relation=key[1], from_on=day)
        for key, day in wanted.items()
        if key not in ground.respondents
    }
    Respondent.objects.bulk_create(new.values(), batch_size=BATCH)
    ground.respondents |= new


def ending_of(
    facts: EpisodeFacts, mapping: Mapping, last: date
) -> tuple[date | None, str, date | None]:
    """(closed_on, ending, day it was known) of an episode; Nones while it is open.

    Without a session for `ended_after_days` the episode ended at its `last` attended session,
    for a reason not known, and that could be known when those days had passed.
    """
    ended_on, word = facts.said("ended_on"), facts.said("ending")
    if ended_on is not None:
        return ended_on, word or Episode.Ending.UNKNOWN, ended_on
    if word:
        return last, word, last
    if mapping.ended_after_days is not None:
        known = last + timedelta(days=mapping.ended_after_days)
        if known < clinic_time.today():
            return last, Episode.Ending.UNKNOWN, known
    return None, "", None


def _inferred(episode: Episode) -> bool:
    """Whether the stored ending only says that no session had come for some time."""
    return (
        episode.origin == Episode.Origin.IMPORTED
        and episode.ending == Episode.Ending.UNKNOWN
        and episode.closed_on is not None
        and clinic_time.local_date(episode.closed_recorded_at) > episode.closed_on
    )


def _stored_episodes(
    ground: Ground, groups: dict[EpisodeKey, list[Record]], programmes: dict[str, Programme]
) -> dict[int, date]:
    """Find the episodes that are here already; returns their last attended days by id.

    An episode that was entered here has no reference: rows of its programme that name none
    either belong to it, if the client has one such episode.
    """
    names = {client.pk: name for name, client in ground.clients.items()}
    entered: dict[tuple[str, int], list[Episode]] = defaultdict(list)
    lasts: dict[int, date] = {}
    attended = Q(sessions__status=Session.Status.ATTENDED)
    for row in Episode.objects.filter(client__in=ground.clients.values()).annotate(
        held=Count("sessions"), last=Max("sessions__held_on", filter=attended)
    ):
        if row.reference:
            ground.episodes[names[row.client_id], row.reference] = row
        else:
            entered[names[row.client_id], row.programme_id].append(row)
        if row.last is not None:
            lasts[row.pk] = row.last
    for key, rows in groups.items():
        programme = programmes[rows[0].programme].pk
        if key not in ground.episodes and not rows[0].episode:
            one = entered.get((key[0], programme), [])
            if len(one) == 1:
                ground.episodes[key] = one[0]
    return lasts


class _Update:
    """A stored episode against what the file says of it: `changed`, or refused."""

    def __init__(self, ground: Ground, mapping: Mapping, episode: Episode, facts: EpisodeFacts):
        self.ground, self.mapping = ground, mapping
        self.episode, self.facts = episode, facts
        self.changed = False

    def _refuse(self, record: Record, name: str, value: Any, why: str, stored: Any) -> None:
        self.ground.refuse(record, self.mapping.columns.get(name, name), value, why, stored)

    def _row_that_says(self, name: str) -> Record:
        return next((r for r in self.facts.records if getattr(r, name)), self.facts.records[0])

    def opening(self) -> None:
        """Earlier rows of an imported episode move its opening; an entered one stands."""
        episode, facts = self.episode, self.facts
        earliest = min(facts.opened_on or facts.first, facts.first)
        movable = episode.origin == Episode.Origin.IMPORTED
        if earliest < episode.opened_on and movable:
            episode.opened_on = earliest
            self.changed = True
            if episode.care_began_on is not None and episode.care_began_on > earliest:
                episode.care_began_on = None
        if facts.opened_on is not None and facts.opened_on != episode.opened_on:
            why = "the episode stored here opened on another day"
            row = self._row_that_says("opened_on")
            self._refuse(row, "opened_on", facts.opened_on, why, episode.opened_on)
        for record in facts.records:
            if record.held_on < episode.opened_on:
                why = "lies before the opening of the episode stored here"
                self._refuse(record, "session_date", record.held_on, why, episode.opened_on)

    def ending(self, last: date | None) -> None:
        """A stated ending stands; one that only said "no session since" gives way to sessions."""
        episode, facts = self.episode, self.facts
        ended_on = facts.said("ended_on")
        if episode.closed_on is not None and not _inferred(episode):
            if ended_on is not None and ended_on != episode.closed_on:
                why = "the episode stored here ended on another day"
                row = self._row_that_says("ended_on")
                self._refuse(row, "ended_on", ended_on, why, episode.closed_on)
            for record in facts.records:
                if record.held_on > episode.closed_on and ended_on is None:
                    why = "lies after the end of the episode stored here"
                    self._refuse(record, "session_date", record.held_on, why, episode.closed_on)
            return
        if last is not None and ended_on is not None and ended_on < last:
            why = "lies before the last session stored here"
            self._refuse(self._row_that_says("ended_on"), "ended_on", ended_on, why, last)
        closing = _closing(facts, self.mapping, max(facts.last, last or facts.last))
        still_open = closing["closed_on"] is None
        if still_open and episode.closed_on is not None and facts.last <= episode.closed_on:
            return  # nothing here speaks against the ending
        if any(getattr(episode, name) != value for name, value in closing.items()):
            for name, value in closing.items():
                setattr(episode, name, value)
            self.changed = True


def _closing(facts: EpisodeFacts, mapping: Mapping, last: date) -> dict[str, Any]:
    closed_on, ending, known_on = ending_of(facts, mapping, last)
    return {
        "closed_on": closed_on,
        "ending": ending,
        "closed_recorded_at": clinic_time.at(known_on, 23, 59) if known_on else None,
    }


def _episodes(ground: Ground, groups: dict[EpisodeKey, list[Record]], mapping: Mapping) -> None:
    programmes = _named(
        ground, Programme, {rows[0].programme for rows in groups.values()}, "programmes"
    )
    lasts = _stored_episodes(ground, groups, programmes)
    new: dict[EpisodeKey, Episode] = {}
    changed: list[Episode] = []
    for key, rows in groups.items():
        facts = EpisodeFacts(rows)
        episode = ground.episodes.get(key)
        if episode is not None:
            update = _Update(ground, mapping, episode, facts)
            update.opening()
            update.ending(lasts.get(episode.pk))
            if update.changed:
                changed.append(episode)
            continue
        new[key] = Episode(
            client=ground.clients[key[0]],
            programme=programmes[rows[0].programme],
            site=ground.sites[rows[0].site],
            reference=key[1],
            origin=Episode.Origin.IMPORTED,
            problem=facts.said("problem"),
            funder=facts.said("funder"),
            opened_on=facts.opened_on or facts.first,
            care_began_on=facts.said("care_began_on"),
            **_closing(facts, mapping, facts.last),
        )
    if ground.problems:
        return
    Episode.objects.bulk_create(new.values(), batch_size=BATCH)
    Episode.objects.bulk_update(
        changed,
        ["opened_on", "care_began_on", "closed_on", "ending", "closed_recorded_at"],
        batch_size=BATCH,
    )
    ground.episodes |= new
    ground.created["episodes"] += len(new)
    ground.created["episodes_changed"] += len(changed)


def _assignments(ground: Ground, groups: dict[EpisodeKey, list[Record]]) -> None:
    """One lead after another, as the rows name them; the last stays open while the episode is."""
    stored: dict[int, list[Assignment]] = defaultdict(list)
    of = [ground.episodes[key].pk for key in groups]
    for row in Assignment.objects.filter(episode__in=of, part=Assignment.Part.LEAD).order_by(
        "from_on", "pk"
    ):
        stored[row.episode_id].append(row)
    new: list[Assignment] = []
    changed: dict[int, Assignment] = {}
    for key, rows in groups.items():
        episode = ground.episodes[key]
        leads = stored[episode.pk]
        last = leads[-1] if leads else None
        if leads and leads[0].from_on > episode.opened_on:
            leads[0].from_on = episode.opened_on
            changed[leads[0].pk] = leads[0]
        named = sorted((r for r in rows if r.clinician), key=lambda r: r.held_on)
        for code, run in groupby(named, key=lambda r: r.clinician):
            clinician, day = ground.clinicians[code], next(run).held_on
            if last is not None:
                if last.clinician_id == clinician.pk or day < last.from_on:
                    continue
                if last.to_on is None or last.to_on > day:
                    last.to_on = day
                    if last.pk:
                        changed[last.pk] = last
            last = Assignment(
                episode=episode,
                clinician=clinician,
                from_on=day if last is not None else episode.opened_on,
            )
            new.append(last)
        if last is None:
            continue
        ends = max(episode.closed_on, last.from_on) if episode.closed_on else None
        # An ending that gave way to later sessions gives its lead back.
        if last.to_on != ends and (ends is not None or episode.origin == Episode.Origin.IMPORTED):
            last.to_on = ends
            if last.pk:
                changed[last.pk] = last
    Assignment.objects.bulk_update(changed.values(), ["from_on", "to_on"], batch_size=BATCH)
    Assignment.objects.bulk_create(new, batch_size=BATCH)


def lay(records: list[Record], mapping: Mapping) -> Ground:
    """Find or create everything that the records' sessions and scores refer to.

    What speaks against the stored rows stands in the result's `problems`; then what was
    written must be taken back.
    """
    ground = Ground()
    ground.sites = _named(ground, Site, {r.site for r in records}, "sites")
    ground.clinicians = _clinicians(ground, {r.clinician for r in records if r.clinician})
    _clients(ground, records, mapping)
    groups = episodes_of(records)
    _episodes(ground, groups, mapping)
    if not ground.problems:
        _respondents(ground, records)
        _assignments(ground, groups)
    return ground
