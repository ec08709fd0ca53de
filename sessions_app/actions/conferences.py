"""A case conference is called, its agenda set, and it ends; decisions are recorded one by one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Max

from sessions_app import access, audit, clinic_time, rights
from sessions_app.atomic import action
from sessions_app.context import user_of
from sessions_app.models import CaseConference, ConferenceCase, Episode, User

MINUTES = (1, 120)
MOST_CASES = 40
USUAL_MINUTES = 10


@action
def call_conference(
    *, held_on: date, people: Iterable[User] = (), episodes: Iterable[Episode] = (), by: Any
) -> CaseConference:
    """Ask people to a conference on a day, with these cases on its agenda, in this order."""
    rights.require(by, "decide")
    if held_on < clinic_time.today():
        raise ValidationError({"held_on": "Name today or a day to come."})
    people = list(people)
    for person in people:
        if not person.is_active or not rights.may(person, "see_clinical"):
            raise ValidationError({"people": f"{person} sees no cases."})
    conference = CaseConference.objects.create(held_on=held_on, called_by=user_of(by))
    conference.people.set(people)
    audit.record(
        "conference called", subject_kind="conference", subject=conference.pk, by=by,
        people=len(people),
    )  # fmt: skip
    for episode in episodes:
        add_to_conference(conference=conference, episode=episode, by=by)
    return conference


def _theirs(conference: CaseConference, by: Any) -> CaseConference:
    """The conference, locked, while it isn't over, for whoever called it or is asked to it."""
    rights.require(by, "decide")
    conference = CaseConference.objects.select_for_update().get(pk=conference.pk)
    user = user_of(by)
    theirs = user is None or user.pk == conference.called_by_id
    if not theirs and not conference.people.filter(pk=user.pk).exists():
        raise ValidationError("Whoever called the conference, and those asked to it, set it.")
    if conference.is_over:
        raise ValidationError("This conference is over: its agenda stays as it was.")
    return conference


def _checked(episode: Episode, minutes: int, presenter: User | None) -> None:
    low, high = MINUTES
    if not low <= minutes <= high:
        raise ValidationError({"minutes": f"Between {low} and {high} minutes."})
    if presenter is not None and not access.people_seeing(episode).filter(pk=presenter.pk).exists():
        raise ValidationError({"presenter": f"{presenter} may not see this client."})


@action
def add_to_conference(
    *,
    conference: CaseConference,
    episode: Episode,
    by: Any,
    minutes: int = USUAL_MINUTES,
    presenter: User | None = None,
) -> ConferenceCase:
    """Put a case at the end of the agenda; who treats the client presents, unless another does."""
    conference = _theirs(conference, by)
    if (
        not Episode.objects.visible_to(by if user_of(by) is None else user_of(by))
        .filter(pk=episode.pk)
        .exists()
    ):
        raise ValidationError({"episode": "This case isn't in your scope."})
    if not episode.is_open:
        raise ValidationError({"episode": "The episode has ended: there is nothing to decide."})
    if presenter is None:
        presenter = _who_treats(episode)
    _checked(episode, minutes, presenter)
    cases = ConferenceCase.objects.filter(conference=conference)
    if cases.filter(episode=episode).exists():
        raise ValidationError({"episode": "This case is on the agenda already."})
    if cases.count() >= MOST_CASES:
        raise ValidationError({"episode": f"At most {MOST_CASES} cases: call a second conference."})
    last = cases.aggregate(last=Max("place"))["last"] or 0
    case = ConferenceCase.objects.create(
        conference=conference,
        episode=episode,
        client_id=episode.client_id,
        place=last + 1,
        minutes=minutes,
        presenter=presenter,
    )
    audit.record(
        "case put on agenda", subject_kind="client", subject=episode.client.code, by=by,
        conference=conference.pk,
    )  # fmt: skip
    return case


def _who_treats(episode: Episode) -> User | None:
    lead = episode.assignments.filter(part="lead", to_on=None).select_related("clinician__user")
    found = lead.first()
    user = found.clinician.user if found else None
    if user is None or not access.people_seeing(episode).filter(pk=user.pk).exists():
        return None
    return user


@action
def set_conference_case(
    *, case: ConferenceCase, minutes: int, presenter: User | None, by: Any
) -> ConferenceCase:
    """How long a case is talked about, and who presents it."""
    _theirs(case.conference, by)
    _checked(case.episode, minutes, presenter)
    case.minutes, case.presenter = minutes, presenter
    case.save(update_fields=["minutes", "presenter"])
    audit.record(
        "agenda changed", subject_kind="client", subject=case.client.code, by=by,
        conference=case.conference_id, minutes=minutes,
    )  # fmt: skip
    return case


@action
def move_conference_case(*, case: ConferenceCase, later: bool, by: Any) -> ConferenceCase:
    """One place earlier or later among the cases the person sees; at the end it stays."""
    _theirs(case.conference, by)
    cases = list(ConferenceCase.objects.select_for_update().filter(conference=case.conference_id))
    at = next(i for i, one in enumerate(cases) if one.pk == case.pk)
    other = at + (1 if later else -1)
    if 0 <= other < len(cases):
        mine, theirs = cases[at], cases[other]
        mine.place, theirs.place = theirs.place, mine.place
        ConferenceCase.objects.bulk_update([mine, theirs], ["place"])
        case.place = mine.place
    audit.record(
        "agenda changed", subject_kind="client", subject=case.client.code, by=by,
        conference=case.conference_id, place=case.place,
    )  # fmt: skip
    return case


@action
def take_off_agenda(*, case: ConferenceCase, by: Any) -> None:
    """Take a case off; one that was decided on in the conference stays."""
    conference = _theirs(case.conference, by)
    if conference.reviews.filter(episode=case.episode_id).exists():
        raise ValidationError("A decision was recorded in this conference: the case stays on it.")
    audit.record(
        "case taken off agenda", subject_kind="client", subject=case.client.code, by=by,
        conference=conference.pk,
    )  # fmt: skip
    case.delete()


@action
def end_conference(*, conference: CaseConference, by: Any) -> CaseConference:
    """The conference is over: what was decided in it are its minutes."""
    conference = _theirs(conference, by)
    user = user_of(by)
    if user is None or user.pk != conference.called_by_id:
        raise ValidationError("Whoever called the conference ends it.")
    conference.ended_at, conference.ended_by = clinic_time.now(), user
    conference.save(update_fields=["ended_at", "ended_by"])
    audit.record(
        "conference ended", subject_kind="conference", subject=conference.pk, by=by,
        decisions=conference.reviews.count(),
    )  # fmt: skip
    return conference
