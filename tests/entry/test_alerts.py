"""An answer that can't wait: the client isn't left alone with it, and somebody acts on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client as Browser

import measures_app.tasks  # noqa: F401 - the outbox's handlers
import reports_app.tasks  # noqa: F401 - the outbox's handlers
from measures_app import actions as measure_actions
from measures_app import alerts, measures
from measures_app.definition_reader import parse_definition
from measures_app.models import Flag, FlagEvent, ItemAlert
from sessions_app import actions, clinic_time, outbox
from sessions_app.context import acting_as
from sessions_app.models import Assignment, Outbox, Session
from tests.cast import BY, Clinic
from tests.entry.test_links import Phone
from tests.smtp_sink import smtp_sink

Sign = Callable[[str], Browser]
OURS = """
code = "hard-days"
title = "Hard days"
purpose = "symptom"
better = "lower"
low = 0
high = 6
licence = "CC0"
sources = ["written for tests"]

[[items]]
id = "sleep"
low = 0
high = 3
choices = [0, 1, 2, 3]

[[items]]
id = "alive"
low = 0
high = 3
choices = [0, 1, 2, 3]

[alerts]
alive = 1

[wording.en]
title = "Hard days"
instruction = "The last week."
[wording.en.items.sleep]
label = "I slept badly"
choices = ["never", "seldom", "often", "always"]
[wording.en.items.alive]
label = "I thought of not being alive"
choices = ["never", "seldom", "often", "always"]

[wording.es]
title = "Días difíciles"
instruction = "La última semana."
[wording.es.items.sleep]
label = "Dormí mal"
choices = ["nunca", "rara vez", "a menudo", "siempre"]
[wording.es.items.alive]
label = "Pensé en no estar vivo"
choices = ["nunca", "rara vez", "a menudo", "siempre"]
"""
CRISIS = {"en": "Call 0000 at any hour.", "es": "Llame al 0000 a cualquier hora."}
READY = ("en", "es")


def asked_of_ana(clinic: Clinic) -> Session:
    """Ana's session today, at which a measure with an alert item is due."""
    with acting_as(BY):
        measures.sync_library()
        version = measures.load_definition(parse_definition(OURS), source_text=OURS, by=BY)
        clinic.measure = version.measure
        measure_actions.set_plan_line(
            relation="self",
            measure=version.measure,
            rhythm="each",
            from_on=clinic_time.today(),
            by=BY,
        )
        return actions.book_session(
            episode=clinic.episodes["ana"],
            starts_at=clinic_time.now() + timedelta(hours=1),
            by=BY,
        )


def made_ready(clinic: Clinic, *, duty: bool = True, languages: tuple[str, ...] = READY) -> None:
    with acting_as(BY):
        for language in languages:
            actions.set_crisis_text(language=language, text=CRISIS[language], by=clinic.adam)
        if duty:
            actions.set_duty(clinician=clinic.clinicians["ruth"], by=clinic.adam)


def phone_of_ana(clinic: Clinic, session: Session) -> Phone:
    with acting_as(clinic.alice):
        _link, token = actions.make_link(
            session=session, respondent=clinic.ana.respondents.get(), by=clinic.alice
        )
    return Phone(f"/m/{token}/")


def send(phone: Phone, alive: str) -> Any:
    marks = {name: "5.0" for name in phone.names}
    return phone.send({**marks, "sleep": "1", "alive": alive})


@pytest.fixture
def booked(clinic: Clinic) -> Session:
    return asked_of_ana(clinic)


@pytest.fixture
def raised(clinic: Clinic, booked: Session) -> ItemAlert:
    made_ready(clinic)
    assert send(phone_of_ana(clinic, booked), "2").status_code == 200
    with acting_as(BY):
        return ItemAlert.objects.select_related("flag").get()


@pytest.mark.parametrize(
    ("languages", "duty", "asked"),
    [
        ((), True, False),
        (("es",), True, False),  # in a language that isn't hers
        (("en",), False, False),
        (("en",), True, True),
    ],
)
def test_nothing_is_asked_unattended_that_nobody_stands_ready_for(
    clinic: Clinic, booked: Session, languages: tuple[str, ...], duty: bool, asked: bool
) -> None:
    made_ready(clinic, duty=duty, languages=languages)
    phone = phone_of_ana(clinic, booked)
    assert ("alive" in phone.names) is asked
    assert "individual" in phone.names  # the rest is asked all the same


def test_in_the_room_the_crisis_text_is_enough(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    made_ready(clinic, duty=False)
    browser = browser_of("alice")
    with acting_as(BY):
        ana = clinic.ana.respondents.get().pk
    door = browser.post(f"/sessions/{booked.pk}/hand-over/", {"respondent": ana, "pin": "4711"})[
        "Location"
    ]
    page = browser.get(door)
    assert any(name.endswith("alive") for name in page.context["form"].fields)
    assert "read straight away" not in page.content.decode()


def test_the_desk_is_told_why_something_is_not_asked_on_a_device(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    page = browser_of("fred").get(f"/sessions/{booked.pk}/links/").content.decode()
    assert "no crisis text in this language" in page
    made_ready(clinic)
    page = browser_of("fred").get(f"/sessions/{booked.pk}/links/").content.decode()
    assert "Not asked on their own device" not in page


def test_before_the_form_it_says_that_nobody_reads_it_straight_away(
    clinic: Clinic, booked: Session
) -> None:
    made_ready(clinic)
    page = phone_of_ana(clinic, booked).open().content.decode()
    assert "read straight away" in page
    assert page.index(CRISIS["en"]) < page.index("Hard days")


@pytest.mark.parametrize("language", READY)
def test_on_such_an_answer_the_client_at_once_reads_the_clinics_words(
    clinic: Clinic, booked: Session, language: str
) -> None:
    made_ready(clinic)
    with acting_as(BY):
        clinic.ana.respondents.update(language=language)
    phone = phone_of_ana(clinic, booked)
    ends = [send(phone, "1").content.decode(), phone.open().content.decode()]
    assert all(CRISIS[language] in end for end in ends)


def test_below_the_threshold_nothing_is_raised_and_nobody_is_frightened(
    clinic: Clinic, booked: Session
) -> None:
    made_ready(clinic)
    assert CRISIS["en"] not in send(phone_of_ana(clinic, booked), "0").content.decode()
    with acting_as(BY):
        assert not ItemAlert.objects.exists()


def test_the_alert_stands_at_the_top_until_somebody_says_what_was_done(
    clinic: Clinic, raised: ItemAlert, browser_of: Sign
) -> None:
    alice = browser_of("alice")
    door = f"/alerts/{raised.pk}/"
    places = ("/today/", f"/clients/{clinic.ana.code}/", "/review/")
    assert all(door in alice.get(place).content.decode() for place in places)
    assert door in browser_of("sofia").get("/review/").content.decode()
    page = alice.get(door).content.decode()
    assert "I thought of not being alive" in page
    assert "often (2)" in page
    alice.post(door, {"do": "seen"})
    assert all("seen by Alice" in alice.get(place).content.decode() for place in places)
    assert alice.post(door, {"do": "done", "done": "  "}).status_code == 422
    alice.post(door, {"do": "done", "done": "Called her: safe, a plan is made."})
    assert not any(door in alice.get(place).content.decode() for place in places)
    assert "a plan is made" in alice.get(door).content.decode()
    with acting_as(BY):
        flag = Flag.objects.get(pk=raised.flag_id)
        events = list(FlagEvent.objects.filter(flag=flag).values_list("why", flat=True))
    assert flag.state == "decided"
    assert [why for why in events if not why.startswith("told")] == ["raised", "seen", "done"]


def test_a_stranger_finds_no_alert(raised: ItemAlert, browser_of: Sign) -> None:
    for who in ("bob", "ruth", "dora", "fred", "adam"):
        assert browser_of(who).get(f"/alerts/{raised.pk}/").status_code == 404


def test_what_is_done_is_recorded_once(clinic: Clinic, raised: ItemAlert) -> None:
    with acting_as(clinic.alice):
        measure_actions.close_alert(alert=raised, done="Called her.", by=clinic.alice)
        with pytest.raises(ValidationError, match="meanwhile"):
            measure_actions.close_alert(alert=raised, done="Called too.", by=clinic.alice)


def _minutes_pass(minutes: int) -> list[str]:
    """Deliver what is due after some minutes more; who got mail, in order."""
    before = len(mail.outbox)
    with acting_as(BY):
        for row in Outbox.objects.filter(sent_at=None):
            row.due_at -= timedelta(minutes=minutes)
            row.save(update_fields=["due_at"])
    while outbox.sweep():
        pass
    return [message.to[0].split("@")[0] for message in mail.outbox[before:]]


def test_unseen_it_passes_on_to_supervisor_and_duty_who_is_told_again(
    clinic: Clinic, raised: ItemAlert, browser_of: Sign
) -> None:
    assert _minutes_pass(0) == ["alice"]
    assert _minutes_pass(14) == []
    assert _minutes_pass(1) == ["sofia"]
    assert browser_of("ruth").get(f"/alerts/{raised.pk}/").status_code == 404
    assert _minutes_pass(15) == ["ruth"]
    assert browser_of("ruth").get(f"/alerts/{raised.pk}/").status_code == 200
    assert _minutes_pass(15) == ["ruth"]
    with acting_as(BY):
        assert Assignment.objects.filter(part="duty").count() == 1
    browser_of("ruth").post(f"/alerts/{raised.pk}/", {"do": "seen"})
    assert _minutes_pass(60) == []


def test_the_mail_names_nobody_and_says_where_to_look(clinic: Clinic, raised: ItemAlert) -> None:
    _minutes_pass(0)
    (message,) = mail.outbox
    said = message.subject + message.body
    assert f"/alerts/{raised.pk}/" in said
    for secret in ("Ana", "Oliveira", clinic.ana.code, "alive", "Hard days"):
        assert secret not in said


def test_it_stands_on_each_page_of_who_was_told_until_somebody_has_seen_it(
    clinic: Clinic, raised: ItemAlert, browser_of: Sign
) -> None:
    words, pages = "say that you have seen it", ("/schedule/", "/caseload/", "/messages/")
    alice, sofia = browser_of("alice"), browser_of("sofia")
    _minutes_pass(0)
    for page in pages:
        text = alice.get(page).content.decode()
        assert words in text
        head = text.partition("<title>")[2].partition("</title>")[0]
        assert "Ana" not in head
        assert clinic.ana.code not in head + page
    assert words not in sofia.get("/caseload/").content.decode()
    _minutes_pass(15)  # the supervisor's turn
    assert words in sofia.get("/caseload/").content.decode()
    sofia.post(f"/alerts/{raised.pk}/", {"do": "seen"})
    assert words not in alice.get("/caseload/").content.decode()


texted: list[tuple[str, str]] = []


def text_sender(to: str, text: str, message_id: Any) -> None:
    texted.append((to, text))


def test_each_channel_in_use_is_a_row_of_the_outbox_and_names_nobody(
    clinic: Clinic, booked: Session, browser_of: Sign, settings: Any
) -> None:
    texted.clear()
    settings.TEXT_SENDER = f"{__name__}.text_sender"
    alice = browser_of("alice")
    answer = alice.post("/messages/", {"weekly_digest": "on", "alert_phone": "call me"})
    assert (answer.status_code, "call me" in answer.content.decode()) == (200, True)
    alice.post("/messages/", {"weekly_digest": "on", "alert_phone": "+44 20 7946 0000"})
    made_ready(clinic)
    send(phone_of_ana(clinic, booked), "2")
    with smtp_sink() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        settings.EMAIL_USE_TLS, settings.EMAIL_TIMEOUT = False, 10
        while outbox.sweep():
            pass
        (message,) = sink.taken
    assert message["To"] == "alice@clinic.example"
    ((number, text),) = texted
    assert number == "+44 20 7946 0000"
    with acting_as(BY):
        rows = Outbox.objects.filter(kind__startswith="item_alert_", payload__user=clinic.alice.pk)
        sent = {row.kind: row.sent_at is not None for row in rows}
        assert sent == {alerts.SCREEN: True, alerts.MAIL: True, alerts.TEXT: True}
        assert Outbox.objects.filter(kind=alerts.MAIL).get().message_id.hex in message[
            "Message-ID"
        ].replace("-", "")
    for secret in ("Ana", "Oliveira", clinic.ana.code, "alive", "Hard days"):
        assert secret not in bytes(message).decode() + text


def test_while_the_clinician_is_away_who_stands_in_is_told_and_may_open_it(
    clinic: Clinic, booked: Session, browser_of: Sign
) -> None:
    with acting_as(clinic.alice):
        actions.set_absence(
            clinician=clinic.clinicians["alice"], cover=clinic.clinicians["bob"],
            from_on=clinic_time.today(), by=clinic.alice,
        )  # fmt: skip
    made_ready(clinic)
    send(phone_of_ana(clinic, booked), "2")
    assert _minutes_pass(0) == ["bob"]
    with acting_as(BY):
        alert = ItemAlert.objects.get()
    assert browser_of("bob").get(f"/alerts/{alert.pk}/").status_code == 200
    assert _minutes_pass(15) == ["sofia"]
    assert _minutes_pass(15) == ["ruth"]


def test_one_who_has_seen_it_stops_the_chain(clinic: Clinic, raised: ItemAlert) -> None:
    with acting_as(clinic.alice):
        measure_actions.see_alert(alert=raised, by=clinic.alice)
    assert _minutes_pass(60) == []


def test_an_address_that_takes_no_mail_holds_nobody_else_up(
    clinic: Clinic, raised: ItemAlert, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_mail = alerts.mail.send

    def refusing(*, to: str, **rest: Any) -> None:
        if to.startswith("alice"):
            raise OSError("refused")
        send_mail(to=to, **rest)

    monkeypatch.setattr(alerts.mail, "send", refusing)
    assert _minutes_pass(0) == []
    assert _minutes_pass(15) == ["sofia"]


def test_answers_and_alert_are_kept_together_or_not_at_all(
    clinic: Clinic, booked: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValidationError("no")

    with acting_as(clinic.alice):
        episode = clinic.episodes["ana"]
        monkeypatch.setattr(ItemAlert.objects, "create", broken)
        with pytest.raises(ValidationError):
            measure_actions.record_administration(
                episode=episode, measure=clinic.measure, answers={"sleep": 0, "alive": 3},
                provenance="paper", by=clinic.alice,
            )  # fmt: skip
        assert not clinic.measure.administration_set.exists()


def test_an_import_of_old_answers_alerts_nobody_and_a_correction_does(
    clinic: Clinic, booked: Session
) -> None:
    with acting_as(clinic.alice):
        for provenance, alive in (("import", 3), ("paper", 0)):
            row = measure_actions.record_administration(
                episode=clinic.episodes["ana"], measure=clinic.measure, provenance=provenance,
                answers={"sleep": 0, "alive": alive}, by=clinic.alice,
            )  # fmt: skip
        assert not ItemAlert.objects.exists()
        row = measure_actions.correct_administration(
            administration=row, answers={"sleep": 0, "alive": 2}, reason="misread", by=clinic.alice
        )
        assert ItemAlert.objects.get().administration_id == row.pk
        measure_actions.correct_administration(
            administration=row, answers={"sleep": 1, "alive": 2}, reason="again", by=clinic.alice
        )
        assert ItemAlert.objects.count() == 1


def test_an_administrator_sets_what_stands_ready(clinic: Clinic, browser_of: Sign) -> None:
    adam = browser_of("adam")
    page = adam.get("/settings/alerts/").content.decode()
    assert "Nobody is on duty" in page
    adam.post("/settings/alerts/", {"form": "words", "language": "es", "text": CRISIS["es"]})
    today = clinic_time.today().isoformat()
    ruth = clinic.clinicians["ruth"].pk
    adam.post("/settings/alerts/", {"form": "duty", "clinician": ruth, "from_on": today})
    page = adam.get("/settings/alerts/").content.decode()
    assert CRISIS["es"] in page
    assert "On duty now: Ruth Rowan" in page
    assert adam.post("/settings/alerts/", {"form": "words", "language": "es"}).status_code == 422
