"""Scores that are written out in the long form come back as the same scores."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from measures_app import measures
from measures_app.actions.imports import import_records, known_versions
from measures_app.imports import long_form, read_rows, read_table
from measures_app.models import Administration
from sessions_app.context import acting_as
from tests.cast import BY

ITEMS = [f"item_{n}" for n in range(1, 5)]
COLUMNS = [
    "client", "session_date", "session", "measure", "total", *ITEMS, "clinician", "programme",
    "episode", "attendance", "respondent", "birth_year", "gender", "opened_on", "ended_on",
    "ending",
]  # fmt: skip
START = date(2023, 5, 1)
tenths = st.integers(0, 100).map(lambda n: str(Decimal(n) / 10))
names = st.text("ABCÉñ,;'\" 1", min_size=1, max_size=6).map(str.strip).filter(bool)


@st.composite
def courses(draw: Any) -> list[dict[str, str]]:
    """Rows of a few clients, each with one episode, as a clinic's own software might say them."""
    rows: list[dict[str, str]] = []
    for client in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        opened = START + timedelta(days=draw(st.integers(0, 200)))
        days = sorted(draw(st.sets(st.integers(0, 300), min_size=1, max_size=4)))
        person = {
            "client": client,
            "birth_year": str(draw(st.integers(1940, 2010))),
            "gender": draw(st.sampled_from(["woman", "man", "other"])),
            "programme": draw(st.sampled_from(["Talking", "Group; with, signs"])),
            "episode": draw(st.sampled_from(["", "e-1"])),
            "opened_on": str(opened),
        }
        if draw(st.booleans()):
            person |= {"ended_on": str(opened + timedelta(days=days[-1])), "ending": "agreed"}
        for day in days:
            for session in draw(st.sampled_from([[""], ["a", "b"]])):
                at = {
                    "session_date": str(opened + timedelta(days=day)),
                    "session": session,
                    "clinician": draw(st.sampled_from(["Mia", "Jon"])),
                    "attendance": "attended",
                }
                if draw(st.booleans()):
                    total = str(draw(st.integers(0, 27)))
                    rows.append(person | at | {"measure": "phq-9", "total": total})
                for who in draw(st.sets(st.sampled_from(["self", "carer"]), min_size=1)):
                    marks = draw(st.lists(tenths, min_size=4, max_size=4))
                    answers = dict(zip(ITEMS, marks, strict=True))
                    rows.append(
                        person | at | answers | {"measure": "outcome-adult", "respondent": who}
                    )
    return rows


def written(rows: list[dict[str, str]], sign: str, encoding: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, delimiter=sign, restval="")
    writer.writeheader()
    for row in rows:
        if sign == ";":
            comma = {name: row.get(name, "").replace(".", ",") for name in ("total", *ITEMS)}
            row = row | comma
        writer.writerow(row)
    return text.getvalue().encode(encoding)


def exported() -> list[dict[str, str]]:
    """Everything that is stored, in the long form."""
    rows = []
    for score in Administration.objects.current().select_related(
        "client", "episode__programme", "session__meeting", "respondent", "measure", "version"
    ):
        client, episode = score.client, score.episode
        items = measures.definition_of(score.version).items
        answers = score.answers or {}
        rows.append(
            {f"item_{n}": answers.get(item.id, "") for n, item in enumerate(items[:4], start=1)}
            | {
                "client": client.external_ids.get().value,
                "session_date": str(score.session.held_on),
                "session": score.session.reference,
                "measure": score.measure.code,
                "total": "" if score.total is None else str(score.total),
                "clinician": score.session.meeting.clinicians.get().code,
                "programme": episode.programme.name,
                "episode": episode.reference,
                "attendance": score.session.status,
                "respondent": score.respondent.relation,
                "birth_year": str(client.birth_year or ""),
                "gender": client.gender,
                "opened_on": str(episode.opened_on),
                "ended_on": str(episode.closed_on or ""),
                "ending": episode.ending,
            }
        )
    return sorted(rows, key=lambda row: sorted(row.items()))


def brought(content: bytes) -> tuple[int, int, list[dict[str, str]]]:
    """(created, created the second time, the export afterwards); then taken back."""
    table = read_table(content)
    mapping = long_form(table.columns)
    with transaction.atomic():
        records, problems = read_rows(table, mapping, known_versions())
        assert not problems
        created = import_records(records=records, mapping=mapping, by=BY).created
        again = import_records(records=records, mapping=mapping, by=BY).created
        after = exported()
        transaction.set_rollback(True)
    return created, again, after


def _there_and_back(rows: list[dict[str, str]], sign: str, encoding: str) -> None:
    with acting_as(BY):
        created, again, first = brought(written(rows, sign, encoding))
        assert (created, again) == (len(rows), 0)
        created, _again, second = brought(written(first, sign, encoding))
        assert created == len(rows)
        assert second == first


files = given(courses(), st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-16"]))
checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@files
@settings(max_examples=6, deadline=None, suppress_health_check=checks)
def test_an_exported_long_form_brings_the_same_scores(
    db: Any, rows: list[dict[str, str]], sign: str, encoding: str
) -> None:
    _there_and_back(rows, sign, encoding)


@pytest.mark.fuzz
@files
@settings(max_examples=100, deadline=None, suppress_health_check=checks)
def test_many_exported_long_forms_bring_the_same_scores(
    db: Any, rows: list[dict[str, str]], sign: str, encoding: str
) -> None:
    _there_and_back(rows, sign, encoding)
