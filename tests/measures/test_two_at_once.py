"""Two people put the same score right at the same moment: one is first, the other is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client as Browser

from measures_app import actions, measures
from measures_app.models import Administration
from sessions_app.context import acting_as
from tests.cast import BY, build

pytestmark = pytest.mark.processes


@pytest.mark.usefixtures("committed_database")
def test_of_two_who_keep_at_the_same_moment_one_is_first_and_the_other_sees_it() -> None:
    with acting_as(BY):
        clinic = build()
        measures.sync_library()
        row = actions.record_administration(
            episode=clinic.episodes["ana"],
            session=clinic.sessions["ana"][0],
            measure=measures.get_measure("outcome-adult"),
            total=20,
            provenance="paper",
            by=BY,
        )
    path, together = f"/scores/{row.pk}/correct/", threading.Barrier(2)
    looked_at = []
    for name, total in (("alice", "21"), ("sofia", "22")):
        browser = Browser()
        browser.force_login(clinic.users[name])
        typed = {"what": "correct", "total": total, "reason": f"so says {name}"}
        form = browser.post(path, typed).context["form"]
        looked_at.append((browser, typed | {"previewed": form["previewed"].value()}))

    def keep(person: tuple[Browser, dict[str, str]]) -> Any:
        try:
            together.wait(30)
            return person[0].post(path, person[1])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(keep, looked_at))
    assert sorted(answer.status_code for answer in answers) == [302, 409]
    told = next(answer for answer in answers if answer.status_code == 409)
    with acting_as(BY):
        (stands,) = Administration.objects.current().filter(session=row.session_id)
        assert stands.supersedes_id == row.pk
        assert f"{stands.total:f}".rstrip("0").rstrip(".") in told.content.decode()
