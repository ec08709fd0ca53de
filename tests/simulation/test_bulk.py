"""Bulk writes put in what an ordinary insert would, under the same policies."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg2
import pytest
from django.db import connection
from django.db.utils import ProgrammingError

from measures_app import measures
from measures_app.models import Measure, MeasureVersion
from sessions_app import bulk, clinic_time
from sessions_app.context import acting_as, person, system
from sessions_app.models import AuditEvent, Client, ClientIdentity, Episode, Respondent, Site

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
AWKWARD = 'tab\there, "quotes", \\N, a\nnew line, {braces}, ñ 界'
CLIENT = ["id", "code", "site", "birth_year", "gender", "attributes", "registered_at"]


def _client_rows(clinic, count, attributes):
    ids = bulk.reserve_ids(Client, count)
    return [
        (key, f"BULK-{key}", clinic.north.pk, 1980 if key % 2 else None, "", attributes, NOW)
        for key in ids
    ]


def test_rows_come_back_as_they_were_given(clinic):
    with acting_as(system("tests")):
        rows = _client_rows(clinic, 3, {"note": AWKWARD, "list": [1, None]})
        assert bulk.copy_rows(Client, CLIENT, rows, {"language": "es"}) == 3
        kept = Client.objects.get(pk=rows[0][0])
        assert kept.attributes == {"note": AWKWARD, "list": [1, None]}
        assert (kept.language, kept.registered_at) == ("es", NOW)
        years = Client.objects.filter(pk__in=[r[0] for r in rows]).values_list("birth_year")
        assert sorted(years, key=str) == sorted(((r[3],) for r in rows), key=str)


def test_the_planner_learns_of_many_new_rows_at_once(clinic, monkeypatch):
    def known():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT n_distinct FROM pg_stats "
                "WHERE tablename = 'sessions_app_site' AND attname = 'name'"
            )
            return cursor.fetchone()

    monkeypatch.setattr(bulk, "MANY", 3)
    with acting_as(system("tests")):
        before = known()
        bulk.copy_rows(Site, ["name"], [("a",), ("b",)], {"time_zone": ""})
        assert known() == before
        bulk.copy_rows(Site, ["name"], [("c",), ("d",), ("e",)], {"time_zone": ""})
        assert known() != before
        assert known() == (-1.0,)  # all differ: it has looked


def test_text_bytes_and_json_lists_survive(clinic):
    with acting_as(system("tests")):
        (row,) = _client_rows(clinic, 1, {})
        bulk.copy_rows(Client, CLIENT, [row], {"language": "en"})
        sealed = bytes(range(256))
        bulk.copy_rows(ClientIdentity, ["client", "sealed"], [(row[0], sealed)])
        assert bytes(ClientIdentity.objects.get(pk=row[0]).sealed) == sealed
        bulk.copy_rows(
            Respondent,
            ["client", "label", "may_see", "from_on", "to_on"],
            [(row[0], AWKWARD[:40], ["a", AWKWARD], date(2026, 1, 2), None)],
            {"relation": "carer", "language": "en", "contact_sealed": b""},
        )
        kept = Respondent.objects.get(client=row[0])
        assert (kept.label, kept.may_see) == (AWKWARD[:40], ["a", AWKWARD])
        assert (kept.from_on, kept.to_on) == (date(2026, 1, 2), None)


def test_arrays_survive(db):
    words = ['a "b"', "c,d", None, "e\\f", AWKWARD]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE held (words text[], numbers numeric[])")
        line = f"{bulk._array(words)}\t{bulk._array([Decimal('1.50'), None])}\n"
        cursor.cursor.copy_expert("COPY held FROM STDIN", io.StringIO(line))
        cursor.execute("SELECT words, numbers FROM held")
        assert cursor.fetchone() == (words, [Decimal("1.50"), None])


def test_an_immutable_measure_version_takes_decimals(clinic):
    with acting_as(system("tests")):
        measures.sync_library()
        measure = Measure.objects.get(code="outcome-adult")
        bulk.copy_rows(
            MeasureVersion,
            ["version", "checksum", "low", "high", "step"],
            [(77, "x", Decimal("0"), Decimal("40.00"), Decimal("0.1"))],
            {
                "measure": measure.pk,
                "definition": {"a": 1},
                "source_text": AWKWARD,
                "scoring_hash": "h",
                "better": "higher",
                "loaded_at": NOW,
            },
        )
        kept = MeasureVersion.objects.get(measure=measure, version=77)
        assert (kept.high, kept.definition, kept.source_text) == (40, {"a": 1}, AWKWARD)


def test_many_portions_are_one_insert(clinic, monkeypatch):
    monkeypatch.setattr(bulk, "PORTION", 4)
    with acting_as(system("tests")):
        for count in (4, 11):
            rows = _client_rows(clinic, count, {})
            assert bulk.copy_rows(Client, CLIENT, iter(rows), {"language": "en"}) == count
            assert Client.objects.filter(pk__in=[row[0] for row in rows]).count() == count


def test_no_rows_are_no_error(clinic):
    with acting_as(system("tests")):
        assert bulk.copy_rows(Client, ["code"], []) == 0
        assert list(bulk.reserve_ids(Client, 0)) == []


def test_reserved_ids_are_nobody_elses(clinic):
    with acting_as(system("tests")):
        ids = bulk.reserve_ids(Client, 100)
        assert len(ids) == 100
        later = Client.objects.create(code="LATER", site=clinic.north)
        assert later.pk not in ids
        assert later.pk > ids[-1]
        assert bulk.reserve_ids(Client, 1)[0] > later.pk


def test_policies_hold_for_bulk_rows(clinic):
    episode = clinic.episodes["ana"]
    with pytest.raises(ProgrammingError) as refused, acting_as(person(clinic.ruth)):
        bulk.copy_rows(
            Episode,
            ["client", "programme", "site", "opened_on"],
            [(episode.client_id, episode.programme_id, episode.site_id, clinic_time.today())],
            {name: "" for name in ("reference", "problem", "funder", "ending")}
            | {"origin": "entered", "purpose": "change"},
        )
    assert isinstance(refused.value.__cause__, psycopg2.errors.InsufficientPrivilege)


def test_the_audit_trail_takes_bulk_rows_too(clinic):
    with acting_as(system("tests")):
        count = AuditEvent.objects.count()
        bulk.copy_rows(
            AuditEvent,
            ["subject"],
            [("one",), ("two",)],
            {"at": NOW, "actor": "x", "action": "y", "subject_kind": "", "detail": {}},
        )
        assert AuditEvent.objects.count() == count + 2


def test_many_rows_take_new_values_and_the_policies_still_hold(clinic):
    with acting_as(system("tests")):
        rows = [
            (pk, f"a\tproblem\\{pk}", None) for pk in Episode.objects.values_list("pk", flat=True)
        ]
        assert bulk.update_rows(Episode, ["problem", "care_began_on"], rows) == len(rows)
        assert set(Episode.objects.values_list("pk", "problem", "care_began_on")) == set(rows)
    with acting_as(person(clinic.ruth)):
        assert bulk.update_rows(Episode, ["problem"], [(rows[0][0], "not hers")]) == 0
    with acting_as(system("tests")):
        assert bulk.update_rows(Episode, ["problem"], []) == 0


def test_a_frame_holds_what_the_policies_let_be_seen(clinic):
    columns = {"pk": "id", "client__birth_year": "year", "opened_on": "since"}
    with acting_as(system("tests")):
        frame = bulk.read_frame(Episode.objects.order_by("pk"), columns)
        assert frame.to_numpy().tolist() == [
            [pk, year, since.isoformat()]
            for pk, year, since in Episode.objects.order_by("pk").values_list(*columns)
        ]
        assert bulk.read_frame(Episode.objects.filter(pk__in=[]), columns).empty
        assert list(bulk.read_frame(Episode.objects.filter(pk=0), columns)) == [
            "id",
            "year",
            "since",
        ]
    with acting_as(person(clinic.ruth)):
        assert bulk.read_frame(Episode.objects.all(), columns).empty


def test_a_table_is_counted_again_once_it_has_outgrown_what_was_known(clinic, monkeypatch):
    looked = []
    monkeypatch.setattr(bulk, "MANY", 3)

    def listen(execute, sql, params, many, context):
        looked.append("outcomes_analyze" in sql)
        return execute(sql, params, many, context)

    names, zone = iter(range(10_000)), {"time_zone": ""}

    def add(count):
        looked.clear()
        bulk.copy_rows(Site, ["name"], [(str(next(names)),) for _ in range(count)], zone)
        return any(looked)

    with acting_as(system("tests")), connection.execute_wrapper(listen):
        assert add(1000)
        assert not add(100)
        assert add(400)


def test_any_of_is_in(clinic):
    ids = [clinic.episodes[key].pk for key in clinic.episodes][:2]
    with acting_as(system("tests")):
        for path in ("pk", "id", "sessions__episode", "sessions__episode_id"):
            found = Episode.objects.filter(**{f"{path}__any_of": ids}).distinct()
            expected = Episode.objects.filter(**{f"{path}__in": ids}).distinct()
            assert set(found) == set(expected) != set()
            assert not Episode.objects.filter(**{f"{path}__any_of": []}).exists()
