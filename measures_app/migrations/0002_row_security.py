from django.db import migrations

from measures_app.touched_episodes import TRIGGERS
from sessions_app import row_security as rs
from sessions_app.row_security_webhooks import WEBHOOKS

EPISODE = "episode_id"


def clinical(name: str, *more: str) -> str:
    table = f"measures_app_{name}"
    return rs.protect(table, rs.CLINICAL_EPISODE.format(column=EPISODE), *more)


def together(name: str, *columns: str, by: str) -> str:
    other = f"sessions_app_{columns[0].removesuffix('_id')}"
    return rs.filed_together(f"measures_app_{name}", columns, other, ("id", by))


KEPT_READ = ("measure", "measureversion", "normrow", "measureplan")
MARKED = """
CREATE FUNCTION outcomes_measures_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO measures_app_measuresstate (id, mark) VALUES (1, gen_random_uuid())
    ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
    RETURN NULL;
END $$;
REVOKE INSERT, UPDATE, DELETE ON measures_app_measuresstate FROM outcomes_app;
INSERT INTO measures_app_measuresstate (id, mark) VALUES (1, gen_random_uuid());
""" + "".join(
    f"""
CREATE TRIGGER measures_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE
ON measures_app_{table} FOR EACH STATEMENT EXECUTE FUNCTION outcomes_measures_changed();
"""
    for table in KEPT_READ
)

IMMUTABLE = (
    "measureversion", "wording", "normrow", "expectedchangemodel", "flagruleset", "stoppingmodel",
    "weeklyline",
)  # fmt: skip
SCOPE = [
    clinical(
        "administration",
        rs.LINK_EPISODE.format(column=EPISODE)
        + " AND "
        + rs.LINK_RESPONDENT.format(column="respondent_id"),
    ),
    *map(clinical, ("trajectory", "flag", "flagevent", "followup", "itemalert")),
    rs.protect("measures_app_importdraft", "user_id = (SELECT outcomes_user())"),
    rs.protect("measures_app_touchedepisode"),
]
HOLDING = [
    *(
        together(name, EPISODE, "client_id", by="client_id")
        for name in ("administration", "trajectory", "flag", "itemalert")
    ),
    together("administration", "session_id", EPISODE, by=EPISODE),
    together("administration", "respondent_id", "client_id", by="client_id"),
    # A score is never edited: it is superseded or voided.
    rs.written_once(
        "measures_app_administration",
        "superseded_at",
        "voided",
        "voided_at",
        "voided_by_id",
        "void_reason_sealed",
    ),
    # What was answered stays; only who was shown it and what was done is added.
    rs.written_once("measures_app_itemalert", "done_at", "done_by_id", "done_sealed", "shown_to"),
    # What was forecast is never told differently later.
    *(
        rs.append_only(f"measures_app_{name}")
        for name in ("flagevent", "measureplan", "followup", "owncheckpoint")
    ),
    *(rs.immutable(f"measures_app_{name}") for name in IMMUTABLE),
    *(rs.kept(f"measures_app_{name}") for name in ("flag", *IMMUTABLE)),
]


class Migration(migrations.Migration):
    """Who sees which scores; what is never edited; who is told of what was written."""

    dependencies = [
        ("measures_app", "0001_asked_and_answered"),
        ("sessions_app", "0003_row_security"),
    ]

    operations = [migrations.RunSQL([*SCOPE, *HOLDING, *WEBHOOKS, MARKED, TRIGGERS])]
