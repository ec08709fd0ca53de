"""Case rows for researchers: nobody is named, recognised by a date, or found in a second export."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from datetime import date
from typing import Any

import pytest

from reports_app import case_rows, case_rules
from reports_app.deidentify import GROUPED, Secret, common, generalised, highest
from reports_app.models import CaseRows, CaseRowsPart, EpisodeSummary
from reports_app.nightly import run_night
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Client, Episode, Job
from tests.cast import BY
from tests.reports.conftest import Month12, end_one, signed_in, taken_back

LIMIT = 8
Rows = list[dict[str, str]]
Files = dict[str, Rows]


def read(content: bytes) -> Files:
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {
        name: list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8"))))
        for name in archive.namelist()
        if name.endswith(".csv")
    }


def export(month: Month12) -> bytes:
    """Asked for by the director, made as the worker makes it."""
    year = month.month.start.year
    file = case_rows.ask_for_case_rows(first_year=year, last_year=year, by=month.clinic.dora)
    case_rows.carry_out_case_rows(file.job_id)
    file.refresh_from_db()
    assert file.job.state == Job.State.DONE, file.job.problem
    return b"".join(case_rows.sent(file))


@pytest.fixture(scope="module")
def exported(month: Month12) -> list[bytes]:
    """Two exports of the same clinic: twelve common people, and a few who stand out."""
    with taken_back():
        for place in range(4):
            end_one(month.clinic, month.month, 60 + place, 12.0 + place, 28.0, "agreed")
        rare = end_one(month.clinic, month.month, 70, 14.0, 30.0, "agreed")
        Client.objects.filter(pk=rare.client_id).update(birth_year=1931, gender="other")
        Episode.objects.filter(pk=rare.pk).update(funder="=HYPERLINK(1)", problem="kleptomania")
        hidden = end_one(month.clinic, month.month, 71, 14.0, 30.0, "agreed",
                         month.clinic.restricted)  # fmt: skip
        gone = end_one(month.clinic, month.month, 72, 14.0, 30.0, "agreed")
        run_night(clinic_time.today())
        month.clinic.hidden, month.clinic.gone = hidden.pk, gone.pk
        actions.erase_identity(client=gone.client, reason="request", by=BY)
        found = [export(month), export(month)]
        month.clinic.facts = facts()
    return found


def facts() -> dict[str, set[str]]:
    """What no row may hold: codes, names, real dates."""
    days = EpisodeSummary.objects.values_list(
        "opened_on", "closed_on", "first_session_on", "last_session_on"
    )
    return {
        "codes": set(Client.objects.values_list("code", flat=True)),
        "days": {
            f"{first}|{last}"
            for opened, closed, begun, last in days
            for first, last in ((opened, closed), (begun, last))
        },
    }


def test_no_name_no_code_and_no_key_of_the_clinic_is_in_it(
    month: Month12, exported: list[bytes]
) -> None:
    archive = zipfile.ZipFile(io.BytesIO(exported[0]))
    text = "\n".join(archive.read(name).decode() for name in archive.namelist())
    for code in month.clinic.facts["codes"]:
        assert code not in text
    for name in ("Ended", "Client6", "Ana", "Oliveira", "Bob", "Birch", "kleptomania", "HYPERLINK"):
        assert name not in text
    rows = read(exported[0])["episodes.csv"]
    assert {len(row["case"]) for row in rows} == {12}
    assert all(re.fullmatch(r"[0-9a-f]{12}", row[c]) for row in rows for c in ("case", "episode"))


def test_dates_are_shifted_by_person_and_intervals_are_real(
    month: Month12, exported: list[bytes]
) -> None:
    files = read(exported[0])
    rows = files["episodes.csv"]
    for row in rows:
        pair = f"{row['first_session_on']}|{row['last_session_on']}"
        assert pair not in month.clinic.facts["days"] or row["first_session_on"] == ""
    ended = [row for row in rows if row["closed_on"] and row["sessions"] == "2"]
    assert len(ended) >= 12
    for row in ended:
        first, last, opened, closed = (
            date.fromisoformat(row[name])
            for name in ("first_session_on", "last_session_on", "opened_on", "closed_on")
        )
        # As they were made: four weeks apart, opened two days before, closed two days after.
        assert (last - first).days == 28
        assert ((first - opened).days, (closed - last).days) == (2, 2)
    of_case = {row["episode"]: row for row in rows}
    for score in files["scores.csv"]:
        row = of_case[score["episode"]]
        assert score["case"] == row["case"]
        if row["sessions"] == "2":
            assert score["taken_on"] in (row["first_session_on"], row["last_session_on"])
    # All began on one day: their rows no longer do.
    assert len({row["first_session_on"] for row in ended}) > len(ended) / 2


def test_two_exports_share_no_code_no_date_and_no_order(exported: list[bytes]) -> None:
    one, two = (read(content)["episodes.csv"] for content in exported)
    assert len(one) == len(two)
    for name in ("case", "episode"):
        assert not {row[name] for row in one} & {row[name] for row in two}
    told = ("first_score", "last_score", "outcome")
    assert Counter(tuple(row[n] for n in told) for row in one) == Counter(
        tuple(row[n] for n in told) for row in two
    )
    orders = [[tuple(row[n] for n in told) for row in rows] for rows in (one, two)]
    assert orders[0] != orders[1]


def test_no_value_and_no_combination_is_of_fewer_than_the_limit(exported: list[bytes]) -> None:
    files = read(exported[0])
    rows = files["episodes.csv"]
    people: dict[Any, set[str]] = {}
    for row in rows:
        for name in case_rules.RARE_ONE_BY_ONE:
            people.setdefault((name, row[name]), set()).add(row["case"])
        for name in case_rules.COUNTED:
            people.setdefault((name, "highest"), set())
        combination = tuple(row[name] for name in case_rules.RECOGNISED_BY)
        people.setdefault(combination, set()).add(row["case"])
    few = {key: len(who) for key, who in people.items() if 0 < len(who) < LIMIT}
    assert few == {}
    for name in case_rules.COUNTED:
        top = max(int(row[name]) for row in rows)
        assert len({row["case"] for row in rows if int(row[name]) == top}) >= LIMIT
    assert GROUPED in {row["ending"] for row in rows}
    assert any(line["column"] == "ending" for line in files["grouped.csv"])


def test_restricted_programmes_and_erased_clients_are_not_in_it(
    month: Month12, exported: list[bytes]
) -> None:
    rows = read(exported[0])["episodes.csv"]
    assert month.clinic.restricted.name not in {row["programme"] for row in rows}
    with acting_as(BY):
        there = EpisodeSummary.objects.filter(programme__restricted=False).count()
    # Twelve, four and the one who stands out, beside those of the cast; the erased is gone.
    assert len(rows) == there + 5


def test_the_dictionary_says_what_each_column_means(exported: list[bytes]) -> None:
    files = read(exported[0])
    said = {(row["file"], row["column"]) for row in files["dictionary.csv"] if row["meaning"]}
    for name in ("episodes.csv", "scores.csv", "measures.csv"):
        assert {column for file, column in said if file == name} == set(files[name][0])
    kinds = {(row["file"], row["column"]): row["kind"] for row in files["dictionary.csv"]}
    assert kinds["scores.csv", "taken_on"] == "date"
    scale = next(row for row in files["measures.csv"] if row["measure"] == "outcome-adult")
    told = [scale[name] for name in ("low", "high", "better", "cutoff", "reliable_change")]
    assert told == ["0", "40", "higher", "25", "6.6"]
    assert "provisional" in scale["provisional"] or "borrowed" in scale["provisional"]
    asked = {row["measure"] for name in ("episodes.csv", "scores.csv") for row in files[name]}
    assert asked - {"", GROUPED} <= {row["measure"] for row in files["measures.csv"]}


def test_no_series_and_no_course_is_longer_than_those_of_enough(exported: list[bytes]) -> None:
    files = read(exported[0])
    day = date.fromisoformat
    opened = {row["episode"]: day(row["opened_on"]) for row in files["episodes.csv"]}
    lengths = [
        (day(row["closed_on"] or row["last_session_on"]) - opened[row["episode"]]).days
        for row in files["episodes.csv"] if row["closed_on"] or row["last_session_on"]
    ]  # fmt: skip
    assert lengths.count(max(lengths)) >= LIMIT
    rows = files["scores.csv"]
    later = [(day(row["taken_on"]) - opened[row["episode"]]).days for row in rows]
    assert max(later) <= max(lengths)
    most = max(int(row["scores"]) for row in files["episodes.csv"])
    of = ("episode", "measure", "respondent")
    assert max(Counter(tuple(row[name] for name in of) for row in rows).values()) <= most


def test_a_person_asks_waits_and_opens_their_own_file_and_it_is_audited(month: Month12) -> None:
    with taken_back():
        dora, adam = signed_in(month, "dora"), signed_in(month, "adam")
        assert adam.get("/exports/").status_code == 404
        year = month.month.start.year
        wrong = dora.post("/exports/", {"first_year": year, "last_year": 1900})
        assert wrong.status_code == 422
        assert dora.post("/exports/", {"first_year": year, "last_year": year}).status_code == 302
        file = CaseRows.objects.get()
        assert dora.get(f"/exports/{file.pk}/state/").json()["running"] is True
        assert "are being made" in dora.get("/exports/").content.decode()
        assert dora.get(f"/exports/{file.pk}.zip").status_code == 404
        case_rows.carry_out_case_rows(file.job_id)
        case_rows.carry_out_case_rows(file.job_id)  # a task delivered twice changes nothing
        parts = CaseRowsPart.objects.filter(file=file)
        assert all(bytes(part.sealed)[:2] != b"PK" for part in parts)
        content = b"".join(dora.get(f"/exports/{file.pk}.zip").streaming_content)
        assert read(content)["episodes.csv"]
        told = AuditEvent.objects.filter(subject=str(file.pk)).order_by("id")
        assert [event.action for event in told] == ["case rows asked for", "exported"]
        assert told[0].actor == told[1].actor != str(BY)
        assert told[1].detail["episodes"] == len(read(content)["episodes.csv"])


def test_a_clinic_in_its_first_week_has_too_few_to_export(month: Month12) -> None:
    with taken_back():
        file = case_rows.ask_for_case_rows(first_year=1990, last_year=1990, by=month.clinic.dora)
        case_rows.carry_out_case_rows(file.job_id)
        file.refresh_from_db()
        assert (file.job.state, file.job.problem) == (Job.State.STOPPED, case_rows.NOBODY)
        assert not file.parts.exists()


def test_nothing_is_held_whole_while_it_is_written(month: Month12, monkeypatch: Any) -> None:
    with taken_back():
        monkeypatch.setattr(case_rows, "PART_BYTES", 500)
        content = export(month)
        assert CaseRowsPart.objects.count() == -(-len(content) // 500)
        assert read(content)["episodes.csv"]


def test_a_rare_value_takes_the_next_rarest_with_it() -> None:
    assert common({"a": 30, "b": 9, "c": 2}, 8) == {"a"}
    assert common({"a": 30, "b": 9, "c": 5, "d": 4}, 8) == {"a", "b"}
    assert common({"a": 30, "b": 9}, 8) == {"a", "b"}
    assert common({"a": 3}, 8) == set()
    assert highest({1: 50, 2: 20, 9: 5, 40: 3}, 8) == 9
    assert highest({3: 2}, 8) == 0


def test_a_rare_combination_loses_values_until_it_is_common_or_is_left_out() -> None:
    classes = {("x", "m", "p"): 20, ("x", "w", "p"): 3, ("x", "w", "q"): 6, ("y", "m", "p"): 2}
    found = generalised(classes, 8, (2, 1, 0))
    assert found[("x", "m", "p")] == ("x", "m", "p")
    assert found[("x", "w", "p")] == found[("x", "w", "q")] == ("x", "w", GROUPED)
    assert found[("y", "m", "p")] is None


def test_a_shift_is_one_persons_alone_and_never_none() -> None:
    secret = Secret()
    days = [secret.shift(client).days for client in range(4000)]
    assert (min(days), max(days)) == (-182, 182)
    assert 0 not in days
    assert [secret.shift(client).days for client in range(10)] == days[:10]
    assert Secret().code("client", 1) != secret.code("client", 1)
    assert "key" not in repr(secret)
