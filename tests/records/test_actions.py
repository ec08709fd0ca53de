"""Every write goes through an action: keyword-only, `by=`, atomic, with its audit row."""

from __future__ import annotations

import base64
import importlib
import inspect
import os
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

import measures_app.actions
import sessions_app.actions
from measures_app import flagging, imports, measures
from measures_app.actions.drafts import PREVIEW, bring_file, forget_drafts, try_file
from measures_app.actions.imports import import_records, import_what_can_be, known_versions
from measures_app.models import Flag, ImportDraft
from reports_app.actions import (
    ask_for_backtest,
    ask_to_publish,
    enter_month,
    keep_edition,
    keep_editions,
    set_target,
)
from reports_app.case_files import ask_for_case_file, forget_case_files
from reports_app.case_rows import ask_for_case_rows, forget_case_rows
from reports_app.client_copies import ask_for_copy, forget_copies
from reports_app.models import CaseFile, CaseRows, ClientCopy
from reports_app.periods import Month
from reports_app.practice_log import (
    end_practice_share,
    log_practice,
    share_practice,
    take_back_practice,
)
from sessions_app import audit, clinic_time, second_factor
from sessions_app.context import acting_as, system
from sessions_app.models import AuditEvent
from tests.cast import BY, Clinic

FILE = b"client,session_date,measure,total\nimported-1,2026-01-05,bdi-ii,20\n"
COLUMNS = ("client", "session_date", "measure", "total")
PACKAGES = (sessions_app.actions, measures_app.actions)
MODULES = (
    "reports_app.actions", "reports_app.case_files", "reports_app.case_rows",
    "reports_app.client_copies", "reports_app.practice_log",
)  # fmt: skip
# Parts of an atomic caller, which write by one of the others.
WITHIN_A_CALLER = {"import_what_can_be"}
# What is past its day goes, whoever comes by.
DUE_ANYWAY = {"forget_drafts", "forget_case_files", "forget_case_rows", "forget_copies"}
# What an action began and the worker carries out, for whom the action named.
PARTS = {
    "carry_out", "carry_out_backtest", "carry_out_case_file", "carry_out_case_rows",
    "carry_out_copy", "carry_out_publication", "run_job",
}  # fmt: skip

WRITES = re.compile(r"\.(save|create|update|delete|bulk_\w+|update_or_create)\(|copy_rows\(")


def _modules() -> Iterator[Any]:
    for package in PACKAGES:
        for found in pkgutil.iter_modules(package.__path__):
            yield importlib.import_module(f"{package.__name__}.{found.name}")
    for name in MODULES:
        yield importlib.import_module(name)


FUNCTIONS = {
    name: function
    for module in _modules()
    for name, function in vars(module).items()
    if inspect.isfunction(function)
    and function.__module__ == module.__name__
    and not name.startswith("_")
    and name not in PARTS
}
ACTIONS = {
    name: function
    for name, function in FUNCTIONS.items()
    if "by" in inspect.signature(function).parameters
}


@pytest.fixture
def care(clinic: Clinic, settings: Any) -> Iterator[Clinic]:
    today = clinic_time.today()
    settings.SSO = {"issuer": "https://login.example.org", "origins": []}
    with acting_as(BY):
        measures.sync_library()
        clinic.measure = measures.get_measure("outcome-adult")
        clinic.booked = sessions_app.actions.book_session(
            episode=clinic.episodes["dina"], starts_at=clinic_time.at(today), by=BY
        )
        clinic.score = measures_app.actions.record_administration(
            episode=clinic.episodes["ana"],
            session=clinic.sessions["ana"][0],
            measure=clinic.measure,
            total=18,
            provenance="paper",
            by=BY,
        )
        clinic.key, _text = sessions_app.actions.make_key(
            name="Records", days=30, may_write=False, by=clinic.alice
        )
        clinic.webhook, _secret = sessions_app.actions.make_webhook(
            name="Records", url="https://records.clinic.example/in",
            events=["flag.raised"], person=clinic.alice, by=clinic.adam,
        )  # fmt: skip
        clinic.flag = Flag.objects.create(
            client=clinic.ana,
            episode=clinic.episodes["ana"],
            rule="no_progress",
            kind="review",
            rule_set=flagging.current_rule_set(today),
            evidence={},
            raised_on=today,
        )
        clinic.proposal = measures_app.actions.propose_rule_change(
            rule="checkpoint", what="a session later", why="groups", by=BY
        )
        clinic.second = measures_app.actions.record_administration(
            episode=clinic.episodes["ana"],
            session=clinic.sessions["ana"][2],
            measure=clinic.measure,
            total=18,
            provenance="paper",
            by=BY,
        )
        clinic.alert = measures_app.actions.raise_alert(
            administration=clinic.score, items=("individual",), by=BY
        )
        sessions_app.actions.set_duty(clinician=clinic.clinicians["ruth"], by=BY)
        clinic.gone = sessions_app.actions.add_user(
            email="gone@clinic.example", name="Gone", by=clinic.adam
        )
        sessions_app.actions.close_account(user=clinic.gone, by=clinic.adam)
        clinic.restriction = sessions_app.actions.restrict_client(
            client=clinic.boris, reason="claims", by=clinic.bob
        )
        clinic.release = sessions_app.actions.release_programme(
            client=clinic.dina,
            programme=clinic.restricted,
            way="paper",
            by=clinic.carol,
            until_on=today + timedelta(days=90),
        )
        clinic.emergency = sessions_app.actions.open_emergency(
            client=clinic.clara, reason="She may come to harm.", by=clinic.alice
        )
        # One whose care ended long ago, in a programme that keeps a year.
        clinic.old = sessions_app.actions.register_client(by=BY, site=clinic.north, name="Old Oak")
        old = sessions_app.actions.open_episode(
            client=clinic.old, programme=clinic.restricted, opened_on=today - timedelta(days=900),
            lead=clinic.clinicians["carol"], by=BY,
        )  # fmt: skip
        sessions_app.actions.close_episode(
            episode=old, ending="agreed", on=today - timedelta(days=800), by=BY
        )
        sessions_app.actions.set_retention(programme=clinic.restricted, years=1, by=clinic.adam)
        clinic.absence = sessions_app.actions.set_absence(
            clinician=clinic.clinicians["bob"], cover=clinic.clinicians["carol"],
            from_on=today + timedelta(days=5), by=clinic.adam,
        )  # fmt: skip
        clinic.referral = sessions_app.actions.receive_referral(
            client=clinic.boris, programme=clinic.therapy, received_on=today, by=clinic.fred
        )
        clinic.review = sessions_app.actions.record_case_review(
            episode=clinic.episodes["ana"], decision="continue", by=clinic.sofia
        )
        clinic.link, _token = sessions_app.actions.make_link(
            session=clinic.booked, respondent=clinic.dina.respondents.get(), by=clinic.bob
        )
        clinic.tablet = sessions_app.actions.enrol_tablet(name="Door", by=clinic.fred)
        clinic.busy = sessions_app.actions.enrol_tablet(name="Window", by=clinic.fred)
        sessions_app.actions.start_on_tablet(
            tablet=clinic.busy,
            session=clinic.booked,
            respondent=clinic.dina.respondents.get(),
            by=clinic.fred,
        )
        clinic.draft = bring_file(name="scores.csv", content=FILE, by=clinic.adam)
        old = bring_file(name="old.csv", content=FILE, by=clinic.adam)
        ImportDraft.objects.filter(pk=old.pk).update(
            created_at=clinic_time.now() - timedelta(days=2)
        )
        clinic.conference = sessions_app.actions.call_conference(
            held_on=today, episodes=[clinic.episodes["ana"]], by=clinic.sofia
        )
        clinic.case = clinic.conference.cases.get()
        old = ask_for_case_file(conference=clinic.conference, by=clinic.sofia)
        CaseFile.objects.filter(pk=old.pk).update(created_at=clinic_time.now() - timedelta(days=2))
        copy = ask_for_copy(client=clinic.ana, by=clinic.sofia)
        ClientCopy.objects.filter(pk=copy.pk).update(
            created_at=clinic_time.now() - timedelta(days=2)
        )
        rows = ask_for_case_rows(first_year=2019, last_year=2019, by=clinic.dora)
        CaseRows.objects.filter(pk=rows.pk).update(created_at=clinic_time.now() - timedelta(days=2))
        clinic.entry = log_practice(on=today, skill="moving_on", hours=1, by=clinic.alice)
        clinic.share = share_practice(supervisor=clinic.sofia, by=clinic.alice)
        Authenticator.objects.create(
            user=clinic.ruth, type="totp", data={"secret": second_factor.seal("secret")}
        )
        # A newer master key, so that there is something to rewrap.
        fresh = base64.b64encode(os.urandom(32)).decode()
        settings.MASTER_KEYS = {"next": fresh, **settings.MASTER_KEYS}
        settings.MASTER_KEY_ID = "next"
        yield clinic


def today() -> Any:
    return clinic_time.today()


# action -> a call that does its work; `by` is handed in, so that each can be called as anybody.
CALLS: dict[str, Callable[[Any, Any], object]] = {
    "add_site": lambda c, by: sessions_app.actions.add_site(name="East", by=by),
    "add_programme": lambda c, by: sessions_app.actions.add_programme(name="Groups", by=by),
    "add_team": lambda c, by: sessions_app.actions.add_team(name="Evening", by=by),
    "add_user": lambda c, by: sessions_app.actions.add_user(
        email="new@clinic.example", name="New", by=by
    ),
    "add_clinician": lambda c, by: sessions_app.actions.add_clinician(name="New", by=by),
    "grant_role": lambda c, by: sessions_app.actions.grant_role(
        user=c.ruth, role="supervisor", by=by
    ),
    "make_key": lambda c, by: sessions_app.actions.make_key(
        name="Records", days=30, may_write=False, by=by
    ),
    "revoke_key": lambda c, by: sessions_app.actions.revoke_key(key=c.key, by=by),
    "choose_messages": lambda c, by: sessions_app.actions.choose_messages(
        user=c.alice, weekly_digest=False, by=by
    ),
    "close_account": lambda c, by: sessions_app.actions.close_account(user=c.ruth, by=by),
    "end_role": lambda c, by: sessions_app.actions.end_role(
        grant=c.ruth.grants.get(), on=today(), by=by
    ),
    "reopen_account": lambda c, by: sessions_app.actions.reopen_account(user=c.gone, by=by),
    "set_meeting_format": lambda c, by: sessions_app.actions.set_meeting_format(
        meeting=c.sessions["ana"][0].meeting, format="couple", by=by
    ),
    "set_meeting_facts": lambda c, by: sessions_app.actions.set_meeting_facts(
        meeting=c.sessions["ana"][0].meeting, minutes=30, kind="crisis", telehealth=True, by=by
    ),
    "join_meeting": lambda c, by: sessions_app.actions.join_meeting(
        meeting=c.sessions["ana"][0].meeting, clinician=c.clinicians["ruth"], by=by
    ),
    "set_absence": lambda c, by: sessions_app.actions.set_absence(
        clinician=c.clinicians["alice"], cover=c.clinicians["ruth"], from_on=today(), by=by
    ),
    "end_absence": lambda c, by: sessions_app.actions.end_absence(
        absence=c.absence, last_day=today(), by=by
    ),
    "supervise": lambda c, by: sessions_app.actions.supervise(
        supervisor=c.sofia, clinician=c.clinicians["bob"], by=by
    ),
    "set_own_checkpoint": lambda c, by: measures_app.actions.set_own_checkpoint(
        clinician=c.clinicians["alice"], session=2, by=by
    ),
    "propose_rule_change": lambda c, by: measures_app.actions.propose_rule_change(
        rule="checkpoint", what="later", why="groups", by=by
    ),
    "answer_rule_proposal": lambda c, by: measures_app.actions.answer_rule_proposal(
        proposal=c.proposal, answer="accepted", by=by
    ),
    "set_policy": lambda c, by: sessions_app.actions.set_policy(
        key="first_checkpoint", value=4, by=by
    ),
    "register_client": lambda c, by: sessions_app.actions.register_client(
        by=by, site=c.north, name="Ida Berg", external=("card", "1")
    ),
    "receive_referral": lambda c, by: sessions_app.actions.receive_referral(
        client=c.ana, programme=c.therapy, received_on=today(), source="school", by=by
    ),
    "offer_first": lambda c, by: sessions_app.actions.offer_first(
        referral=c.referral, on=today(), by=by
    ),
    "accept_referral": lambda c, by: sessions_app.actions.accept_referral(
        referral=c.referral, opened_on=today(), lead=c.clinicians["bob"], by=by
    ),
    "close_referral": lambda c, by: sessions_app.actions.close_referral(
        referral=c.referral, outcome="withdrawn", on=today(), by=by
    ),
    "add_respondent": lambda c, by: sessions_app.actions.add_respondent(
        client=c.ana, relation="carer", by=by
    ),
    "erase_identity": lambda c, by: sessions_app.actions.erase_identity(
        client=c.ana, reason="request", by=by
    ),
    "rewrap_keys": lambda c, by: sessions_app.actions.rewrap_keys(by=by),
    "make_webhook": lambda c, by: sessions_app.actions.make_webhook(
        name="Records system",
        url="https://records.clinic.example/in",
        events=["score.recorded"],
        person=c.alice,
        by=by,
    ),
    "agree_to_webhook": lambda c, by: sessions_app.actions.agree_to_webhook(
        webhook=c.webhook, by=by
    ),
    "end_webhook": lambda c, by: sessions_app.actions.end_webhook(webhook=c.webhook, by=by),
    "wake_webhook": lambda c, by: sessions_app.actions.wake_webhook(webhook=c.webhook, by=by),
    "let_rest": lambda c, by: sessions_app.actions.let_rest(webhook=c.webhook, by=by),
    "reseal_webhooks": lambda c, by: sessions_app.actions.reseal_webhooks(by=by),
    "reseal_second_factors": lambda c, by: sessions_app.actions.reseal_second_factors(by=by),
    "link_single_sign_on": lambda c, by: sessions_app.actions.link_single_sign_on(
        user=c.ruth, subject="number-7", by=by
    ),
    "unlock_account": lambda c, by: sessions_app.actions.unlock_account(user=c.ruth, by=by),
    "take_off_second_factor": lambda c, by: sessions_app.actions.take_off_second_factor(
        user=c.ruth, by=by
    ),
    "set_statement": lambda c, by: sessions_app.actions.set_statement(
        texts={"en": "Who sees it.", "es": "Quién lo ve."}, by=by
    ),
    "record_consent": lambda c, by: sessions_app.actions.record_consent(
        respondent=c.ana.respondents.get(), answer="agreed", way="spoken", by=by
    ),
    "release_programme": lambda c, by: sessions_app.actions.release_programme(
        client=c.emil,
        programme=c.restricted,
        way="spoken",
        by=by,
        until_on=clinic_time.today() + timedelta(days=90),
    ),
    "withdraw_release": lambda c, by: sessions_app.actions.withdraw_release(
        release=c.release, by=by
    ),
    "restrict_client": lambda c, by: sessions_app.actions.restrict_client(
        client=c.ana, reason="accuracy", by=by
    ),
    "lift_restriction": lambda c, by: sessions_app.actions.lift_restriction(
        restriction=c.restriction, by=by
    ),
    "open_emergency": lambda c, by: sessions_app.actions.open_emergency(
        client=c.emil, reason="He may come to harm tonight.", by=by
    ),
    "end_emergency": lambda c, by: sessions_app.actions.end_emergency(emergency=c.emergency, by=by),
    "set_retention": lambda c, by: sessions_app.actions.set_retention(
        programme=c.therapy, years=10, by=by
    ),
    "end_retention": lambda c, by: sessions_app.actions.end_retention(
        programme=c.restricted, by=by
    ),
    "apply_retention": lambda c, by: sessions_app.actions.apply_retention(
        on=today() + timedelta(days=1), by=by
    ),
    "set_unlock_pin": lambda c, by: sessions_app.actions.set_unlock_pin(
        user=c.adam, pin="5083", by=by
    ),
    "end_sign_in": lambda c, by: sessions_app.actions.end_sign_in(user=c.ruth, handle="", by=by),
    "open_episode": lambda c, by: sessions_app.actions.open_episode(
        client=c.ana, programme=c.therapy, opened_on=today(), lead=c.clinicians["bob"], by=by
    ),
    "assign_clinician": lambda c, by: sessions_app.actions.assign_clinician(
        episode=c.episodes["ana"],
        clinician=c.clinicians["bob"],
        part="prescriber",
        from_on=today(),
        by=by,
    ),
    "transfer_episode": lambda c, by: sessions_app.actions.transfer_episode(
        episode=c.episodes["ana"], to=c.clinicians["bob"], on=today(), reason="hours", by=by
    ),
    "close_episode": lambda c, by: sessions_app.actions.close_episode(
        episode=c.episodes["ana"], on=today(), ending="agreed", by=by
    ),
    "hand_over_caseload": lambda c, by: sessions_app.actions.hand_over_caseload(
        clinician=c.clinicians["alice"],
        to={c.episodes["ana"].pk: c.clinicians["bob"]},
        on=today(),
        reason="leaves",
        by=by,
    ),
    "hand_over_cases": lambda c, by: measures_app.actions.hand_over_cases(
        clinician=c.clinicians["alice"],
        to={c.episodes["ana"].pk: c.clinicians["bob"]},
        on=today(),
        reason="leaves",
        by=by,
    ),
    "book_session": lambda c, by: sessions_app.actions.book_session(
        episode=c.episodes["ana"], starts_at=clinic_time.at(today() + timedelta(days=3)), by=by
    ),
    "record_session": lambda c, by: sessions_app.actions.record_session(
        episode=c.episodes["ana"], held_on=today(), by=by
    ),
    "set_attendance": lambda c, by: sessions_app.actions.set_attendance(
        session=c.booked, status="no_show", by=by
    ),
    "attend": lambda c, by: sessions_app.actions.attend(session=c.booked, by=by),
    "mark_arrived": lambda c, by: sessions_app.actions.mark_arrived(session=c.booked, by=by),
    "record_case_review": lambda c, by: sessions_app.actions.record_case_review(
        episode=c.episodes["ana"], decision="consult", note="a note", by=by
    ),
    "record_review_result": lambda c, by: sessions_app.actions.record_review_result(
        review=c.review, result="better", by=by
    ),
    "record_administration": lambda c, by: measures_app.actions.record_administration(
        episode=c.episodes["ana"],
        session=c.sessions["ana"][1],
        measure=c.measure,
        total=17,
        provenance="paper",
        by=by,
    ),
    "correct_administration": lambda c, by: measures_app.actions.correct_administration(
        administration=c.score, total=17, reason="typing", by=by
    ),
    "void_administration": lambda c, by: measures_app.actions.void_administration(
        administration=c.score, reason="another client's", by=by
    ),
    "record_session_with_measures": (
        lambda c, by: measures_app.actions.record_session_with_measures(
            episode=c.episodes["ana"],
            held_on=today(),
            starts_at=clinic_time.at(today()),
            status="attended",
            readings=[],
            by=by,
        )
    ),
    "close_with_last_measures": lambda c, by: measures_app.actions.close_with_last_measures(
        episode=c.episodes["ana"], on=today(), ending="agreed", by=by
    ),
    "take_up": lambda c, by: measures_app.actions.take_up(episode=c.episodes["ana"], by=by),
    "hand_to": lambda c, by: measures_app.actions.hand_to(
        episode=c.episodes["ana"], to=c.alice, by=by
    ),
    "put_off": lambda c, by: measures_app.actions.put_off(
        episode=c.episodes["ana"], until=today() + timedelta(days=7), why="away", by=by
    ),
    "decide": lambda c, by: measures_app.actions.decide(
        episode=c.episodes["ana"], decision="change_approach", note="weekly", by=by
    ),
    "add_norm_row": lambda c, by: measures_app.actions.add_norm_row(
        measure=c.measure,
        from_on=today(),
        population="our own clients",
        cutoff=24.0,
        source="our own two years",
        by=by,
    ),
    "set_plan_line": lambda c, by: measures_app.actions.set_plan_line(
        rhythm="each",
        from_on=today(),
        measure=measures.get_measure("phq-9"),
        programme=c.restricted,
        by=by,
    ),
    "set_crisis_text": lambda c, by: sessions_app.actions.set_crisis_text(
        language="en", text="Call 0000.", by=by
    ),
    "set_duty": lambda c, by: sessions_app.actions.set_duty(clinician=c.clinicians["ruth"], by=by),
    "bring_in_duty": lambda c, by: sessions_app.actions.bring_in_duty(
        episode=c.episodes["ana"], clinician=c.clinicians["ruth"], why="an answer", by=by
    ),
    "raise_alert": lambda c, by: measures_app.actions.raise_alert(
        administration=c.second, items=("close",), by=by
    ),
    "tell_of_alert": lambda c, by: measures_app.actions.tell_of_alert(
        alert=c.alert, part="duty", by=by
    ),
    "show_alert": lambda c, by: measures_app.actions.show_alert(alert=c.alert, to=c.alice, by=by),
    "see_alert": lambda c, by: measures_app.actions.see_alert(alert=c.alert, by=by),
    "close_alert": lambda c, by: measures_app.actions.close_alert(
        alert=c.alert, done="called", by=by
    ),
    "import_records": lambda c, by: import_records(**_import(), by=by),
    "import_what_can_be": lambda c, by: import_what_can_be(**_import(), by=by),
    "bring_file": lambda c, by: bring_file(name="scores.csv", content=FILE, by=by),
    "try_file": lambda c, by: try_file(
        draft=c.draft, mapping=imports.long_form(COLUMNS), do=PREVIEW, by=by
    ),
    "forget_drafts": lambda c, by: forget_drafts(by=by),
    "make_link": lambda c, by: sessions_app.actions.make_link(
        session=c.booked, respondent=c.dina.respondents.get(), by=by
    ),
    "ask_not_before": lambda c, by: sessions_app.actions.ask_not_before(
        respondent=c.ana.respondents.get(), until=today() + timedelta(days=30), by=by
    ),
    "choose_how_asked": lambda c, by: sessions_app.actions.choose_how_asked(
        respondent=c.ana.respondents.get(), language="es", sees_expected=False, by=by
    ),
    "note_whereabouts": lambda c, by: sessions_app.actions.note_whereabouts(
        session=c.sessions["ana"][0], where="at home", call_back="555 02", by=by
    ),
    "send_link": lambda c, by: sessions_app.actions.send_link(
        session=c.booked, respondent=c.dina.respondents.get(), way="mail", by=by
    ),
    "note_opened": lambda c, by: sessions_app.actions.note_opened(link=c.link, by=by),
    "enrol_tablet": lambda c, by: sessions_app.actions.enrol_tablet(name="North door", by=by),
    "start_on_tablet": lambda c, by: sessions_app.actions.start_on_tablet(
        tablet=c.tablet, session=c.booked, respondent=c.dina.respondents.get(), by=by
    ),
    "clear_tablet": lambda c, by: sessions_app.actions.clear_tablet(tablet=c.busy, by=by),
    "retire_tablet": lambda c, by: sessions_app.actions.retire_tablet(tablet=c.tablet, by=by),
    "revoke_link": lambda c, by: sessions_app.actions.revoke_link(link=c.link, by=by),
    "call_conference": lambda c, by: sessions_app.actions.call_conference(
        held_on=today(), people=[c.alice], episodes=[c.episodes["ana"]], by=by
    ),
    "add_to_conference": lambda c, by: sessions_app.actions.add_to_conference(
        conference=c.conference, episode=c.episodes["boris"], by=by
    ),
    "set_conference_case": lambda c, by: sessions_app.actions.set_conference_case(
        case=c.case, minutes=15, presenter=c.sofia, by=by
    ),
    "move_conference_case": lambda c, by: sessions_app.actions.move_conference_case(
        case=c.case, later=True, by=by
    ),
    "take_off_agenda": lambda c, by: sessions_app.actions.take_off_agenda(case=c.case, by=by),
    "end_conference": lambda c, by: sessions_app.actions.end_conference(
        conference=c.conference, by=by
    ),
    "log_practice": lambda c, by: log_practice(on=today(), skill="ending", hours=1, by=by),
    "take_back_practice": lambda c, by: take_back_practice(entry=c.entry, by=by),
    "share_practice": lambda c, by: share_practice(supervisor=c.sofia, by=by),
    "end_practice_share": lambda c, by: end_practice_share(share=c.share, by=by),
    "ask_for_copy": lambda c, by: ask_for_copy(client=c.ana, by=by),
    "forget_copies": lambda c, by: forget_copies(by=by),
    "ask_for_case_file": lambda c, by: ask_for_case_file(conference=c.conference, by=by),
    "forget_case_files": lambda c, by: forget_case_files(by=by),
    "ask_for_case_rows": lambda c, by: ask_for_case_rows(first_year=2020, last_year=2020, by=by),
    "forget_case_rows": lambda c, by: forget_case_rows(by=by),
    "ask_for_backtest": lambda c, by: ask_for_backtest(by=by),
    "ask_to_publish": lambda c, by: ask_to_publish(period=Month(date(2020, 3, 1)), by=by),
    "enter_month": lambda c, by: enter_month(
        month=Month(today().replace(day=1)), complaints=1, by=by
    ),
    "set_target": lambda c, by: set_target(
        funder="County", metric="recovered", value=50, from_on=today(), by=by
    ),
    "keep_edition": lambda c, by: keep_edition(
        period=Month((today() - timedelta(days=40)).replace(day=1)), format="csv", by=by
    ),
    "keep_editions": lambda c, by: keep_editions(
        period=Month((today() - timedelta(days=40)).replace(day=1)), formats=["csv"], by=by
    ),
}

# Who may: the first that holds the right. What no role may, a part of the system does.
RIGHTLY = {
    **dict.fromkeys(
        ("add_site", "add_programme", "add_team", "add_user", "add_clinician", "grant_role",
         "end_role", "close_account", "reopen_account", "set_absence", "end_absence",
         "supervise", "set_policy", "add_norm_row", "set_plan_line",
         "import_records", "import_what_can_be", "bring_file", "try_file", "set_crisis_text",
         "set_duty", "revoke_key", "unlock_account", "take_off_second_factor",
         "link_single_sign_on",
         "set_unlock_pin", "end_sign_in", "set_statement", "set_retention", "end_retention",
         "answer_rule_proposal", "make_webhook", "end_webhook", "wake_webhook"),
        "adam",
    ),
    **dict.fromkeys(
        ("receive_referral", "offer_first", "accept_referral", "close_referral",
         "register_client", "add_respondent", "open_episode", "assign_clinician", "book_session",
         "set_attendance", "attend", "mark_arrived", "make_link", "revoke_link", "send_link",
         "ask_not_before", "choose_how_asked",
         "note_opened", "enrol_tablet", "start_on_tablet", "clear_tablet", "retire_tablet"),
        "fred",
    ),
    **dict.fromkeys(("transfer_episode", "hand_over_caseload", "hand_over_cases", "take_up",
                     "hand_to", "put_off", "decide",
                     "record_case_review", "record_review_result",
                     "call_conference", "add_to_conference", "set_conference_case",
                     "move_conference_case", "take_off_agenda", "end_conference",
                     "ask_for_case_file"), "sofia"),
    **dict.fromkeys(("ask_for_copy", "record_consent", "restrict_client", "lift_restriction",
                     "open_emergency",
                     "end_emergency", "close_episode", "close_with_last_measures",
                     "choose_messages", "make_key", "agree_to_webhook",
                     "record_session", "record_administration",
                     "correct_administration", "void_administration",
                     "record_session_with_measures", "raise_alert", "tell_of_alert",
                     "see_alert", "show_alert", "close_alert", "bring_in_duty",
                     "set_meeting_format", "set_meeting_facts", "join_meeting",
                     "note_whereabouts", "log_practice", "take_back_practice",
                     "share_practice", "end_practice_share", "set_own_checkpoint",
                     "propose_rule_change"), "alice"),
    "release_programme": "carol",
    "withdraw_release": "carol",
    "keep_edition": "dora",
    "keep_editions": "dora",
    "enter_month": "dora",
    "set_target": "dora",
    "ask_for_backtest": "dora",
    "ask_to_publish": "dora",
    "ask_for_case_rows": "dora",
    "erase_identity": None,
    "apply_retention": None,
    "rewrap_keys": None,
    "reseal_second_factors": None,
    "reseal_webhooks": None,
    "let_rest": None,
    "forget_drafts": None,
    "forget_case_files": None,
    "forget_copies": None,
    "forget_case_rows": None,
}  # fmt: skip


def _import() -> dict[str, Any]:
    table = imports.read_table(FILE)
    mapping = imports.long_form(COLUMNS)
    records, problems = imports.read_rows(table, mapping, known_versions())
    assert not problems
    return {"records": records, "mapping": mapping}


def test_every_action_is_called_in_this_table() -> None:
    """A new action needs a row above: who may, and a call that works."""
    assert set(ACTIONS) == set(CALLS) == set(RIGHTLY)


def test_what_names_nobody_only_reads() -> None:
    """A function beside the actions that has no `by` writes nothing."""
    silent = {name for name in FUNCTIONS if name not in ACTIONS}
    assert {n for n in silent if WRITES.search(inspect.getsource(FUNCTIONS[n]))} == set()
    assert silent >= {"new_code", "read_total", "newest_backtest"}


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_takes_keywords_and_by_and_is_atomic(name: str) -> None:
    function = ACTIONS[name]
    parameters = inspect.signature(function).parameters
    kinds = {p.kind for p in parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    assert parameters["by"].default is inspect.Parameter.empty
    if name not in WITHIN_A_CALLER:
        source = inspect.getsource(function)
        assert re.match(r"\s*@action\b", source), "not atomic"


def _actor_for(care: Clinic, name: str) -> Any:
    who = RIGHTLY[name]
    return system("tests") if who is None else care.users[who]


def _own_tables() -> list[str]:
    apps_of_ours = ("sessions_app", "measures_app", "reports_app")
    return sorted(
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in apps_of_ours
    )


def _fingerprint() -> dict[str, str]:
    """What every table holds, to the bit."""
    parts = " UNION ALL ".join(
        f"SELECT '{table}', md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM {table} t"
        for table in _own_tables()
    )
    with connection.cursor() as cursor:
        cursor.execute(parts)
        return dict(cursor.fetchall())


@contextmanager
def taken_back() -> Iterator[None]:
    """What is done within is undone: one cast serves all actions."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_every_action_leaves_an_audit_row_of_who_did_it(care: Clinic) -> None:
    for name, call in CALLS.items():
        by = _actor_for(care, name)
        actor = "system:tests" if RIGHTLY[name] is None else f"user:{by.public_id}"
        with taken_back():
            last = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True)[0]
            call(care, by)
            assert AuditEvent.objects.filter(pk__gt=last, actor=actor).exists(), name


def test_an_action_that_breaks_at_its_last_step_changes_nothing(
    care: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit row is the last step of most: when it can't be written, nothing is."""

    def cannot(*args: Any, **rest: Any) -> None:
        raise OSError("no room for an audit row")

    monkeypatch.setattr(audit, "record", cannot)
    before = _fingerprint()
    for name, call in CALLS.items():
        if name in WITHIN_A_CALLER:
            continue
        with taken_back():
            with pytest.raises(OSError, match="no room"):
                call(care, _actor_for(care, name))
            assert _fingerprint() == before, name


def test_every_action_refuses_who_lacks_the_right_before_it_writes(care: Clinic) -> None:
    """Nobody signed in has every right: each action refuses somebody of the cast."""
    for name, call in CALLS.items():
        if name in DUE_ANYWAY:
            continue
        refused = [who for who in ("dora", "fred", "adam") if _is_refused(care, call, who)]
        assert refused, name


def _is_refused(care: Clinic, call: Callable[[Any, Any], object], who: str) -> bool:
    with taken_back(), CaptureQueriesContext(connection) as queries:
        try:
            call(care, care.users[who])
        except PermissionDenied:
            assert not [q for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
            return True
        return False
