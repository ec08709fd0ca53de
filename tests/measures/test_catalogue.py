"""Everybody who works here reads what is asked; administrators load, add constants and plan."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from measures_app import actions, measures
from measures_app.models import Measure, MeasurePlan, MeasureVersion, NormRow
from sessions_app import clinic_time
from sessions_app.context import acting_as
from sessions_app.models import AuditEvent
from tests.cast import BY, Clinic

from .documents import SHORT, changed

LOAD = "/measures/load/"


@pytest.fixture
def adam(clinic: Clinic, browser_of: Any) -> Browser:
    with acting_as(BY):
        measures.sync_library()
    return browser_of("adam")


def looked_at(browser: Browser, **given: Any) -> dict[str, Any]:
    """What the form holds after a look."""
    response = browser.post(LOAD, given)
    assert response.status_code == 200, response.context["form"].errors
    form = response.context["form"]
    return {name: form[name].value() or "" for name in form.fields if name != "file"}


def count() -> int:
    with acting_as(BY):
        return MeasureVersion.objects.count()


def test_a_measure_is_looked_at_before_it_is_loaded(adam: Browser):
    before = count()
    seen = adam.post(LOAD, {"text": SHORT})
    text = seen.content.decode()
    for word in ("Nothing is loaded yet", "The first", "seldom", "a table on page 4", "new here"):
        assert word in text
    assert "counts the other way round" in text
    assert count() == before
    response = adam.post(LOAD, looked_at(adam, text=SHORT))
    assert response["Location"] == "/measures/steps/"
    assert count() == before + 1
    page = adam.get("/measures/steps/").content.decode()
    assert "never" in page
    assert "in use" in page


def test_a_file_is_read_into_the_text_and_loaded_from_there(adam: Browser):
    typed = looked_at(adam, file=SimpleUploadedFile("steps.toml", SHORT.encode()))
    assert typed["text"] == SHORT
    typed["text"] = SHORT.replace("\n", "\r\n")  # as browsers send it
    assert adam.post(LOAD, typed).status_code == 302
    back = adam.get("/measures/steps/definition.toml").content.decode()
    assert back == SHORT  # byte for byte, whatever line ends a browser sends


def test_what_is_changed_after_a_look_is_looked_at_again(adam: Browser):
    before, typed = count(), looked_at(adam, text=SHORT)
    typed["text"] = changed(("The first", "The 1st"))
    assert adam.post(LOAD, typed).status_code == 200
    assert count() == before


REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"text": ""}, "text", "Choose a file"),
    ({"text": changed(("sources", "sauces"))}, "text", "line 8: “sauces” is unknown"),
    ({"text": changed(("high = 6", "high = 9"))}, "text", "line 6: the items come to 0 to 6"),
    ({"text": "x" * 500_001}, "text", "at most 500000"),
    ({"text": SHORT, "better": "lower"}, "side", "These are for a Questionnaire"),
    ({"text": '{"resourceType": "Patient"}'}, "text", "Patient"),
    ({"text": "{"}, "text", "line 1"),
    ({"text": "<Questionnaire/>"}, "text", "XML"),
    ({"text": "{}", "side": "a" + ".a" * 20_000 + " = 1"}, "text", "nested too deep"),
    ({"text": changed(('"symptom"', '"risk"'), ('"steps"', '"phq-9"'))}, "__all__", "purpose"),
]


def test_what_cannot_be_loaded_is_said_and_what_was_pasted_stays(adam: Browser):
    before = count()
    for given, field, said in REFUSED:
        response = adam.post(LOAD, given)
        if response.status_code == 200:  # it reads well, and can't be kept
            form = response.context["form"]
            response = adam.post(LOAD, given | {"previewed": form["previewed"].value()})
        assert response.status_code == 422
        assert said in " ".join(response.context["form"].errors[field])
        assert response.context["form"]["text"].value() == given["text"]
    assert count() == before


def test_a_file_that_is_no_text_is_said_beside_it(adam: Browser):
    for content, said in (
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"#" * 500_001, "larger than half a megabyte"),
    ):
        response = adam.post(LOAD, {"file": SimpleUploadedFile("x.toml", content)})
        assert response.status_code == 422
        assert said in " ".join(response.context["form"].errors["file"])


def test_markup_in_a_measure_is_never_rendered(adam: Browser):
    text = changed(("The first", "<script>alert(1)</script>"))
    assert "<script>alert" not in adam.post(LOAD, {"text": text}).content.decode()
    adam.post(LOAD, looked_at(adam, text=text))
    page = adam.get("/measures/steps/").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_a_questionnaire_is_loaded_with_what_it_cannot_say(adam: Browser):
    out = json.loads(adam.get("/measures/outcome-adult/questionnaire.json").content)
    assert out["resourceType"] == "Questionnaire"
    text = json.dumps(out).replace("outcome-adult", "outcome-other")
    typed = looked_at(adam, text=text)
    assert adam.post(LOAD, typed)["Location"] == "/measures/outcome-other/"
    with acting_as(BY):
        pair = MeasureVersion.objects.filter(measure__code__in=("outcome-adult", "outcome-other"))
        assert len({version.scoring_hash for version in pair}) == 1


def test_a_page_shows_what_is_asked_how_it_is_read_and_what_is_borrowed(adam: Browser):
    text = adam.get("/measures/outcome-adult/").content.decode()
    for word in ("In myself", "badly", "provisional", "borrowed from published", "in use",
                 "nobody yet", "6.6", "1 Nov 2027", "each session"):  # fmt: skip
        assert word in text
    spanish = adam.get("/measures/outcome-adult/?language=es").content.decode()
    assert "En lo personal" in spanish
    assert adam.get("/measures/outcome-adult/?language=xx").status_code == 200
    assert adam.get("/measures/outcome-adult/?version=77").status_code == 404
    assert adam.get("/measures/nothing/").status_code == 404


def test_how_often_it_was_taken_is_said_from_the_limit_of_small_cells_on(
    adam: Browser, clinic: Clinic
):
    def take(count: int) -> None:
        with acting_as(BY):
            for _ in range(count):
                actions.record_administration(
                    episode=clinic.episodes["ana"], measure=measures.get_measure("phq-9"),
                    total=9, provenance="paper", by=BY,
                )  # fmt: skip

    take(7)
    assert "Taken a few times at most" in adam.get("/measures/phq-9/").content.decode()
    take(1)
    assert "Taken 8 times in the last 90 days" in adam.get("/measures/phq-9/").content.decode()


def test_an_old_version_stays_readable(adam: Browser):
    adam.post(LOAD, looked_at(adam, text=SHORT))
    adam.post(LOAD, looked_at(adam, text=changed(("The first", "The 1st"))))
    adam.post(LOAD, looked_at(adam, text=changed(("reverse = true", "reverse = false"))))
    page = adam.get("/measures/steps/").content.decode()
    assert "same scoring, same series" in page
    assert "other scoring, a series of its own" in page
    assert "The 1st" in adam.get("/measures/steps/?version=2").content.decode()


def test_the_catalogue_takes_few_queries(adam: Browser, django_assert_max_num_queries: Any):
    with django_assert_max_num_queries(12):
        assert adam.get("/measures/").status_code == 200
    with django_assert_max_num_queries(24):
        assert adam.get("/measures/outcome-adult/").status_code == 200


# Constants of the clinic's own ------------------------------------------------------------

NEW_NORM = "/measures/outcome-adult/constants/new/"
OWN = {
    "population": "our adults",
    "cutoff": "24.5",
    "at_cutoff": "functional",
    "reliable_change": "5",
    "rc_inclusive": "on",
    "source": "our licence, manual page 12",
    "default": "on",
}


def today() -> str:
    return clinic_time.today().isoformat()


def test_own_constants_stand_beside_the_borrowed_ones_and_are_read_from_now_on(
    adam: Browser, clinic: Clinic
):
    first, second = clinic.sessions["ana"][:2]

    def take(session: Any) -> NormRow:
        return actions.record_administration(
            episode=clinic.episodes["ana"], session=session, total="20", by=BY,
            measure=measures.get_measure("outcome-adult"), provenance="paper",
        ).norm  # fmt: skip

    with acting_as(BY):
        assert take(first).cutoff == 25
    assert adam.post(NEW_NORM, OWN | {"from_on": today()}).status_code == 302
    with acting_as(BY):
        own = take(second)
        assert (own.cutoff, own.added_by.name) == (24.5, "Adam Ash")
        assert Measure.objects.get(code="outcome-adult").norms.count() == 2
        assert AuditEvent.objects.filter(action="constants added").exists()
    page = adam.get("/measures/outcome-adult/").content.decode()
    for word in ("our licence, manual page 12", "Adam Ash", "borrowed from published"):
        assert word in page


IMPOSSIBLE = [
    ({"source": ""}, "source", "required"),
    ({"cutoff": "41"}, "__all__", "cutoff 41 outside 0 to 40"),
    ({"reliable_change": "50"}, "__all__", "reliable change of 50"),
    ({"reliable_change": "-1"}, "reliable_change", "greater than"),
    ({"cutoff": "", "reliable_change": ""}, "__all__", "states no constant"),
    ({"reliability": "1.2"}, "reliability", "less than"),
    ({"cutoff": "nan"}, "cutoff", "Enter a number"),
    ({"from_on": "soon"}, "from_on", "valid date"),
]


def test_constants_that_cannot_be_are_refused_and_what_was_typed_stays(adam: Browser):
    for given, field, said in IMPOSSIBLE:
        response = adam.post(NEW_NORM, OWN | {"from_on": today()} | given)
        assert response.status_code == 422
        assert said in " ".join(response.context["form"].errors[field])
        assert response.context["form"]["population"].value() == "our adults"
    with acting_as(BY):
        assert Measure.objects.get(code="outcome-adult").norms.count() == 1


def test_the_same_row_is_not_added_twice(adam: Browser):
    adam.post(NEW_NORM, OWN | {"from_on": today()})
    again = adam.post(NEW_NORM, OWN | {"from_on": today()})
    assert again.status_code == 422
    assert "exactly this already" in again.content.decode()


def test_constants_for_a_later_day_wait_for_it(adam: Browser):
    later = clinic_time.today() + timedelta(days=9)
    adam.post(NEW_NORM, OWN | {"from_on": later.isoformat()})
    with acting_as(BY):
        assert measures.norm_for(measures.get_measure("outcome-adult"), 30).cutoff == 25


def test_only_administrators_add_constants(clinic: Clinic, adam: Browser):
    given = {"cutoff": 20.0, "source": "a book", "from_on": clinic_time.today()}
    for name in ("alice", "sofia", "dora", "fred"):
        user = clinic.users[name]
        with acting_as(user), pytest.raises(PermissionDenied):
            actions.add_norm_row(measure=measures.get_measure("phq-9"), by=user, **given)
    with acting_as(BY), pytest.raises(ValidationError, match="where the constants come from"):
        actions.add_norm_row(
            measure=measures.get_measure("phq-9"), by=BY, **given | {"source": " "}
        )


def test_a_computed_threshold_is_shown_as_computed(adam: Browser):
    typed = {
        "population": "own", "mean": "20", "sd": "7.5", "reliability": "0.8", "source": "x",
        "at_cutoff": "neither", "from_on": today(), "default": "on",
    }  # fmt: skip
    adam.post(NEW_NORM, typed)
    page = adam.get("/measures/outcome-adult/").content.decode()
    assert "9.3" in page
    assert "more than, from SD and reliability" in page


# The plan ---------------------------------------------------------------------------------


def test_the_plan_is_read_by_all_and_changed_by_administrators(adam: Browser, browser_of: Any):
    path = "/measures/plans/alliance-self/"
    response = adam.post(path, {"rhythm": "nth", "every": "3", "from_on": today()})
    assert response.status_code == 302
    for name in ("alice", "dora", "fred"):
        assert "every 3 sessions" in browser_of(name).get("/measures/plans/").content.decode()
        assert browser_of(name).post(path, {"rhythm": "never"}).status_code == 404
    page = adam.get("/measures/plans/").content.decode()
    assert "Adam Ash" in page


def test_a_measure_is_added_to_the_plan(adam: Browser, clinic: Clinic):
    with acting_as(BY):
        phq = measures.get_measure("phq-9")
    typed = {
        "asks": f"measure:{phq.pk}", "relation": "self", "programme": clinic.therapy.pk,
        "rhythm": "days", "every": "28", "age_from": "18", "from_on": today(),
    }  # fmt: skip
    assert adam.post("/measures/plans/new/", typed).status_code == 302
    with acting_as(BY):
        (row,) = MeasurePlan.objects.all()
        assert (row.measure_id, row.programme_id, row.every, row.age_from) == (
            phq.pk, clinic.therapy.pk, 28, 18,
        )  # fmt: skip
    again = adam.post("/measures/plans/new/", typed)
    assert again.status_code == 422
    assert "a line for this already" in " ".join(again.context["form"].errors["asks"])


UNCLEAR = [
    ({"every": ""}, "every", "how many"),
    ({"every": "0"}, "every", "greater than"),
    ({"rhythm": "monthly"}, "every", "takes no number"),
    ({"from_on": "2020-01-01"}, "from_on", "past"),
    ({"age_from": "9", "age_to": "8"}, "age_to", "below"),
]


def test_an_unclear_line_is_said_beside_its_field(adam: Browser):
    for given, field, said in UNCLEAR:
        typed = {"rhythm": "nth", "every": "3", "from_on": today()} | given
        response = adam.post("/measures/plans/outcome-self/", typed)
        assert response.status_code == 422
        assert said in " ".join(response.context["form"].errors[field])
    with acting_as(BY):
        assert not MeasurePlan.objects.exists()


def test_a_line_for_a_later_day_is_seen_to_come(adam: Browser):
    later = (clinic_time.today() + timedelta(days=30)).isoformat()
    adam.post("/measures/plans/outcome-self/", {"rhythm": "monthly", "from_on": later})
    page = adam.get("/measures/plans/").content.decode()
    assert "From a later day" in page
    assert "once a month" in page


def test_totals_of_a_loaded_measure_are_scored_as_it_says(adam: Browser, clinic: Clinic):
    adam.post(LOAD, looked_at(adam, text=SHORT))
    with acting_as(BY):
        row = actions.record_administration(
            episode=clinic.episodes["ana"], measure=measures.get_measure("steps"),
            answers={"one": 1, "two": 1}, provenance="api", by=BY,
        )  # fmt: skip
    assert row.total == Decimal("3.0")  # the second counts the other way round
