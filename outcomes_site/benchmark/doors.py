"""Who is signed in while pages are measured, and which pages they open."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db.models import Count
from django.urls import reverse

from measures_app.due import due_at
from outcomes_site.benchmark import respondents
from outcomes_site.benchmark.parts import BenchProblem
from sessions_app import actions, clinic_time
from sessions_app.at_each_request import SessionStore
from sessions_app.context import acting_as, system
from sessions_app.models import Assignment, Clinician, Episode, Session, User
from sessions_app.second_factor import BACKEND, MET

BY = system("bench")
SHOWN = 40  # clients of a clinician whose pages are opened in turn
SUPERVISED = 8


@dataclass
class Person:
    """Someone signed in: their cookie, and whose clients they are shown."""

    user: User
    clients: list[str] = field(default_factory=list)
    cookie: str = ""


def signed_in(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    # The password was typed just now: exports don't ask again.
    record_authentication(SimpleNamespace(session=session), user, "password")  # type: ignore[arg-type]
    session[MET] = user.pk  # as of somebody who has set it up
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def _person(name: str, role: str) -> Person:
    user = actions.add_user(email=f"{name}@bench.example", name=f"Bench {name}", by=BY)
    actions.grant_role(user=user, role=role, from_on=clinic_time.today(), by=BY)
    return Person(user)


@dataclass
class Cast:
    """Clinicians of small, middling and large caseload, and one person of each other role."""

    clinicians: list[Person]
    supervisor: Person
    director: Person
    front_desk: Person
    administrator: Person
    respondent: respondents.Respondents

    def of(self, role: str) -> list[Any]:
        people = getattr(self, "clinicians" if role == "clinician" else role)
        return people if isinstance(people, list) else [people]


def leads_of(clinician: Clinician) -> Any:
    return Assignment.objects.filter(clinician=clinician, part=Assignment.Part.LEAD, to_on=None)


def invite() -> Cast:
    """Accounts with sessions for people of every role."""
    with acting_as(BY):
        loads = list(
            Clinician.objects.filter(assignments__part="lead", assignments__to_on=None)
            .annotate(caseload=Count("assignments"))
            .order_by("caseload", "pk")
        )
        if not loads:
            raise BenchProblem("The simulated clinic has no open episodes: give more --clients.")
        clinicians = []
        for place in (0, len(loads) // 2, len(loads) - 1):
            clinician = loads[place]
            if clinician.user_id is not None:
                continue
            person = _person(f"clinician{place}", "clinician")
            clinician.user = person.user
            clinician.save(update_fields=["user"])
            person.clients = list(
                leads_of(clinician).values_list("episode__client__code", flat=True)[:SHOWN]
            )
            clinicians.append(person)
        cast = Cast(
            clinicians,
            _person("supervisor", "supervisor"),
            _person("director", "director"),
            _person("desk", "front_desk"),
            _person("administrator", "administrator"),
            respondents.Respondents(clinicians[0].user),
        )
        for clinician in loads[-SUPERVISED:]:
            actions.supervise(supervisor=cast.supervisor.user, clinician=clinician, by=BY)
            cast.supervisor.clients += leads_of(clinician).values_list(
                "episode__client__code", flat=True
            )[:10]
        for person in (*clinicians, cast.supervisor, cast.director, cast.front_desk,
                       cast.administrator):  # fmt: skip
            person.cookie = signed_in(person.user)
    return cast


@dataclass(frozen=True)
class Page:
    """A door as one role opens it; `path` is asked for each round (person, round number)."""

    name: str
    role: str
    path: Callable[[Any, int], str]
    body: Callable[[Any, int], dict[str, Any]] | None = None  # sent by POST
    is_form: bool = False  # as a page's form sends it, else as JSON
    cookie: Callable[[Any, int], str] | None = None  # else the person's own


def _named(url: str, *arguments: Any) -> Callable[[Person, int], str]:
    return lambda person, number: reverse(url, args=arguments)


def _of_client(url: str) -> Callable[[Person, int], str]:
    def path(person: Person, number: int) -> str:
        return reverse(url, args=[person.clients[number % len(person.clients)]])

    return path


def _of_session(url: str) -> Callable[[Person, int], str]:
    def path(person: Person, number: int) -> str:
        code = person.clients[number % len(person.clients)]
        with acting_as(BY):
            session = Session.objects.filter(client__code=code, episode__closed_on=None).last()
        return reverse(url, args=[session.pk]) if session else reverse("today")

    return path


def _newest(person: Person, number: int) -> Episode | None:
    code = person.clients[number % len(person.clients)]
    episodes = Episode.objects.filter(client__code=code, closed_on=None)
    found: Episode | None = episodes.select_related("client__identity", "client__key").last()
    return found


def from_paper(person: Person, number: int) -> dict[str, Any]:
    """Both measures and attendance of a session that wasn't booked, as a clinician types them."""
    with acting_as(BY):
        episode = _newest(person, number)
        due = due_at(episode, clinic_time.today()) if episode else []
    return {
        "key": str(uuid.uuid4()),
        "held_on": clinic_time.today().isoformat(),
        "time": "00:05",
        "status": "attended",
        "minutes": "50",
        "kind": "treatment",
        "format": "individual",
        "another": "on",
        **respondents.marks(due),
    }


def _new_score(person: Person, number: int) -> dict[str, Any]:
    with acting_as(BY):
        episode = _newest(person, number)
    return {
        "episode": episode.pk if episode else 0,
        "measure": "outcome-adult",
        "total": f"{20 + number % 10}.0",
    }


def _searched(person: Person, number: int) -> dict[str, Any]:
    return {"text": "ann" if number % 2 else "mar"}


def pages() -> list[Page]:
    """Every page and API list, by the role that lives in it."""
    month = f"{clinic_time.today().replace(day=1) - timedelta(days=1):%Y-%m}"
    return [
        Page("today", "clinician", _named("today")),
        Page("backlog", "clinician", _named("backlog")),
        Page("caseload", "clinician", _named("caseload")),
        Page("respondent's form", "respondent", respondents.opened),
        Page("respondent's answers", "respondent", respondents.sent, respondents.answers,
             is_form=True),
        Page("answers with the picture", "respondent", respondents.handed_over,
             respondents.answers_there, is_form=True, cookie=respondents.device),
        Page("quick entry, kept", "clinician", _of_client("session_new"), from_paper,
             is_form=True),
        Page("clients", "clinician", _named("clients")),
        Page("client", "clinician", _of_client("client")),
        Page("case review (PDF)", "clinician", _of_client("case_review_pdf")),
        Page("quick entry", "clinician", _of_client("session_new")),
        Page("session", "clinician", _of_session("session_edit")),
        Page("session's picture", "clinician", _of_session("session_picture")),
        Page("who answers on a device", "clinician", _of_session("session_links")),
        Page("scores", "clinician", _of_client("scores")),
        Page("practice", "clinician", _named("practice")),
        Page("messages", "clinician", _named("my_messages")),
        Page("sign-ins", "clinician", _named("sign_ins")),
        Page("rights", "clinician", _of_client("client_rights")),
        Page("emergency access", "clinician", _named("emergency")),
        Page("statement", "administrator", _named("statement")),
        Page("retention", "administrator", _named("retention")),
        Page("keys", "clinician", _named("keys")),
        Page("rules", "clinician", _named("rules")),
        Page("measures", "clinician", _named("measures")),
        Page("measure", "clinician", _named("measure", "outcome-adult")),
        Page("review queue", "supervisor", _named("review")),
        Page("case in review", "supervisor", _of_client("review_case")),
        Page("team", "supervisor", _named("team")),
        Page("results of decisions", "director", _named("decision_results")),
        Page("transfer", "supervisor", _of_client("transfer")),
        Page("caseload, supervised", "supervisor", _named("caseload")),
        Page("caseloads to hand over", "supervisor", _named("caseload_hand_over")),
        Page("agency", "director", _named("agency")),
        Page("flow", "director", _named("agency_flow")),
        Page("funnel", "director", _named("agency_funnel")),
        Page("month", "director", _named("report", month)),
        Page("month (CSV)", "director", _named("report_download", month, "csv")),
        Page("exports", "director", _named("exports")),
        Page("schedule", "front_desk", _named("schedule")),
        Page("waiting list", "front_desk", _named("waiting")),
        Page("new referral", "front_desk", _named("referral_new")),
        Page("tablets", "front_desk", _named("tablets")),
        Page("clients, all", "front_desk", _named("clients")),
        Page("client search", "front_desk", _named("clients"), _searched, is_form=True),
        Page("new client", "front_desk", _named("client_new")),
        Page("people", "administrator", _named("people")),
        Page("systems that are told", "administrator", _named("webhooks")),
        Page("absences", "administrator", _named("absences")),
        Page("settings", "administrator", _named("settings")),
        Page("answers that can't wait", "administrator", _named("safety")),
        Page("audit", "administrator", _named("audit")),
        Page("import", "administrator", _named("import")),
        Page("plans", "administrator", _named("plans")),
        Page("API clients", "clinician", _named("clients-list")),
        Page("API episodes", "clinician", _named("episodes-list")),
        Page("API sessions", "clinician", _named("sessions-list")),
        Page("API administrations", "clinician", _named("administrations-list")),
        Page("API flags", "supervisor", _named("flags-list")),
        Page(
            "API new score", "clinician", _named("administrations-list"), _new_score
        ),
    ]  # fmt: skip
