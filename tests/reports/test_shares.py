"""Read once and shared out among scopes, a period is what each scope reads by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from measures_app import actions as measure_actions
from measures_app import measures
from reports_app import actions as report_actions
from reports_app import session_months
from reports_app.cells import Cells, fill
from reports_app.extract import CLINIC, Scope, extract
from reports_app.metrics import monthly_metrics
from reports_app.models import ReportEdition
from reports_app.nightly import refresh_episode
from reports_app.periods import Range
from reports_app.published import publication
from reports_app.shares import shared_out
from sessions_app import actions, clinic_time
from sessions_app.models import Episode, Referral
from tests.cast import BY
from tests.reports.conftest import Month12, end_one, taken_back


def _of_several(month: Month12) -> list[Scope]:
    """The clinic's month over two programmes and two funders, with waits, carers, blanks."""
    clinic, start = month.clinic, month.month.start
    for place, row in enumerate([(15.0, 30.0, "agreed"), (20.0, 12.0, "client_stopped")]):
        end_one(clinic, month.month, 70 + place, *row, programme=clinic.restricted)
    Episode.objects.filter(pk__in=[e.pk for e in month.episodes[:5]]).update(funder="County")
    carer = actions.add_respondent(client=month.episodes[2].client, relation="carer", by=BY)
    measure_actions.record_administration(
        episode=month.episodes[2], session=None, respondent=carer, total=20.0,
        measure=measures.get_measure("outcome-adult"), taken_at=clinic_time.at(start, 9),
        provenance="paper", by=BY,
    )  # fmt: skip
    for day, programme in ((2, clinic.therapy), (5, clinic.restricted), (6, clinic.therapy)):
        client = actions.register_client(by=BY, site=clinic.north, name="Somebody Waits")
        actions.receive_referral(
            client=client, programme=programme, received_on=start + timedelta(days=day),
            funder="County" if day == 5 else "", by=BY,
        )  # fmt: skip
    # One who is served by two programmes, and a session of which nobody has said what came of it.
    again = actions.open_episode(
        client=month.episodes[0].client, programme=clinic.restricted, opened_on=start,
        lead=clinic.clinicians["bob"], by=BY,
    )  # fmt: skip
    actions.record_session(episode=again, held_on=start + timedelta(days=3), by=BY)
    actions.record_session(
        episode=month.episodes[6], held_on=start + timedelta(days=1), status="no_show", by=BY
    )
    for episode in Episode.objects.all():
        refresh_episode(episode.pk, clinic_time.today())
    session_months.rebuild()
    assert Referral.objects.count() == 3
    programmes = [Scope(clinic.therapy), Scope(clinic.restricted)]
    return [CLINIC, *programmes, Scope(funder="County"), Scope(funder="")]


def test_shared_out_a_scope_is_what_it_reads_by_itself(month: Month12) -> None:
    within = Range(month.month.start, month.month.start + timedelta(days=20))
    with taken_back():
        scopes = _of_several(month)
        for period in (month.month, within):
            shared = shared_out(period, scopes)
            for scope, part in zip(scopes, shared, strict=True):
                alone = extract(period, scope)
                assert monthly_metrics(part) == monthly_metrics(alone), scope.name
                cells = Cells(), Cells()
                fill(cells[0], part)
                fill(cells[1], alone)
                assert cells[0] == cells[1], scope.name
            # The scopes differ, and so would their extracts if one were taken for another.
            assert len({str(monthly_metrics(part)) for part in shared}) == len(scopes)
        with CaptureQueriesContext(connection) as of_all:
            shared_out(month.month, scopes)
        with CaptureQueriesContext(connection) as of_one:
            shared_out(month.month, scopes[:1])
        assert len(of_all) <= len(of_one) + 2, "but for the funders' sessions"


def test_the_files_of_a_publication_are_made_of_one(
    month: Month12, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CSV, workbook and PDF are made of the same figures, counted once."""
    counted: list[Any] = []

    def once(*args: Any) -> Any:
        counted.append(args)
        return publication(*args)

    monkeypatch.setattr("reports_app.editions.publication", once)
    closed = month.month
    while closed.is_provisional():
        closed = closed.previous()
    with taken_back():
        job = report_actions.ask_to_publish(period=closed, by=month.clinic.users["dora"])
        report_actions.carry_out_publication(job.pk)
        assert len(counted) == 1
        job.refresh_from_db()
        editions = ReportEdition.objects.filter(run=job.result["run"])
        assert {edition.format for edition in editions} >= {"csv", "xlsx"}
        assert job.done == job.total
