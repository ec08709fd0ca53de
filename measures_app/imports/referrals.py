"""Referrals of an import: found, compared, made; each with the care that came of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from measures_app.imports.ground import BATCH, Ground, named
from measures_app.imports.mapping import Mapping
from measures_app.imports.referred import COLUMNS, LEFT, Referred, merged
from sessions_app.models import Episode, Programme, Referral

Place = tuple[int, int]  # client, programme
FILLED = ("source", "first_offer_on", "funder")


@dataclass
class _Line:
    """One client's referrals to one programme, and the care there."""

    said: list[Referred] = field(default_factory=list)
    stored: dict[date, Referral] = field(default_factory=dict)
    episodes: list[Episode] = field(default_factory=list)


class _Writer:
    def __init__(self, ground: Ground, mapping: Mapping, died: set[int]) -> None:
        self.ground, self.mapping, self.died = ground, mapping, died
        self.episodes: list[Episode] = []
        self.new: list[Referral] = []
        self.changed: list[Referral] = []

    def refuse(self, one: Referred, name: str, value: Any, why: str, stored: Any = "") -> None:
        name = COLUMNS.get(name, name)
        self.ground.refuse(one, self.mapping.columns.get(name, name), value, why, stored)

    def line(self, programme: Programme, line: _Line) -> None:
        received = sorted({*line.stored, *(one.received_on for one in line.said)})
        taken = {row.episode_id for row in line.stored.values()} - {None}
        waiting = [row for row in line.stored.values() if row.waits]
        for one in sorted(line.said, key=lambda one: one.received_on):
            after = next((day for day in received if day > one.received_on), date.max)
            row = line.stored.get(one.received_on) or Referral(
                client=self.ground.clients[one.client],
                programme=programme,
                site=self.ground.sites[one.site],
                received_on=one.received_on,
            )
            waited = row.waits and row.pk is not None
            changed = self.fill(one, row) | self.end(one, row, line.episodes, taken, after)
            if row.pk is None:
                self.new.append(row)
            elif changed:
                self.changed.append(row)
            if row.waits and not waited:
                waiting.append(row)
            elif waited and not row.waits:
                waiting.remove(row)
            if row.waits and one.client and row.client_id in self.died:
                self.refuse(one, "client", one.client, "this client has died: say what came of it")
            if row.waits and len(waiting) > 1:
                other = next(each for each in waiting if each is not row)
                why = "waits for this programme already: say what came of the other referral"
                self.refuse(one, "referred_on", one.received_on, why, other.received_on)

    def fill(self, one: Referred, row: Referral) -> bool:
        """What the row says and nobody said before; whether there was any."""
        changed = False
        for name in FILLED:
            said, there = getattr(one, name), getattr(row, name)
            if said in (None, "") or said == there:
                continue
            if there not in (None, ""):
                self.refuse(one, name, said, "says otherwise than the referral stored here", there)
                continue
            setattr(row, name, said)
            changed = True
        return changed

    def end(
        self, one: Referred, row: Referral, episodes: list[Episode], taken: set[Any], after: date
    ) -> bool:
        """What came of it: as said, or the care that began before the next referral."""
        if not row.waits:
            differs = one.outcome and one.outcome != row.outcome
            if differs or (one.outcome in LEFT and one.outcome_on != row.outcome_on):
                why = "something else came of the referral stored here"
                self.refuse(one, "outcome", one.outcome, why, f"{row.outcome} {row.outcome_on}")
            return False
        if one.outcome in LEFT:
            row.outcome, row.outcome_on = one.outcome, one.outcome_on
            return True
        episode = self.care(one, episodes, taken, after)
        if episode is None and one.outcome and one.outcome_on is not None:
            episode = self.opened(one, row)
        if episode is None:
            if one.outcome:
                why = (
                    "care began, but none is known that opened in this programme on that day or "
                    "later: bring its sessions too, or say when (referral_outcome_on)"
                )
                self.refuse(one, "outcome", one.outcome, why)
            return False
        if row.first_offer_on is not None and row.first_offer_on > episode.opened_on:
            why = "lies after the day on which care began"
            self.refuse(one, "first_offer_on", row.first_offer_on, why, episode.opened_on)
        if episode.pk is not None:
            taken.add(episode.pk)
        row.episode, row.outcome = episode, Referral.Outcome.ACCEPTED
        row.outcome_on = one.outcome_on or episode.opened_on
        return True

    def opened(self, one: Referred, row: Referral) -> Episode:
        """Care that was agreed on a day, of which no session is known yet."""
        assert one.outcome_on is not None  # its caller's
        episode = Episode(
            client=row.client,
            programme=row.programme,
            site=row.site,
            reference=one.reference,
            origin=Episode.Origin.IMPORTED,
            funder=row.funder,
            opened_on=one.outcome_on,
        )
        self.episodes.append(episode)
        return episode

    def care(
        self, one: Referred, episodes: list[Episode], taken: set[Any], after: date
    ) -> Episode | None:
        """The first that opened from then on, or the one that is named; nobody else's."""
        for episode in episodes:
            if episode.pk in taken or episode.opened_on < one.received_on:
                continue
            if one.episode and episode.reference != one.episode:
                continue
            if one.episode or episode.opened_on < after:
                return episode
        return None


def said_against(referred: list[Referred]) -> list[Any]:
    """What rows say against one another."""
    return [problem for _one, problems in merged(referred) for problem in problems]


def lay_referrals(ground: Ground, referred: list[Referred], mapping: Mapping) -> None:
    """Write what isn't there; what speaks against it stands in the ground's `problems`."""
    if not referred:
        return
    programmes = named(ground, Programme, {one.programme for one in referred}, "programmes")
    ids = {name: client.pk for name, client in ground.clients.items()}
    lines: dict[Place, _Line] = defaultdict(_Line)
    for one, _problems in merged(referred):
        lines[ids[one.client], programmes[one.programme].pk].said.append(one)
    clients = {client for client, _programme in lines}
    for row in Referral.objects.filter(client__in=clients):
        lines[row.client_id, row.programme_id].stored[row.received_on] = row
    died = {client.pk for client in ground.clients.values() if client.deceased_on is not None}
    for episode in Episode.objects.filter(client__in=clients).order_by("opened_on", "pk"):
        lines[episode.client_id, episode.programme_id].episodes.append(episode)
        if episode.ending == Episode.Ending.DIED:
            died.add(episode.client_id)
    by_id = {programme.pk: programme for programme in programmes.values()}
    writer = _Writer(ground, mapping, died)
    for (_client, programme), line in lines.items():
        if line.said:
            writer.line(by_id[programme], line)
    if ground.problems:
        return
    Episode.objects.bulk_create(writer.episodes, batch_size=BATCH)
    ground.created["episodes"] += len(writer.episodes)
    # Those that end first: only one waits for a programme at a time.
    Referral.objects.bulk_update(
        writer.changed,
        ["source", "first_offer_on", "funder", "outcome", "outcome_on", "episode"],
        batch_size=BATCH,
    )
    Referral.objects.bulk_create(writer.new, batch_size=BATCH)
    ground.created["referrals"] += len(writer.new)
    ground.created["referrals_changed"] += len(writer.changed)
