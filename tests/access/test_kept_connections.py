"""Real transactions on a kept connection: rights end with the unit of work that set them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from sessions_app import actions
from sessions_app.context import (
    ANONYMOUS,
    NoActor,
    acting_as,
    current_actor,
    person,
    speaking_as,
    streamed,
)
from sessions_app.models import Client, Clinician, Programme, Site, User
from tests.cast import BY, Clinic, build
from tests.conftest import CommittedDatabase


@pytest.fixture(scope="module")
def kept(committed_database: CommittedDatabase) -> Clinic:
    """The cast, committed."""
    with acting_as(BY):
        return build()


def nobody_acts() -> bool:
    """Whether this connection, between units of work, refuses to show a client."""
    with pytest.raises(NoActor):
        current_actor()
    with pytest.raises(DatabaseError, match="no actor context"):
        Client.objects.count()
    return True


def signed_in(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_kept_connection_carries_nobody_into_the_next_request(kept: Clinic) -> None:
    served_by = backend()
    alice, ruth = signed_in(kept.alice), signed_in(kept.ruth)
    page = f"/clients/{kept.ana.code}/"
    for _ in range(3):
        assert alice.get(page).status_code == 200
        assert nobody_acts()
        assert ruth.get(page).status_code == 404
        assert Browser().get(page).status_code == 302
        assert nobody_acts()
    assert backend() == served_by


def test_a_body_that_streams_after_the_request_has_its_own_unit_of_work(kept: Clinic) -> None:
    def codes() -> Iterator[bytes]:
        for client in Client.objects.order_by("code").iterator(chunk_size=1):
            yield client.code.encode()

    body = streamed(kept.alice, codes)
    assert set(body) == {kept.ana.code.encode(), kept.boris.code.encode()}
    assert nobody_acts()
    assert list(streamed(kept.ruth, codes)) == []
    # One that is given up half-way takes its rights along.
    half = streamed(kept.alice, codes)
    next(half)
    half.close()
    assert nobody_acts()
    # A generator without a unit of work of its own is refused, never empty.
    with pytest.raises(DatabaseError, match="no actor context"):
        list(client.code for client in Client.objects.order_by("code"))


def test_rights_come_back_when_a_savepoint_is_taken_back(kept: Clinic) -> None:
    with acting_as(kept.ruth):
        with pytest.raises(ZeroDivisionError), acting_as(BY):
            _ = Client.objects.count() // 0
        assert Client.objects.count() == 0
        with pytest.raises(IntegrityError), acting_as(BY):
            Client.objects.create(code=kept.ana.code, site=kept.north)
        assert Client.objects.count() == 0
        assert current_actor().user == kept.ruth
    assert nobody_acts()


def test_a_unit_that_breaks_leaves_no_rights_behind(kept: Clinic) -> None:
    with pytest.raises(ZeroDivisionError), acting_as(kept.alice):
        raise ZeroDivisionError
    assert nobody_acts()
    with pytest.raises(DatabaseError), acting_as(kept.alice), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert nobody_acts()


def test_two_threads_act_as_two_people_at_once(kept: Clinic) -> None:
    meet = threading.Barrier(2, timeout=60)
    counted: dict[str, int] = {}

    def work(who: str) -> None:
        try:
            with acting_as(kept.users[who]):
                meet.wait()
                counted[who] = Client.objects.count()
                meet.wait()
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[who]) for who in ("alice", "ruth")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == {"alice": 2, "ruth": 0}


def test_work_that_names_nobody_is_refused_by_actions_too(kept: Clinic) -> None:
    """A task or command that forgot to say who acts stops; it doesn't work on nothing."""
    with pytest.raises(DatabaseError, match="no actor context"), transaction.atomic():
        actions.register_client(by=BY, site=kept.north)


def test_what_is_open_to_all_tells_nothing_about_clients(kept: Clinic) -> None:
    """Tables outside row security, read without anyone acting, hold no client."""
    assert Site.objects.count() == 2
    assert Programme.objects.count() == 2
    assert Clinician.objects.count() == 4
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace "
            "AND a.attname IN ('client_id', 'episode_id', 'respondent_id', 'session_id') "
            "AND NOT c.relrowsecurity "
            "AND c.relname <> 'socialaccount_socialapp'"  # OAuth's client is this site
        )
        assert cursor.fetchall() == []


def test_an_error_message_names_nothing_of_a_hidden_client(kept: Clinic) -> None:
    """A number taken by a client whom the desk doesn't see is refused without saying whose."""
    from django.core.exceptions import ValidationError

    with acting_as(BY):
        taken = actions.register_client(by=BY, site=kept.north, external=("card", "4711"))
    with (
        acting_as(kept.felix),
        pytest.raises(ValidationError) as refused,
    ):
        actions.register_client(by=kept.felix, site=kept.south, external=("card", "4711"))
    assert "external" in refused.value.message_dict
    assert taken.code not in str(refused.value)


def who_acts() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('outcomes.actor', true)")
        return str(cursor.fetchone()[0])


def test_a_unit_that_begins_untold_is_told_before_its_first_statement(kept: Clinic) -> None:
    for _ in range(2):
        with acting_as(ANONYMOUS, at_once=False):
            assert who_acts() == "anonymous"
            with acting_as(BY):
                assert who_acts() == "system"
            assert who_acts() == "anonymous"
        assert nobody_acts()
        with acting_as(ANONYMOUS, at_once=False):
            with transaction.atomic():
                assert who_acts() == "anonymous"
                transaction.set_rollback(True)  # a savepoint that goes
            assert who_acts() == "anonymous"
        with pytest.raises(DatabaseError), acting_as(ANONYMOUS, at_once=False):
            Client.objects.raw("SELECT nothing FROM nowhere")[0]
        with acting_as(ANONYMOUS, at_once=False):
            assert [*Client.objects.all()] == []
        with acting_as(ANONYMOUS, at_once=False):
            pass  # nothing was asked: nobody was ever told
        assert nobody_acts()


def test_what_a_unit_of_nobody_says_first_is_who_acts_in_it(kept: Clinic) -> None:
    with CaptureQueriesContext(connection) as told, acting_as(ANONYMOUS, at_once=False):
        with speaking_as(BY, then=kept.alice):
            assert who_acts() == "system"
        assert who_acts() == "user"
        assert current_actor() == person(kept.alice)
        assert Client.objects.filter(pk=kept.ana.pk).exists()
    assert sum("set_config" in one["sql"] for one in told) == 2
    assert nobody_acts()
