"""SQL of who sees a referral, and a person who is referred and not in care yet.

What access.py says in `referrals_of` and `_desk_clients`: a referral to a restricted programme,
and whoever is known by nothing else, doesn't exist for a desk without a grant for it. Once care
begins the episode's own policies decide about the client.
"""

from __future__ import annotations

from sessions_app import row_security as rs

TABLE = "sessions_app_referral"
AT_DESK = (
    "({row}programme_id IN (SELECT outcomes_granted_programmes('front_desk'))"
    " OR ({row}site_id IN (SELECT outcomes_desk_sites())"
    " AND {row}programme_id IN (SELECT outcomes_open_programmes())))"
)

SETS = """
CREATE OR REPLACE FUNCTION outcomes_desk_hidden_clients() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT known.client_id FROM (
        SELECT e.client_id FROM sessions_app_episode e WHERE NOT ({episode})
        UNION
        SELECT r.client_id FROM sessions_app_referral r
        WHERE r.episode_id IS NULL AND NOT {referral}) AS known
    WHERE NOT EXISTS (
        SELECT 1 FROM sessions_app_episode other
        WHERE other.client_id = known.client_id AND {other_episode})
      AND NOT EXISTS (
        SELECT 1 FROM sessions_app_referral other
        WHERE other.client_id = known.client_id AND other.episode_id IS NULL
          AND {other_referral})
$$;

CREATE OR REPLACE FUNCTION outcomes_desk_clients() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT e.client_id FROM sessions_app_episode e WHERE {episode}
    UNION
    SELECT r.client_id FROM sessions_app_referral r
    WHERE (SELECT outcomes_has_role('front_desk')) AND r.episode_id IS NULL AND {referral}
    UNION ALL
    SELECT c.id FROM sessions_app_client c
    WHERE (SELECT outcomes_has_role('front_desk'))
      AND c.site_id IN (SELECT outcomes_desk_sites())
      AND NOT EXISTS (SELECT 1 FROM sessions_app_episode e WHERE e.client_id = c.id)
      AND NOT EXISTS (
        SELECT 1 FROM sessions_app_referral r WHERE r.client_id = c.id AND r.episode_id IS NULL)
$$;
""".format(
    episode=rs.in_set("desk_episodes", "e.id"),
    other_episode=rs.in_set("desk_episodes", "other.id"),
    referral=AT_DESK.format(row="r."),
    other_referral=AT_DESK.format(row="other."),
)

FORGET = f"""
CREATE TRIGGER referral_ends_scope AFTER INSERT OR UPDATE OR DELETE ON {TABLE}
FOR EACH STATEMENT EXECUTE FUNCTION outcomes_forget_scope();
"""

REFERRALS = [
    rs.protect(
        TABLE,
        f"(SELECT outcomes_has_role('front_desk')) AND {AT_DESK.format(row='')}",
        rs.CLINICAL_EPISODE.format(column="episode_id"),
    ),
    rs.filed_together(
        TABLE, ("episode_id", "client_id"), "sessions_app_episode", ("id", "client_id")
    ),
    rs.kept(TABLE),
    SETS,
    FORGET,
]
