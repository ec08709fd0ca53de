"""Any score can be put right or taken out, with a reason; what stood before stays in sight."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client as Browser

from measures_app import actions, measures
from measures_app.actions.administrations import CHANGED
from measures_app.models import Administration, Trajectory
from reports_app import tasks  # noqa: F401 - the worker imports it: it carries the promises out
from reports_app.nightly import run_night
from sessions_app import clinic_time, outbox
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent, Outbox
from tests.cast import BY, Clinic

pytestmark = pytest.mark.usefixtures("no_pages_made_ahead")

FIRST = {"individual": "6.0", "close": "5.0", "social": "4.0", "overall": "5.0"}  # 20.0


@pytest.fixture
def scored(clinic: Clinic) -> list[Administration]:
    """Ana's first three sessions: 20, 22 and a refusal."""
    with acting_as(BY):
        measures.sync_library()
        measure = measures.get_measure("outcome-adult")
        given: list[dict[str, Any]] = [
            {"answers": FIRST},
            {"total": "22"},
            {"not_taken": "declined"},
        ]
        rows = [
            actions.record_administration(
                episode=clinic.episodes["ana"],
                session=session,
                measure=measure,
                provenance="paper",
                by=clinic.alice,
                **values,
            )
            for session, values in zip(clinic.sessions["ana"], given, strict=False)
        ]
    return rows


@pytest.fixture
def page(scored: list[Administration], browser_of: Callable[[str], Browser]) -> Callable[..., Any]:
    """`page(row, reason=...)`: what Alice typed into the correction of a row."""
    browser = browser_of("alice")

    def send(row: Administration, path: str = "", **typed: Any) -> Any:
        path = path or f"/scores/{row.pk}/correct/"
        form = browser.get(path).context["form"]
        data = {name: form[name].value() or "" for name in form.fields}
        return browser.post(path, {**data, **typed})

    send.browser = browser
    return send


def confirm(page: Any, row: Administration, **typed: Any) -> Any:
    """Go on, look, keep."""
    seen = page(row, **typed)
    assert seen.status_code == 200
    return page(row, **typed, previewed=seen.context["form"]["previewed"].value())


def kept(row: Administration) -> Administration:
    with acting_as(BY):
        return Administration.objects.select_related("voided_by", "client__key", "episode").get(
            pk=row.pk
        )


def stands(row: Administration) -> Administration:
    with acting_as(BY):
        return Administration.objects.select_related("recorded_by", "client__key").get(
            supersedes=row
        )


def test_the_first_score_too_is_put_right_and_the_old_one_stays(page: Any, scored: Any):
    response = confirm(page, scored[0], item_individual="64", reason="read as 60 mm")
    assert response.status_code == 302
    old, new = kept(scored[0]), stands(scored[0])
    assert (old.total, new.total) == (Decimal("20.0"), Decimal("20.4"))
    assert old.superseded_at is not None
    assert (new.correction_reason, new.recorded_by.name) == ("read as 60 mm", "Alice Alder")
    assert (new.taken_on, new.session_id) == (old.taken_on, old.session_id)
    text = page.browser.get(response["Location"]).content.decode()
    for word in ("20.4", "20", "read as 60 mm", "Alice Alder"):
        assert word in text


def test_nothing_is_kept_before_it_was_looked_at(page: Any, scored: Any):
    seen = page(scored[0], item_individual="64", reason="misread")
    text = seen.content.decode()
    assert "nothing is kept yet" in text
    assert "20.4" in text
    assert kept(scored[0]).superseded_at is None


def test_what_is_changed_after_looking_is_looked_at_again(page: Any, scored: Any):
    seen = page(scored[0], item_individual="64", reason="misread")
    signed = seen.context["form"]["previewed"].value()
    again = page(scored[0], item_individual="65", reason="misread", previewed=signed)
    assert again.status_code == 200
    assert kept(scored[0]).superseded_at is None


NOTHING = dict.fromkeys(("item_individual", "item_close", "item_social", "item_overall"), "")
REFUSED = [
    ({"reason": ""}, "reason", "required"),
    ({"reason": "why"}, "what", "Nothing differs"),
    ({"reason": "why", "item_close": "101"}, "item_close", "the line is 100 mm long"),
    ({"reason": "why", "item_close": "six"}, "item_close", "is not a number"),
    ({"reason": "why", **NOTHING}, "what", "Nothing is answered"),
    ({"reason": "x" * 201}, "reason", "at most 200"),
]


def test_a_wrong_correction_is_said_beside_its_field_and_what_was_typed_stays(
    page: Any, scored: Any
):
    for typed, field, said in REFUSED:
        response = page(scored[0], **typed)
        assert response.status_code == 422
        assert said in " ".join(response.context["form"].errors[field])
        for name, value in typed.items():
            assert response.context["form"][name].value() == value
    assert kept(scored[0]).superseded_at is None


def test_an_item_taken_back_leaves_no_total(page: Any, scored: Any):
    seen = page(scored[0], item_close="", reason="she had left it empty")
    assert "incomplete, so without a total" in seen.content.decode()
    confirm(page, scored[0], item_close="", reason="she had left it empty")
    assert stands(scored[0]).total is None


def test_a_bare_total_is_put_right_as_a_total(page: Any, scored: Any):
    assert page(scored[1], total="41", reason="typo").status_code == 422
    confirm(page, scored[1], total="12.5", reason="typo")
    assert stands(scored[1]).total == Decimal("12.5")


def test_a_refusal_that_was_a_score_becomes_one(page: Any, scored: Any):
    marks = {f"item_{item}": value for item, value in FIRST.items()}
    confirm(page, scored[2], **marks, reason="the sheet was found")
    assert (stands(scored[2]).total, stands(scored[2]).not_taken) == (Decimal("20.0"), "")


def test_a_score_taken_out_stays_in_sight_and_out_of_every_reading(page: Any, scored: Any):
    confirm(page, scored[0], what="void", item_close="six", reason="another client's sheet")
    row = kept(scored[0])
    assert (row.voided, row.voided_by.name) == (True, "Alice Alder")
    text = page.browser.get(f"/clients/{row.client.code}/scores/").content.decode()
    for word in ("20", "doesn't count", "another client&#x27;s sheet", "Alice Alder"):
        assert word in text
    with acting_as(BY):
        assert list(
            Administration.objects.scored().filter(episode=row.episode).values_list("total")
        ) == [(Decimal("22.00"),)]


def test_the_second_of_two_sees_what_the_first_put_right(page: Any, scored: Any, clinic: Clinic):
    with acting_as(clinic.sofia):
        new = actions.correct_administration(
            administration=scored[0], total="21", reason="added wrongly", by=clinic.sofia
        )
    response = page(scored[0], item_individual="64", reason="misread")
    assert response.status_code == 409
    text = response.content.decode()
    for word in ("corrected meanwhile", "21", "added wrongly", "Sofia Spruce", 'value="64"'):
        assert word in text
    assert f'action="/scores/{new.pk}/correct/"' in text
    assert kept(new).superseded_at is None
    confirm(page, new, total="20.4", reason="misread")
    assert stands(new).total == Decimal("20.4")


def test_the_second_of_two_is_told_that_the_first_took_it_out(
    page: Any, scored: Any, clinic: Clinic
):
    with acting_as(clinic.sofia):
        actions.void_administration(administration=scored[0], reason="not hers", by=clinic.sofia)
    response = page(scored[0], item_individual="64", reason="misread")
    assert response.status_code == 409
    text = response.content.decode()
    assert "taken out meanwhile" in text
    assert "not hers" in text
    assert "Keep the correction" not in text


def test_one_who_was_quicker_than_our_look_is_seen_all_the_same(
    page: Any, scored: Any, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
):
    """Between the look at the row and its lock somebody else corrects it."""
    from measures_app.views import corrections

    def late(**given: Any) -> None:
        actions.correct_administration(
            administration=scored[0], total="21", reason="quick", by=clinic.sofia
        )
        actions.correct_administration(**given)

    monkeypatch.setattr(corrections, "correct_administration", late)
    response = confirm(page, scored[0], item_individual="64", reason="misread")
    assert response.status_code == 409
    assert "quick" in response.content.decode()


def test_a_corrected_row_is_not_corrected_twice(scored: Any, clinic: Clinic):
    given = {"administration": scored[0], "total": "21", "reason": "a", "by": clinic.alice}
    with acting_as(clinic.alice):
        actions.correct_administration(**given)
        with pytest.raises(ValidationError, match="meanwhile"):
            actions.correct_administration(**given)
        with pytest.raises(ValidationError, match="meanwhile"):
            actions.void_administration(administration=scored[0], reason="a", by=clinic.alice)


def test_who_may_not_enter_scores_may_not_correct_them(scored: Any, clinic: Clinic):
    for name in ("adam", "dora", "fred"):
        user = clinic.users[name]
        with acting_as(user), pytest.raises(PermissionDenied):
            actions.correct_administration(administration=scored[0], total=1, reason="a", by=user)
        with acting_as(user), pytest.raises(PermissionDenied):
            actions.void_administration(administration=scored[0], reason="a", by=user)


def test_a_stranger_gets_404_and_changes_nothing(scored: Any, browser_of: Any):
    browser = browser_of("ruth")
    path = f"/scores/{scored[0].pk}/correct/"
    assert browser.get(path).status_code == 404
    assert browser.post(path, {"what": "void", "reason": "x"}).status_code == 404
    assert not kept(scored[0]).voided


def test_a_correction_asks_for_the_episode_to_be_read_again(page: Any, scored: Any):
    with acting_as(BY):
        run_night(clinic_time.today())
    with acting_as(BY):
        assert list(Trajectory.objects.values_list("scores", flat=True)) == [[20.0, 22.0]]
        Outbox.objects.all().delete()
    confirm(page, scored[0], item_individual="64", reason="misread")
    with acting_as(BY):
        (asked,) = Outbox.objects.filter(kind=CHANGED)
        assert asked.payload == {"episode": scored[0].episode_id}
    assert outbox.sweep() == 1
    with acting_as(BY):
        assert list(Trajectory.objects.values_list("scores", flat=True)) == [[20.4, 22.0]]
        event = AuditEvent.objects.get(action="score corrected")
    assert event.subject == scored[0].client.code


def test_both_values_are_shown_until_the_next_night(page: Any, scored: Any):
    path = scored[0].client.get_absolute_url()
    confirm(page, scored[0], item_individual="64", reason="misread")
    assert "20.4 * (was 20)" in page.browser.get(path).content.decode()
    with acting_as(BY):
        run_night(clinic_time.today())
    text = page.browser.get(path).content.decode()
    assert "20.4 *" in text
    assert "(was" not in text


def test_what_was_due_and_not_entered_stands_there_with_the_way_to_enter_it(page: Any, scored: Any):
    text = page.browser.get(f"/clients/{scored[0].client.code}/scores/").content.decode()
    assert "was due, nothing entered" in text
    assert f'href="/sessions/{scored[0].session_id}/"' in text  # its alliance
    assert "declined" in text  # said why: not a gap


def test_a_page_of_many_scores_takes_few_queries(
    page: Any, scored: Any, django_assert_max_num_queries: Any
):
    confirm(page, scored[0], item_individual="64", reason="a")
    confirm(page, scored[1], total="12", reason="b")
    path = f"/clients/{scored[0].client.code}/scores/"
    with django_assert_max_num_queries(24):
        assert page.browser.get(path).status_code == 200


def test_an_episode_that_is_no_number_is_no_such_page(page: Any, scored: Any):
    path = f"/clients/{scored[0].client.code}/scores/"
    for wanted in ("²", "9" * 5000, "-1", "one"):
        assert page.browser.get(path, {"episode": wanted}).status_code == 404
