"""Programmes against one another; clinicians only where it was decided, announced and is coded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core import mail
from django.core.exceptions import ValidationError

from measures_app.charts import FunnelFigure, FunnelPoint, funnel_charts
from reports_app import funnel
from reports_app.funnel import FEWEST, Part, funnel_of
from sessions_app import actions, clinic_time, policies, widening
from sessions_app.context import acting_as, forget
from sessions_app.models import AuditEvent, Clinician, Outbox, Policy
from tests.cast import BY
from tests.reports.conftest import Month12, browser_text, signed_in, taken_back

PAGE = "/agency/funnel/"
POLICY = funnel.POLICY


def _parts(rng: Any, unit: int, clinicians: int, n: int, mean: float = 0.0) -> list[Part]:
    """Endings of a unit's clinicians, who differ by as much as people do (ICC .05)."""
    found = []
    for clinician in range(clinicians):
        r = rng.normal(mean + rng.normal(0, 0.05**0.5), 0.95**0.5, n)
        who = 100 * unit + clinician
        found.append(Part(unit, who, n, float(r.sum()), float((r**2).sum())))
    return found


def test_lines_hold_who_differs_as_clinicians_do() -> None:
    """As METHODS says: ordinary limits put nearly a third of them outside, these one in twenty."""
    rng = np.random.default_rng(5)
    inside = ordinary = 0
    for _each in range(30):
        parts = [part for unit in range(40) for part in _parts(rng, unit, 1, 50)]
        found = funnel_of(parts, {n: str(n) for n in range(40)}, 0.05, lines=True)
        inside += sum(unit.beyond == 0 for unit in found.units)
        ordinary += sum(abs(unit.value or 0) < 1.96 / 50**0.5 for unit in found.units)
    assert 0.93 < inside / 1200 < 0.975
    assert ordinary / 1200 < 0.78


def test_a_programme_of_many_clinicians_may_differ_by_less() -> None:
    rng = np.random.default_rng(6)
    parts = [*_parts(rng, 0, 1, 200), *_parts(rng, 1, 20, 10)]
    found = funnel_of(parts, {0: "One", 1: "Many"}, 0.05, lines=False)
    one, many = found.units
    assert (one.n, many.n) == (200, 200)
    assert one.inner > 1.5 * many.inner  # type: ignore[operator]
    assert one.outer == pytest.approx(one.inner * 3.0902 / 1.95996, rel=1e-3)  # type: ignore[operator]


def test_of_few_nothing_is_said_and_nothing_can_be_worked_out() -> None:
    rng = np.random.default_rng(7)
    shown = _parts(rng, 0, 2, 30) + _parts(rng, 1, 2, 40, mean=2.0)
    few = _parts(rng, 2, 1, FEWEST - 1, mean=9.0)
    names = {0: "A", 1: "B", 2: "C", 3: "nobody ended"}
    found = funnel_of(shown + few, names, 0.05, lines=False)
    assert [unit.name for unit in found.units] == ["A", "B", "C"], "in their own order"
    assert (found.units[2].n, found.units[2].value) == (None, None)
    assert found.units[2].words == "too few to say"
    # What the few are doesn't move what is shown: no difference of a mean gives them away.
    assert found.units[:2] == funnel_of(shown, names, 0.05, lines=False).units
    assert found.units[1].beyond == 2
    assert "further along" in found.units[1].words
    assert found.units[0].beyond == 2
    assert funnel_of(few, names, 0.05, lines=False).shown == []


def test_a_kept_funnel_is_read_back() -> None:
    parts = _parts(np.random.default_rng(8), 0, 2, 30)
    found = funnel_of(parts, {0: "A", 1: "B"}, 0.05, lines=True)
    assert funnel.Funnel.from_json(found.as_json()) == found


def test_a_funnel_names_who_is_outside() -> None:
    many = [FunnelPoint(f"K{n}", 20 + n, 0.0, 0.3, 0.5) for n in range(20)]
    outside = FunnelPoint("Q7", 60, 0.45, 0.3, 0.5)
    drawn = funnel_charts(FunnelFigure("x", [*many, outside], [(10, 0.6, 0.9), (60, 0.3, 0.5)]))
    assert drawn.count("Q7") == 2, "wide and narrow"
    assert "K3" not in drawn
    assert funnel_charts(FunnelFigure("x", [])) == ""


def test_a_directors_page_says_it_of_programmes(month: Month12) -> None:
    text = browser_text(signed_in(month, "dora"), f"{PAGE}?period={month.month}")
    assert "Talking therapy too few to say" in text or "too few to say" in text
    assert "clinician, coded" not in text
    wrong = signed_in(month, "dora").get(f"{PAGE}?period=2026-99")
    assert wrong.status_code == 400
    assert "2026-99" in wrong.content.decode()
    empty = browser_text(signed_in(month, "dora"), f"{PAGE}?period=1995-05&by=site")
    assert "Nobody's care ended" in empty


def test_who_comes_to_see_more_is_announced_thirty_days_ahead(clinic: Any) -> None:
    today = clinic_time.today()
    soon = {"key": POLICY, "value": True, "by": clinic.adam}
    with pytest.raises(ValidationError, match="30 days"):
        actions.set_policy(**soon, from_on=today + timedelta(days=29))
    assert not Policy.objects.filter(key=POLICY).exists()
    row = actions.set_policy(**soon)
    assert row.from_on == today + timedelta(days=30)
    assert not policies.get(POLICY)
    assert policies.since(POLICY) is None
    assert policies.announced(POLICY) == row.from_on
    told = Outbox.objects.filter(kind=widening.KIND)
    treating = Clinician.objects.exclude(user=None).filter(user__is_active=True)
    assert {each.payload["user"] for each in told} == set(treating.values_list("user", flat=True))
    with acting_as(BY):
        widening.tell(told[0].payload, "x")
    assert "from that day on" in mail.outbox[-1].body
    # Taking it back is heard at once, and so is deciding it before anything was seen.
    actions.set_policy(key=POLICY, value=False, by=clinic.adam, from_on=row.from_on)
    assert policies.announced(POLICY) is None


def test_an_announcement_stands_on_the_page_of_those_concerned(
    clinic: Any, browser_of: Any
) -> None:
    actions.set_policy(key=POLICY, value=True, by=clinic.adam)
    assert "under a code" in browser_text(browser_of("alice"), "/practice/")


def _decided(since: Any) -> None:
    Policy.objects.create(key=POLICY, value=True, from_on=since)
    forget(policies.NOTED)
    assert policies.since(POLICY) == since


def test_care_that_began_before_the_day_stays_unseen(month: Month12) -> None:
    began = month.month.start - timedelta(days=60)
    with taken_back():
        assert funnel.of_clinicians(month.month)[0].units == [], "not decided"
        _decided(began)
        assert [unit.name for unit in funnel.of_clinicians(month.month)[0].units] == ["A"]
    with taken_back():
        _decided(month.month.start + timedelta(days=20))
        assert funnel.of_clinicians(month.month)[0].units == []
    with taken_back():
        _decided(began)
        Policy.objects.create(key=POLICY, value=False, from_on=clinic_time.today())
        forget(policies.NOTED)
        assert policies.since(POLICY) is None


def test_clinicians_stand_under_codes_and_are_told_who_looked(
    month: Month12, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = month.clinic.clinicians["bob"]
    monkeypatch.setattr(funnel, "_parts", lambda *rest: [Part(bob.pk, bob.pk, 30, 3.0, 40.0)])
    with taken_back():
        dora = signed_in(month, "dora")
        assert dora.get(f"{PAGE}?by=clinician").status_code == 404
        _decided(month.month.start)
        text = browser_text(dora, f"{PAGE}?by=clinician&period={month.month}")
        assert " A 30 +0.00" in text
        assert bob.name not in text
        assert "what was before stays unseen" in text
        looked = AuditEvent.objects.filter(subject_kind="clinician", subject=bob.code)
        assert looked.filter(detail__what="funnel of coded clinicians").count() == 1
