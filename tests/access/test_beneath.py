"""With the application's own scope switched off, the database still shows nothing of others.

Every model that holds something about a client is asked in every way the ORM and SQL know; what
may be seen is written down here from the cast's story, not computed by the code under test.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.models import Count, Max, Min, OuterRef, Prefetch, Subquery, Value

from measures_app import actions as measure_actions
from measures_app import flagging, measures
from measures_app.models import (
    Administration,
    Flag,
    FlagEvent,
    FollowUp,
    ItemAlert,
    Trajectory,
)
from reports_app.models import EpisodeSummary
from sessions_app import access, actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import (
    Assignment,
    CaseConference,
    CaseReview,
    Client,
    ClientIdentity,
    ClientKey,
    ConferenceCase,
    Consent,
    EmergencyAccess,
    EntryLink,
    Episode,
    ExternalId,
    NameHash,
    Referral,
    Release,
    Respondent,
    Restriction,
    Session,
)
from sessions_app.models.history import Before
from tests.cast import BY, PEOPLE, Clinic

# What is known about an episode, and who may know it: see tests/cast.py for the story.
TREATED: dict[str, set[str]] = {
    "alice": {"ana", "boris"},
    "bob": {"boris", "clara", "dina"},
    "carol": {"dina", "dina_restricted", "emil"},
    "sofia": {"ana", "boris"},
}
AT_THE_DESK: dict[str, set[str]] = {
    "fred": {"ana", "boris", "clara", "dina"},
    "felix": {"clara"},
}
CLINICAL = (
    CaseReview, Administration, Trajectory, Flag, FlagEvent, FollowUp, ItemAlert, EpisodeSummary,
    ConferenceCase,
)  # fmt: skip
REGISTRY = (Episode, Assignment, Session, EntryLink, Referral)
# Of a client and clinical: the front desk isn't told of emergencies.
CLINICAL_OF_A_CLIENT = (EmergencyAccess,)
OF_A_CLIENT = (
    Client, ClientKey, ClientIdentity, NameHash, ExternalId, Respondent, Consent, Restriction,
    Release, *CLINICAL_OF_A_CLIENT,
)  # fmt: skip


def may_see(who: str, model: type[models.Model]) -> set[str]:
    """Episodes by name; for what belongs to a client, any of the client's episodes will do."""
    clinical = TREATED.get(who, set())
    if model is EpisodeSummary and who == "dora":
        return set(EPISODES)  # the director's aggregates; without a name, never shown by row
    registered = clinical | AT_THE_DESK.get(who, set())
    if model is Release:  # that there is one tells of the care: for those alone who see it
        return registered & {"dina_restricted", "emil"}
    return clinical if model in CLINICAL + CLINICAL_OF_A_CLIENT else registered


EPISODES = ("ana", "boris", "clara", "dina", "dina_restricted", "emil")


@pytest.fixture
def full(clinic: Clinic) -> Clinic:
    """The cast with a row of every kind about every episode."""
    today = clinic_time.today()
    with acting_as(BY):
        measures.sync_library()
        measure = measures.get_measure("outcome-adult")
        somebody = actions.add_user(email="gone@clinic.example", name="Gone", by=BY)
        for client in clinic.clients.values():
            ExternalId.objects.create(client=client, source="old", value=f"n{client.pk}")
            person = client.respondents.get()
            actions.record_consent(respondent=person, answer="agreed", way="spoken", by=BY)
            Restriction.objects.create(client=client, reason="claims", from_on=today, to_on=today)
            Release.objects.create(
                client=client, programme=clinic.restricted, way="paper", from_on=today,
                until_on=today, withdrawn_at=clinic_time.now(),
            )  # fmt: skip
            EmergencyAccess.objects.create(
                client=client, user=somebody, reason_sealed=b"", from_at=clinic_time.now(),
                until_at=clinic_time.now() + timedelta(hours=1),
            )  # fmt: skip
        for name in EPISODES:
            episode = clinic.episodes[name]
            client = episode.client
            about = {"episode": episode, "client": client}
            if name not in clinic.sessions:
                clinic.sessions[name] = [
                    actions.record_session(episode=episode, held_on=today, by=BY)
                ]
            score = measure_actions.record_administration(
                episode=episode,
                session=clinic.sessions[name][0],
                measure=measure,
                total=20,
                provenance="paper",
                by=BY,
            )
            review = actions.record_case_review(episode=episode, decision="continue", by=clinic.bob)
            conference = CaseConference.objects.create(held_on=today, called_by=clinic.adam)
            ConferenceCase.objects.create(**about, conference=conference, place=1)
            FollowUp.objects.create(
                review=review,
                episode=episode,
                measure=measure,
                respondent=score.respondent,
                t=1,
                score=20,
            )
            flag = Flag.objects.create(
                **about,
                rule="no_progress",
                kind="review",
                rule_set=flagging.current_rule_set(today),
                evidence={},
                raised_on=today,
            )
            ItemAlert.objects.create(
                **about, flag=flag, administration=score, items=[], raised_at=clinic_time.now()
            )
            FlagEvent.objects.create(flag=flag, episode=episode, actor="test", to_state="open")
            Trajectory.objects.create(
                **about,
                measure=measure,
                respondent=score.respondent,
                as_of=today,
                newest_input_at=clinic_time.now(),
                input_hash="",
                t=[1],
                dates=[today],
                scores=[20.0],
            )
            EpisodeSummary.objects.create(
                **about,
                programme=episode.programme,
                site=episode.site,
                purpose="change",
                opened_on=episode.opened_on,
                as_of=today,
            )
            Referral.objects.create(
                **about,
                programme=episode.programme,
                site=episode.site,
                received_on=episode.opened_on,
                outcome="accepted",
                outcome_on=episode.opened_on,
            )
            EntryLink.objects.create(
                **about,
                respondent=score.respondent,
                token_hash=f"{episode.pk:064}",
                created_by=clinic.bob,
                expires_at=clinic_time.now(),
            )
    return clinic


@pytest.fixture
def without_the_applications_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if access.py let everybody see every row; rights stay, rows are the database's."""
    monkeypatch.setattr(access.ScopedQuerySet, "visible_to", lambda self, user: self.all())
    monkeypatch.setattr(access.ScopedQuerySet, "registered_to", lambda self, user: self.all())
    monkeypatch.setattr(access, "clinical_episodes", lambda user: Episode.objects.all())


def _field(model: type[models.Model]) -> str:
    """The column that says whose row it is."""
    if model in (Client, Episode):
        return "pk"
    return "client_id" if model in OF_A_CLIENT else "episode_id"


def _by_sql(model: type[models.Model]) -> set[int]:
    column = _field(model).replace("pk", "id")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {model._meta.db_table}")
        return {key for (key,) in cursor.fetchall()}


WAYS: dict[str, Callable[[type[models.Model]], set[Any]]] = {
    "rows": lambda m: {getattr(row, _field(m)) for row in m._base_manager.all()},
    "values": lambda m: set(m._base_manager.values_list(_field(m), flat=True)),
    "groups": lambda m: {
        row[_field(m)]
        for row in m._base_manager.order_by().values(_field(m)).annotate(n=Count("pk"))
    },
    "union": lambda m: set(
        m._base_manager.order_by()
        .values_list(_field(m))
        .union(m._base_manager.order_by().values_list(_field(m)), all=True)
        .values_list(_field(m), flat=True)
    ),
    "iterator": lambda m: {getattr(row, _field(m)) for row in m._base_manager.iterator(2)},
    "SQL": _by_sql,
}


def keys_of(clinic: Clinic, model: type[models.Model], names: set[str]) -> set[int]:
    if model in OF_A_CLIENT:
        return {clinic.episodes[name].client_id for name in names}
    return {clinic.episodes[name].pk for name in names}


def test_every_way_of_asking_shows_a_persons_own_rows_and_no_other(full: Clinic) -> None:
    for who in PEOPLE:
        _ask_in_every_way(full, who)


def _ask_in_every_way(full: Clinic, who: str) -> None:
    with acting_as(full.users[who]):
        for model in (*CLINICAL, *REGISTRY, *OF_A_CLIENT):
            expected = keys_of(full, model, may_see(who, model))
            for name, ask in WAYS.items():
                assert ask(model) == expected, (who, model.__name__, name)
            ends = model._base_manager.aggregate(n=Count("pk"), a=Min(_field(model)),
                                                 z=Max(_field(model)))  # fmt: skip
            assert (ends["n"] > 0) is bool(expected), model
            assert (ends["a"], ends["z"]) == (
                (min(expected), max(expected)) if expected else (None, None)
            )
            assert model._base_manager.exists() is bool(expected)


def test_joins_prefetches_and_subqueries_bring_nothing_along(full: Clinic) -> None:
    for who in PEOPLE:
        _follow_relations(full, who)


def _follow_relations(full: Clinic, who: str) -> None:
    clinical = keys_of(full, Administration, may_see(who, Administration))
    registry = keys_of(full, Session, may_see(who, Session))
    with acting_as(full.users[who]):
        clients = Client.objects.prefetch_related(
            Prefetch("episodes", Episode.objects.prefetch_related("administrations", "reviews"))
        )
        episodes = [episode for client in clients for episode in client.episodes.all()]
        assert {episode.pk for episode in episodes} == registry
        assert {e.pk for e in episodes if e.administrations.all()} == clinical & registry
        assert {e.pk for e in episodes if e.reviews.all()} == clinical & registry
        totals = Episode.objects.annotate(
            n=Count("administrations"), flagged=Count("flags", distinct=True)
        )
        assert {e.pk for e in totals if e.n} == clinical & registry
        assert {e.pk for e in totals if e.flagged} == clinical & registry
        newest = Administration.objects.filter(episode=OuterRef("pk")).values("total")[:1]
        seen = Episode.objects.annotate(newest=Subquery(newest)).exclude(newest=None)
        assert set(seen.values_list("pk", flat=True)) == clinical & registry
        joined = Administration.objects.select_related("client__identity", "respondent")
        assert {row.episode_id for row in joined} == clinical
        assert Flag.objects.filter(events__actor="test").count() == len(clinical)


def test_no_write_reaches_a_row_that_is_not_seen(full: Clinic) -> None:
    """An update by condition touches what is seen; the rest isn't there to be changed."""
    for who in PEOPLE:
        with acting_as(BY):
            Session.objects.update(obstacle="")
        with acting_as(full.users[who]):
            assert Session.objects.update(obstacle="other") == Session.objects.count()
        with acting_as(BY):
            touched = Session.objects.filter(obstacle="other").values_list("episode_id", flat=True)
            assert set(touched) == keys_of(full, Session, may_see(who, Session)), who


def test_the_table_of_models_is_complete() -> None:
    """A new model with a client or an episode must be given its place above."""
    about = {
        model
        for model in apps.get_models()
        if model._meta.app_label in ("sessions_app", "measures_app", "reports_app")
        and not issubclass(model, Before)  # tests/records/test_history.py
        for f in model._meta.concrete_fields
        if f.is_relation and f.related_model in (Client, Episode)
    } | {Client, Episode}
    assert about == {*CLINICAL, *REGISTRY, *OF_A_CLIENT}


STRANGERS = ("ruth", "bob", "carol", "fred", "felix", "dora", "adam")


def test_every_page_of_another_persons_client_stays_absent(
    full: Clinic, browser_of: Any, without_the_applications_scope: None
) -> None:
    """Ana is Alice's: with access.py blinded the database alone keeps the pages shut."""
    ana, episode = full.ana, full.episodes["ana"]
    with acting_as(BY):
        score = ana.administrations.get()
    doors = (
        f"/clients/{ana.code}/",
        f"/clients/{ana.code}/case-review.pdf",
        f"/clients/{ana.code}/sessions/new/",
        f"/review/{ana.code}/",
        f"/sessions/{full.sessions['ana'][0].pk}/",
        f"/api/v1/administrations/{score.pk}/",
    )
    for who in STRANGERS:
        browser = browser_of(who)
        for door in doors:
            assert browser.get(door).status_code in (403, 404), (who, door)
    for who in ("ruth", "bob", "carol"):
        browser = browser_of(who)
        for kind in ("clients", "episodes", "sessions"):
            key = {"clients": ana.code, "episodes": episode.pk}.get(
                kind, full.sessions["ana"][0].pk
            )
            assert browser.get(f"/api/v1/{kind}/{key}/").status_code == 404


def test_lists_and_searches_show_the_persons_own_with_access_blinded(
    full: Clinic, browser_of: Any, without_the_applications_scope: None
) -> None:
    codes = {name: client.code for name, client in full.clients.items()}
    own = {"ruth": set(), "alice": {"ana", "boris"}, "felix": {"clara"}}
    for who, expected in own.items():
        browser = browser_of(who)
        for door in ("/clients/", "/clients/?q=oliveira", "/api/v1/clients/", "/caseload/"):
            page = browser.get(door)
            if page.status_code == 404:
                continue
            text = page.content.decode()
            shown = {name for name, code in codes.items() if code in text}
            assert shown <= expected, (who, door)
            assert not expected or "?" in door or shown, (who, door)


def test_an_inactive_account_sees_nothing(full: Clinic) -> None:
    full.alice.is_active = False
    full.alice.save()
    with acting_as(full.alice):
        for model in (*CLINICAL, *REGISTRY, *OF_A_CLIENT):
            assert not model._base_manager.exists(), model


def test_a_forged_user_id_needs_a_kind_of_actor(full: Clinic) -> None:
    """Nobody, and a kind the database doesn't know, have no rows whatever else is set."""
    with acting_as(full.alice):
        for kind in ("anonymous", "nobody", "User"):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('outcomes.actor', %s, true)", [kind])
            assert Client.objects.count() == 0
            assert Administration.objects.annotate(one=Value(1)).count() == 0
