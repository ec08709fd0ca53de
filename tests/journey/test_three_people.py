"""The main road: a clinician enters, the night computes, a supervisor decides, a director reports.

Real browser, real worker, real database; each person sees only their own part of it.
"""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import openpyxl
import pytest

from measures_app import actions as measure_actions
from measures_app import measures
from measures_app.models import Administration, Flag, NightlyRun
from outcomes_site.celery import app
from sessions_app import actions, clinic_time
from sessions_app.context import acting_as
from sessions_app.models import CaseReview, Client, Episode, Outbox, Session
from tests.cast import BY, PASSWORD, Clinic, build

pytestmark = [pytest.mark.processes, pytest.mark.browser]

PATIENCE = 120
RELIABLE, CUTOFF = 6.6, 25.0  # of the bundled adult measure, provisional
# First and last score of clients whose care ended today; one has no second score.
ENDED = [
    (15.0, 30.0, "agreed"),
    (18.2, 26.1, "agreed"),
    (10.0, 20.0, "agreed"),
    (20.0, 22.0, "client_stopped"),
    (24.0, 23.0, "client_stopped"),
    (22.0, 12.0, "client_stopped"),
    (30.0, 31.0, "agreed"),
    (28.0, 20.0, "clinic_ended"),
    (19.0, None, "client_stopped"),
]


@dataclass(frozen=True)
class Clinicful:
    clinic: Clinic
    nora: Client


def _ended_clients(clinic: Clinic) -> None:
    today = clinic_time.today()
    outcome = measures.get_measure("outcome-adult")
    for number, (first, last, ending) in enumerate(ENDED):
        client = actions.register_client(
            by=BY, site=clinic.north, name=f"Ended Client{number}", birth_year=1980
        )
        episode = actions.open_episode(
            client=client,
            programme=clinic.therapy,
            opened_on=today - timedelta(days=40),
            lead=clinic.clinicians["bob"],
            by=BY,
        )
        for days, total in ((21, first), (0, last)):
            if total is None:
                continue
            session = actions.record_session(
                episode=episode, held_on=today - timedelta(days=days), by=BY
            )
            measure_actions.record_administration(
                episode=episode, session=session, measure=outcome, total=total,
                provenance="paper", by=BY,
            )  # fmt: skip
        actions.close_episode(episode=episode, on=today, ending=ending, by=BY)


@pytest.fixture(scope="module")
def clinicful(committed_database: Any) -> Clinicful:
    with acting_as(BY):
        measures.sync_library()
        clinic = build()
        _ended_clients(clinic)
        nora = actions.register_client(
            by=BY, site=clinic.north, name="Nora Lindgren", birth_year=1992
        )
        actions.open_episode(
            client=nora,
            programme=clinic.therapy,
            opened_on=clinic_time.today() - timedelta(days=10),
            lead=clinic.clinicians["alice"],
            by=BY,
        )
    return Clinicful(clinic, nora)


@pytest.fixture
def sign_in(browser: Any, live_site: str) -> Iterator[Any]:
    """`sign_in("alice")`: a page of her own browser, past the sign-in; closed at the end."""
    contexts = []

    def enter(name: str) -> Any:
        context = browser.new_context(base_url=live_site, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.goto("/sign-in/")
        page.get_by_label("E-mail").fill(f"{name}@clinic.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    yield enter
    for context in contexts:
        context.close()


def _wait(until: Any, log: Any) -> Any:
    end = time.monotonic() + PATIENCE
    while True:
        with acting_as(BY):
            found = until()
        if found:
            return found
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def _type_session(page: Any, day: Any, marks: list[str], *, tab: bool) -> None:
    """A session from paper: the day, then marks with the keyboard alone.

    Two digits move on by themselves; whoever presses Tab from habit skips nothing.
    """
    page.locator("[name=held_on]").fill(day.isoformat())
    page.locator("[data-mark]").first.focus()
    for mark in marks:
        page.keyboard.type(mark)
        if tab:
            page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def test_two_sessions_are_entered_from_paper(clinicful, sign_in):
    today = clinic_time.today()
    page = sign_in("alice")
    for day, mark, tab in ((today - timedelta(days=7), "64", False), (today, "31", True)):
        page.goto(f"/clients/{clinicful.nora.code}/")
        page.get_by_role("link", name="Start session").click()
        _type_session(page, day, [mark] * 4 + ["92"] * 4, tab=tab)
        page.wait_for_url("**/picture/")  # the picture at once, from the stored model
    assert "Nora Lindgren" in page.inner_text("main")
    with acting_as(BY):
        scores = Administration.objects.scored().filter(client=clinicful.nora)
        totals = scores.order_by("taken_on", "measure__code").values_list("measure__code", "total")
        assert [(code, float(total)) for code, total in totals] == [
            ("alliance-adult", 36.8), ("outcome-adult", 25.6),
            ("alliance-adult", 36.8), ("outcome-adult", 12.4),
        ]  # fmt: skip


def test_the_night_runs_in_the_worker(clinicful, worker):
    today = clinic_time.today()
    app.send_task("night.run", kwargs={"as_of": today.isoformat()})
    run = _wait(
        lambda: NightlyRun.objects.filter(as_of=today, state=NightlyRun.State.DONE).first(),
        worker.log,
    )
    assert run.live
    with acting_as(BY):
        raised = set(
            Flag.objects.filter(episode__client=clinicful.nora).values_list("rule", flat=True)
        )
        assert "deteriorated" in raised
        assert not Outbox.objects.filter(sent_at=None, attempts__gt=1).exists()


def test_a_supervisor_finds_the_flag_and_records_a_decision(clinicful, sign_in):
    code = clinicful.nora.code
    page = sign_in("sofia")
    page.goto("/review/")
    page.get_by_role("button", name=f"Take up {code}").click()
    page.get_by_label("change approach", exact=True).check()
    page.get_by_label("Why, in a sentence").fill("Goals agreed anew; she wants to start smaller.")
    page.get_by_role("button", name="Record the decision").click()
    page.wait_for_url("**/review/")
    assert code not in page.inner_text("main")
    with acting_as(BY):
        review = CaseReview.objects.get(episode__client=clinicful.nora)
        assert review.decision == "change_approach"
        assert review.note.startswith("Goals agreed anew")
        flags = Flag.objects.filter(episode__client=clinicful.nora, rule="deteriorated")
        assert set(flags.values_list("state", flat=True)) == {"decided"}


def test_a_stranger_finds_neither_client_nor_flag(clinicful, sign_in):
    page = sign_in("ruth")
    assert page.goto(f"/clients/{clinicful.nora.code}/").status == 404
    page.goto("/review/")
    assert clinicful.nora.code not in page.inner_text("main")


def _class_of(first: float, last: float) -> str:
    """The definition again, by hand: a check on the product and not made of it."""
    change = last - first
    if change <= -RELIABLE:
        return "deteriorated"
    if change < RELIABLE:
        return "unchanged"
    return "recovered" if first < CUTOFF <= last else "improved"


def _from_the_rows() -> dict[str, float]:
    """This month counted from sessions, scores and episodes, one by one."""
    today = clinic_time.today()
    month = [
        s
        for s in Session.objects.all()
        if (s.held_on.year, s.held_on.month) == (today.year, today.month)
    ]
    attended = [s for s in month if s.status == "attended"]
    purposes: dict[int, set[str]] = {}
    for score in Administration.objects.scored().select_related("measure"):
        purposes.setdefault(score.session_id, set()).add(score.measure.purpose)
    ended = list(Episode.objects.filter(closed_on__month=today.month, closed_on__year=today.year))
    opened = [
        e for e in Episode.objects.all()
        if (e.opened_on.year, e.opened_on.month) == (today.year, today.month)
    ]  # fmt: skip
    classes = Counter(_class_of(a, b) for a, b, _ in ENDED if b is not None)
    endings = Counter(e.ending for e in ended)
    return {
        "people_served": len({s.client_id for s in attended}),
        "episodes_ended": len(ended),
        "episodes_opened": len(opened),
        "both_measures_rate": sum(
            {"outcome", "alliance"} <= purposes.get(s.pk, set()) for s in attended
        ),
        "ended_planned": endings["agreed"],
        "ended_unplanned": endings["client_stopped"],
        "ended_by_clinic": endings["clinic_ended"],
        **{name: classes[name] for name in ("recovered", "improved", "unchanged", "deteriorated")},
    }


def test_a_director_downloads_the_month_and_its_numbers_are_the_clients(clinicful, sign_in):
    page = sign_in("dora")
    page.goto(f"/reports/{clinic_time.today():%Y-%m}/")
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    with open(started.value.path(), newline="", encoding="utf-8") as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    with page.expect_download() as started:
        page.get_by_role("link", name="XLSX").click()
    with open(started.value.path(), "rb") as workbook:
        book = openpyxl.load_workbook(io.BytesIO(workbook.read()))
    in_book = {
        cells[3]: cells
        for sheet in book.worksheets[:-1]
        for cells in sheet.iter_rows(values_only=True, min_row=2)
    }
    with acting_as(BY):
        counted = _from_the_rows()
    for metric, number in counted.items():
        column = "numerator" if rows[metric]["numerator"] else "value"
        assert float(rows[metric][column]) == number, metric
        assert float(in_book[metric][7 if column == "numerator" else 4]) == number, metric
    # Bounds, by hand: seven started on the clinical side, one of them without a second score.
    recovered = rows["recovered"]
    assert (recovered["numerator"], recovered["denominator"]) == ("2", "6")
    assert float(recovered["worst"]) == pytest.approx(2 / 7, abs=1e-6)
    assert float(recovered["best"]) == pytest.approx(3 / 7, abs=1e-6)
    lower = rows["deteriorated"]
    assert float(lower["worst"]) == pytest.approx(3 / 9, abs=1e-6)
    assert float(lower["best"]) == pytest.approx(2 / 9, abs=1e-6)
    assert float(lower["coverage"]) == pytest.approx(8 / 9, abs=1e-6)
    # The page says the same, hides what is made of fewer than eight people, and names nobody.
    text = page.inner_text("main")
    for shown in ("2 of 20", "1 of 8", "3 of 8", "2 of 8", "22 % – 33 %", "89 %"):
        assert shown in text
    assert "2 of 6" not in text
    assert clinicful.nora.code not in text
    assert "Lindgren" not in text
