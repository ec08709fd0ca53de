from django.db import migrations

from sessions_app import row_security as rs
from sessions_app.row_security_cover import COVER
from sessions_app.row_security_emergency import EMERGENCY
from sessions_app.row_security_history import closed
from sessions_app.row_security_memory import remember, remember_nothing_of_nobody
from sessions_app.row_security_referrals import REFERRALS
from sessions_app.row_security_release import RELEASE

CLIENT, EPISODE = "sessions_app_client", "sessions_app_episode"
OF_CLIENT, OF_EPISODE, OF_RESPONDENT = (
    {"column": f"{name}_id"} for name in ("client", "episode", "respondent")
)
LINK_CLIENT = rs.LINK_CLIENT.format(**OF_CLIENT)
LINK_EPISODE = rs.LINK_EPISODE.format(**OF_EPISODE)


def clients_table() -> str:
    # Row-local on the site: a client just registered must be readable by RETURNING, where a
    # function still sees the table as it was before the statement.
    desk = (
        "site_id IN (SELECT outcomes_desk_sites())"
        f" AND NOT ({rs.in_set('desk_hidden_clients', 'id')})"
    )
    column = {"column": "id"}
    return rs.protect(
        CLIENT,
        rs.CLINICAL_CLIENT.format(**column),
        rs.LINK_CLIENT.format(**column),
        desk,
        rs.DESK_CLIENT.format(**column),
    )


def episodes_table() -> str:
    desk = (
        "programme_id IN (SELECT outcomes_granted_programmes('front_desk'))"
        " OR (site_id IN (SELECT outcomes_desk_sites())"
        " AND programme_id IN (SELECT outcomes_open_programmes()))"
    )
    column = {"column": "id"}
    return rs.protect(
        EPISODE, rs.CLINICAL_EPISODE.format(**column), rs.LINK_EPISODE.format(**column), desk
    )


def client_child(name: str, *more: str) -> str:
    conditions = (rs.CLINICAL_CLIENT.format(**OF_CLIENT), rs.DESK_CLIENT.format(**OF_CLIENT))
    return rs.protect(f"sessions_app_{name}", *conditions, *more)


def episode_child(name: str, *more: str, desk: bool) -> str:
    at_desk = [rs.DESK_EPISODE.format(**OF_EPISODE)] if desk else []
    clinical = rs.CLINICAL_EPISODE.format(**OF_EPISODE)
    return rs.protect(f"sessions_app_{name}", clinical, *at_desk, *more)


def with_its_client(name: str) -> str:
    columns = ("episode_id", "client_id")
    return rs.filed_together(f"sessions_app_{name}", columns, EPISODE, ("id", "client_id"))


ANALYZE = """
CREATE FUNCTION outcomes_analyze(wanted regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    EXECUTE format('ANALYZE (SKIP_LOCKED) %s', wanted);
END $$;
"""

SCOPE = [
    rs.FUNCTIONS + rs.LINK_FUNCTIONS,
    clients_table(),
    client_child("clientkey", LINK_CLIENT),
    client_child("clientidentity"),
    client_child("namehash"),
    client_child("externalid"),
    client_child("respondent", rs.LINK_RESPONDENT.format(column="id")),
    # Whoever answers by a link says what they say about themselves, and reads no more than that.
    client_child("consent", rs.LINK_RESPONDENT.format(**OF_RESPONDENT)),
    client_child("restriction"),
    episodes_table(),
    episode_child("assignment", desk=True),
    episode_child("session", LINK_EPISODE, desk=True),
    episode_child("casereview", desk=False),
    episode_child("conferencecase", desk=False),
    episode_child("entrylink", "id = (SELECT outcomes_link_id())", desk=True),
    rs.protect(
        "sessions_app_caseconference",
        "called_by_id = (SELECT outcomes_user())",
        "id IN (SELECT p.caseconference_id FROM sessions_app_caseconference_people p "
        "WHERE p.user_id = (SELECT outcomes_user()))",
        "id IN (SELECT c.conference_id FROM sessions_app_conferencecase c)",
    ),
    # Nobody gives it to themselves but through the action, which asks why and tells everybody.
    f"""
ALTER TABLE sessions_app_emergencyaccess ENABLE ROW LEVEL SECURITY;
CREATE POLICY sessions_app_emergencyaccess_scope ON sessions_app_emergencyaccess
    USING ({rs.SYSTEM}) WITH CHECK ({rs.SYSTEM});
CREATE POLICY sessions_app_emergencyaccess_seen ON sessions_app_emergencyaccess FOR SELECT
    USING (user_id = (SELECT outcomes_user()) OR {rs.CLINICAL_CLIENT.format(**OF_CLIENT)});
""",
]
HOLDING = [
    *map(with_its_client, ("session", "casereview", "entrylink", "conferencecase")),
    rs.filed_together(
        "sessions_app_consent",
        ("respondent_id", "client_id"),
        "sessions_app_respondent",
        ("id", "client_id"),
    ),
    rs.append_only("sessions_app_auditevent"),
    rs.append_only("sessions_app_auditseal"),
    rs.written_once("sessions_app_casereview", "result_sealed", "result_at", "result_by_id"),
    rs.written_once("sessions_app_emergencyaccess", "ended_at"),
    *(
        rs.written_once(f"sessions_app_{name}", "to_on")
        for name in ("restriction", "retentionrule")
    ),
    *(
        rs.written_once(f"sessions_app_{name}")
        for name in ("policy", "crisistext", "dutyturn", "consent", "consentstatement")
    ),
    *(
        rs.kept(f"sessions_app_{name}")
        for name in (
            "client", "clientkey", "episode", "assignment", "session", "caseconference", "absence",
        )
    ),
]  # fmt: skip
# Each says the clinical scope anew with what it adds.
WIDER = [COVER, *REFERRALS, EMERGENCY, RELEASE]


class Migration(migrations.Migration):
    """Who sees which rows, and which of them are written once, kept or told of."""

    dependencies = [("sessions_app", "0002_people_and_care")]

    operations = [
        migrations.RunSQL([*SCOPE, *HOLDING, ANALYZE]),
        migrations.RunSQL([remember(), *WIDER, closed(), remember_nothing_of_nobody()]),
    ]
