"""Writes about people and care: keyword-only, `by=`, atomic, audited.

Views, commands, the API, imports and test fixtures all come through here. `by` is a user or an
actor (`sessions_app.context.system("import")`). A `ValidationError` names the field it is about.
"""

from sessions_app.actions.absences import end_absence, set_absence
from sessions_app.actions.asking import ask_not_before, choose_how_asked, note_whereabouts
from sessions_app.actions.care import (
    assign_clinician,
    attend,
    book_session,
    mark_arrived,
    open_episode,
    record_case_review,
    record_review_result,
    record_session,
    set_attendance,
)
from sessions_app.actions.clients import (
    add_respondent,
    erase_identity,
    new_code,
    register_client,
    rewrap_keys,
)
from sessions_app.actions.conferences import (
    add_to_conference,
    call_conference,
    end_conference,
    move_conference_case,
    set_conference_case,
    take_off_agenda,
)
from sessions_app.actions.endings import close_episode, hand_over_caseload, transfer_episode
from sessions_app.actions.keys import make_key, revoke_key
from sessions_app.actions.links import make_link, note_opened, revoke_link, send_link
from sessions_app.actions.meetings import join_meeting, set_meeting_format
from sessions_app.actions.people import (
    add_clinician,
    add_programme,
    add_site,
    add_team,
    add_user,
    choose_messages,
    close_account,
    end_role,
    grant_role,
    reopen_account,
    set_policy,
    supervise,
)
from sessions_app.actions.referrals import (
    accept_referral,
    close_referral,
    offer_first,
    receive_referral,
)
from sessions_app.actions.rights import (
    apply_retention,
    end_emergency,
    end_retention,
    lift_restriction,
    open_emergency,
    record_consent,
    restrict_client,
    set_retention,
    set_statement,
)
from sessions_app.actions.safety import bring_in_duty, set_crisis_text, set_duty
from sessions_app.actions.sign_in import (
    end_sign_in,
    link_single_sign_on,
    reseal_second_factors,
    set_unlock_pin,
    take_off_second_factor,
    unlock_account,
)
from sessions_app.actions.tablets import (
    clear_tablet,
    enrol_tablet,
    retire_tablet,
    start_on_tablet,
)

__all__ = [
    "accept_referral",
    "add_clinician",
    "add_programme",
    "add_respondent",
    "add_site",
    "add_team",
    "add_to_conference",
    "add_user",
    "apply_retention",
    "ask_not_before",
    "assign_clinician",
    "attend",
    "book_session",
    "bring_in_duty",
    "call_conference",
    "choose_how_asked",
    "choose_messages",
    "clear_tablet",
    "close_account",
    "close_episode",
    "close_referral",
    "end_absence",
    "end_conference",
    "end_emergency",
    "end_retention",
    "end_role",
    "end_sign_in",
    "enrol_tablet",
    "erase_identity",
    "grant_role",
    "hand_over_caseload",
    "join_meeting",
    "lift_restriction",
    "link_single_sign_on",
    "make_key",
    "make_link",
    "mark_arrived",
    "move_conference_case",
    "new_code",
    "note_opened",
    "note_whereabouts",
    "offer_first",
    "open_emergency",
    "open_episode",
    "receive_referral",
    "record_case_review",
    "record_consent",
    "record_review_result",
    "record_session",
    "register_client",
    "reopen_account",
    "reseal_second_factors",
    "restrict_client",
    "retire_tablet",
    "revoke_key",
    "revoke_link",
    "rewrap_keys",
    "send_link",
    "set_absence",
    "set_attendance",
    "set_conference_case",
    "set_crisis_text",
    "set_duty",
    "set_meeting_format",
    "set_policy",
    "set_retention",
    "set_statement",
    "set_unlock_pin",
    "start_on_tablet",
    "supervise",
    "take_off_agenda",
    "take_off_second_factor",
    "transfer_episode",
    "unlock_account",
]
