"""Episodes of an import and who treats in them: found, compared, made, moved."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django.db.models import Max, Q

from measures_app.imports.agreement import EpisodeFacts
from measures_app.imports.ground import BATCH, EpisodeKey, Ground, named
from measures_app.imports.mapping import Mapping
from measures_app.imports.rows import Record
from sessions_app import clinic_time
from sessions_app.models import Assignment, Episode, Programme, Session


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
        last=Max("sessions__held_on", filter=attended)
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
        if episode.origin != Episode.Origin.IMPORTED and ended_on is None:
            return  # an episode entered here ends when somebody says so
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


def lay_episodes(ground: Ground, groups: dict[EpisodeKey, list[Record]], mapping: Mapping) -> None:
    programmes = named(
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


def lay_assignments(ground: Ground, groups: dict[EpisodeKey, list[Record]]) -> None:
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
