"""The people of an import: clients, respondents, clinicians; and where it all begins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from measures_app.imports.agreement import episodes_of, said
from measures_app.imports.episodes import lay_assignments, lay_episodes
from measures_app.imports.ground import BATCH, Ground, named
from measures_app.imports.mapping import Mapping
from measures_app.imports.referrals import lay_referrals
from measures_app.imports.referred import Referred
from measures_app.imports.rows import Record
from sessions_app import sealing
from sessions_app.actions import new_code
from sessions_app.models import (
    Client,
    ClientKey,
    Clinician,
    ExternalId,
    Respondent,
    Site,
)

OWN_NUMBERS = "clinic"  # the source of numbers typed when a client was registered here


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


def _clients(ground: Ground, records: list[Any], mapping: Mapping) -> None:
    rows_of: dict[str, list[Any]] = defaultdict(list)
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


def _compare_birth(ground: Ground, client: Client, rows: list[Any], mapping: Mapping) -> None:
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


def lay(records: list[Record], mapping: Mapping, referred: list[Referred]) -> Ground:
    """Find or create everything that the records' sessions and scores refer to; and referrals.

    What speaks against the stored rows stands in the result's `problems`; then what was
    written must be taken back.
    """
    ground = Ground()
    ground.sites = named(ground, Site, {r.site for r in (*records, *referred)}, "sites")
    ground.clinicians = _clinicians(ground, {r.clinician for r in records if r.clinician})
    _clients(ground, [*records, *referred], mapping)
    groups = episodes_of(records)
    lay_episodes(ground, groups, mapping)
    if not ground.problems:
        _respondents(ground, records)
        lay_assignments(ground, groups)
        lay_referrals(ground, referred, mapping)
    return ground
