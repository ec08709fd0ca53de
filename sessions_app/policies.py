"""Clinic policies: dated values over the defaults below. One row a change; the past stays."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from sessions_app import clinic_time
from sessions_app.context import noted
from sessions_app.prepared import Prepared

ROLES = ("clinician", "supervisor", "director", "front_desk", "administrator")
DEFAULTS: dict[str, Any] = {
    "former_assignment_days": 90,  # how long a past clinician still sees a client
    "review_budget_per_week": 6,  # review flags a supervisor can look at in a week
    "open_flag_days": 42,  # a review flag that nobody took up in this time lapses, said so
    "first_checkpoint": 3,  # session of the first checkpoint (a prompt)
    "second_checkpoint": 6,  # session of `no_progress`
    "not_improved_above": 0.65,  # chance of ending unimproved from which `not_on_track` speaks
    "deteriorated_above": 0.25,  # and of ending reliably worse
    "overdue_factor": 2.0,  # times the client's own rhythm
    "stopping_above": 0.4,  # chance of four weeks without a session: `at_risk_of_stopping`
    # Expected benefit of looking above which a reason reaches the queue at once; the others wait
    # and climb. 0: all at once. The back-test says which value keeps the weekly room.
    "notice_above": 0.0,
    # Whether that value moves a little from week to week so that a year keeps its room.
    "line_follows_count": True,
    # Whether the expected change of parts of the clinic is fitted apart (both: of each pair).
    "strata_by_programme": False,
    "strata_by_age": False,
    "small_cell_limit": 8,  # counts below it stay blank in files that leave the clinic
    "closing_day": 10,  # of the next month: before it an edition is provisional
    "return_reopens_days": 60,  # a return within this reopens the episode
    "waiting_limit_days": 42,  # from referral to being seen first: longer stands out on the list
    "clinician_numbers_for_directors": False,
    "alert_pass_minutes": 15,  # an answer that can't wait passes on after each
    # Whether a role signs in with a second factor. One role that must is enough.
    "second_factor_clinician": True,
    "second_factor_supervisor": True,
    "second_factor_director": True,
    "second_factor_front_desk": True,
    "second_factor_administrator": True,
    # Whether one shown to the clinic's own sign-in service (single sign-on) counts as such.
    "provider_second_factor": False,
    # A pause after which a sign-in rests until a PIN, passkey or password takes it up (minutes),
    # and how long it lasts at most (hours). The strictest of a person's roles counts.
    "idle_minutes_clinician": 15,
    "idle_minutes_supervisor": 15,
    "idle_minutes_director": 15,
    "idle_minutes_front_desk": 15,
    "idle_minutes_administrator": 10,
    "sign_in_hours_clinician": 12,
    "sign_in_hours_supervisor": 12,
    "sign_in_hours_director": 12,
    "sign_in_hours_front_desk": 12,
    "sign_in_hours_administrator": 8,
    "sent_kept_days": 30,  # mails and events that were sent: that they were, not what they said
    "emergency_hours": 4,  # how long emergency access to a client lasts at most
    "ask_again_minutes": 10,  # settings and exports: password or second factor within these
}


# What each is called on a page, and the values that make sense: lowest, highest.
WORDS: dict[str, Any] = {
    "former_assignment_days": _("Days that a past clinician still sees a client"),
    "review_budget_per_week": _("Cases a supervisor can look at in a week"),
    "open_flag_days": _("Days after which a case that nobody took up leaves the list"),
    "first_checkpoint": _("Session of the first checkpoint"),
    "second_checkpoint": _("Session by which a clear change is looked for"),
    "not_improved_above": _("Noticed above this chance of ending without a reliable change"),
    "deteriorated_above": _("Noticed above this chance of ending further from the goal"),
    "overdue_factor": _("Overdue after so many times the client's own rhythm"),
    "stopping_above": _("Chance of stopping from which a client is noticed (0 to 1)"),
    "notice_above": _("Benefit of looking from which a case is noticed at once (0: every case)"),
    "line_follows_count": _(
        "That benefit follows the count of cases, so that a year keeps its room"
    ),
    "strata_by_programme": _("Programmes with enough clients have an expected change of their own"),
    "strata_by_age": _("Age groups with enough clients have an expected change of their own"),
    "small_cell_limit": _("Counts below this stay blank in files that leave the clinic"),
    "closing_day": _("Day of the next month on which a month closes"),
    "return_reopens_days": _("Days within which a return reopens the episode"),
    "waiting_limit_days": _("Days from a referral within which somebody should be seen"),
    "clinician_numbers_for_directors": _("Directors see each clinician's numbers"),
    "alert_pass_minutes": _("Minutes after which an unseen alert passes to the next person"),
    "second_factor_clinician": _("Clinicians sign in with a second factor"),
    "second_factor_supervisor": _("Supervisors sign in with a second factor"),
    "second_factor_director": _("Directors sign in with a second factor"),
    "second_factor_front_desk": _("The front desk signs in with a second factor"),
    "second_factor_administrator": _("Administrators sign in with a second factor"),
    "provider_second_factor": _("A second factor shown at single sign-on counts here"),
    "idle_minutes_clinician": _("Minutes after which a clinician's sign-in rests"),
    "idle_minutes_supervisor": _("Minutes after which a supervisor's sign-in rests"),
    "idle_minutes_director": _("Minutes after which a director's sign-in rests"),
    "idle_minutes_front_desk": _("Minutes after which the front desk's sign-in rests"),
    "idle_minutes_administrator": _("Minutes after which an administrator's sign-in rests"),
    "sign_in_hours_clinician": _("Hours after which a clinician signs in anew"),
    "sign_in_hours_supervisor": _("Hours after which a supervisor signs in anew"),
    "sign_in_hours_director": _("Hours after which a director signs in anew"),
    "sign_in_hours_front_desk": _("Hours after which the front desk signs in anew"),
    "sign_in_hours_administrator": _("Hours after which an administrator signs in anew"),
    "sent_kept_days": _("Days that it is known which messages and events were sent"),
    "emergency_hours": _("Hours that emergency access to a client lasts at most"),
    "ask_again_minutes": _("Minutes after which settings and exports ask who is there"),
}
RANGES: dict[str, tuple[float, float]] = {
    "former_assignment_days": (0, 3650),
    "review_budget_per_week": (0, 1000),
    "open_flag_days": (7, 365),
    "first_checkpoint": (2, 60),
    "second_checkpoint": (2, 60),
    "not_improved_above": (0.05, 0.99),
    "deteriorated_above": (0.01, 0.99),
    "overdue_factor": (1, 20),
    "stopping_above": (0.05, 0.95),
    "notice_above": (0, 10),
    "small_cell_limit": (1, 100),
    "closing_day": (1, 28),
    "return_reopens_days": (0, 3650),
    "waiting_limit_days": (1, 730),
    "alert_pass_minutes": (1, 1440),
    **{f"idle_minutes_{role}": (1, 240) for role in ROLES},
    **{f"sign_in_hours_{role}": (1, 24) for role in ROLES},
    "ask_again_minutes": (1, 240),
    # The week's mails are told from those still to be promised by the rows of that week.
    "sent_kept_days": (8, 3650),
    "emergency_hours": (1, 24),
}


# Who comes to see more by being set to yes is announced so many days before, to all concerned, and
# what happened before that day stays unseen.
WIDENING = ("clinician_numbers_for_directors",)
ANNOUNCED_DAYS = 30


class UnknownPolicy(KeyError):
    """There is no policy by this name."""


NOTED = "policies"


def _from(least: Any) -> Any:
    from sessions_app.models import Policy

    rows = Policy.objects.filter(pk__gte=least[0]).order_by("from_on", "id")
    return rows.values_list("key", "value", "from_on")


_EVER_SET = Prepared(_from)


def _set() -> list[tuple[Any, ...]]:
    """Every policy ever set, oldest first: (key, value, first day)."""
    return _EVER_SET.rows([0])


def get(key: str, on: date | None = None) -> Any:
    """The value in force on a day (today when not given)."""
    if key not in DEFAULTS:
        raise UnknownPolicy(key)
    return all_on(on)[key]


def all_on(day: date | None = None) -> dict[str, Any]:
    """Every policy in force on a day."""
    day = day or clinic_time.today()
    newest = {key: value for key, value, from_on in noted(NOTED, _set) if from_on <= day}
    return {key: newest.get(key, default) for key, default in DEFAULTS.items()}


def since(key: str) -> date | None:
    """The day from which a policy has been on without a break; None where it is off today."""
    if not get(key):
        return None
    today, found = clinic_time.today(), None
    for name, value, from_on in noted(NOTED, _set):
        if name == key and from_on <= today:
            found = (found or from_on) if value else None
    return found


def announced(key: str) -> date | None:
    """The day from which a policy that is off today will be on; None where none is decided."""
    today, state, found = clinic_time.today(), get(key), None
    for name, value, from_on in noted(NOTED, _set):
        if name == key and from_on > today:
            found = (found or from_on) if value and not state else None
    return found
