"""SQL of row-level security, written by the initial migrations.

Policies call functions that raise without an actor context, so that forgetting the context is
an error and never an empty page. The functions run as the tables' owner (SECURITY DEFINER) and
are called once a statement, as uncorrelated sub-selects (a bare call of a stable function in a
condition would be made for each row). They say again what access.py says.

A set of rows reaches a policy as a bit string, bit n saying whether row n is in it: `id IN
(SELECT ...)` makes a hash table of the set for each table of each statement, which for a front
desk with 20,000 clients was most of a page's time, and the planner takes it for made anew on
each look at an index, so that it read whole tables instead. Where a function asks for the few
rows of a set by their index, the set is an array: the planner takes any function for a thousand
rows, and reads a table to the end for those.
"""

from __future__ import annotations

CLINICAL_CLIENTS = """
CREATE OR REPLACE FUNCTION outcomes_clinical_clients() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT DISTINCT e.client_id FROM sessions_app_episode e
    WHERE e.id = ANY (ARRAY(SELECT outcomes_clinical_episodes()))
$$;
"""

FUNCTIONS = """
CREATE FUNCTION outcomes_actor() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE kind text := current_setting('outcomes.actor', true);
BEGIN
    IF kind IS NULL OR kind = '' THEN
        RAISE EXCEPTION 'no actor context: nobody is named as acting in this transaction'
            USING ERRCODE = '42501';
    END IF;
    RETURN kind;
END $$;

CREATE FUNCTION outcomes_is_system() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT outcomes_actor() = 'system' $$;

CREATE FUNCTION outcomes_user() RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN outcomes_actor() = 'user'
          THEN NULLIF(current_setting('outcomes.user_id', true), '')::bigint END $$;

CREATE FUNCTION outcomes_today() RETURNS date LANGUAGE sql STABLE AS
$$ SELECT COALESCE(NULLIF(current_setting('outcomes.today', true), '')::date, CURRENT_DATE) $$;

CREATE FUNCTION outcomes_has_role(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT EXISTS (
        SELECT 1 FROM sessions_app_rolegrant g JOIN sessions_app_user u ON u.id = g.user_id
        WHERE g.user_id = (SELECT outcomes_user()) AND u.is_active AND g.role = wanted
          AND (SELECT outcomes_today()) BETWEEN g.from_on AND COALESCE(g.to_on, 'infinity'))
$$;

CREATE FUNCTION outcomes_granted_programmes(wanted text) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT g.programme_id FROM sessions_app_rolegrant g
    WHERE g.user_id = (SELECT outcomes_user()) AND g.programme_id IS NOT NULL
      AND (wanted IS NULL OR g.role = wanted)
      AND (SELECT outcomes_today()) BETWEEN g.from_on AND COALESCE(g.to_on, 'infinity')
$$;

CREATE FUNCTION outcomes_my_clinicians() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT c.id FROM sessions_app_clinician c
    WHERE c.user_id = (SELECT outcomes_user()) AND (SELECT outcomes_has_role('clinician'))
    UNION
    SELECT s.clinician_id FROM sessions_app_supervision s
    WHERE s.supervisor_id = (SELECT outcomes_user()) AND (SELECT outcomes_has_role('supervisor'))
      AND (SELECT outcomes_today()) BETWEEN s.from_on AND COALESCE(s.to_on, 'infinity')
$$;

CREATE FUNCTION outcomes_former_days() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT COALESCE((
        SELECT (p.value #>> '{}')::integer FROM sessions_app_policy p
        WHERE p.key = 'former_assignment_days' AND p.from_on <= (SELECT outcomes_today())
        ORDER BY p.from_on DESC, p.id DESC LIMIT 1), 90)
$$;

-- Said anew by row_security_cover.py, once there are absences.
CREATE FUNCTION outcomes_clinical_episodes() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    WITH direct AS (
        SELECT DISTINCT a.episode_id, e.client_id
        FROM sessions_app_assignment a JOIN sessions_app_episode e ON e.id = a.episode_id
        WHERE a.clinician_id IN (SELECT outcomes_my_clinicians())
          AND COALESCE(a.to_on, 'infinity')
              >= (SELECT outcomes_today()) - (SELECT outcomes_former_days()))
    SELECT e.id FROM sessions_app_episode e
    JOIN sessions_app_programme p ON p.id = e.programme_id
    WHERE e.client_id IN (SELECT client_id FROM direct)
      AND (NOT p.restricted OR e.id IN (SELECT episode_id FROM direct)
           OR e.programme_id IN (SELECT outcomes_granted_programmes(NULL)))
$$;

CREATE FUNCTION outcomes_desk_sites() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT s.id FROM sessions_app_site s
    WHERE EXISTS (
        SELECT 1 FROM sessions_app_rolegrant g
        LEFT JOIN sessions_app_team t ON t.id = g.team_id
        WHERE g.user_id = (SELECT outcomes_user()) AND g.role = 'front_desk'
          AND (SELECT outcomes_today()) BETWEEN g.from_on AND COALESCE(g.to_on, 'infinity')
          AND (g.scope = 'clinic' OR g.site_id = s.id OR t.site_id = s.id))
$$;

CREATE FUNCTION outcomes_open_programmes() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT p.id FROM sessions_app_programme p WHERE NOT p.restricted
$$;

CREATE FUNCTION outcomes_desk_episodes() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT e.id FROM sessions_app_episode e
    WHERE (SELECT outcomes_has_role('front_desk'))
      AND (e.programme_id IN (SELECT outcomes_granted_programmes('front_desk'))
           OR (e.site_id IN (SELECT outcomes_desk_sites())
               AND e.programme_id IN (SELECT outcomes_open_programmes())))
$$;

-- How many open episodes each clinician leads: numbers alone, for whoever hands over a case.
CREATE FUNCTION outcomes_open_leads() RETURNS TABLE (clinician_id bigint, open_episodes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT a.clinician_id, count(*) FROM sessions_app_assignment a
    JOIN sessions_app_episode e ON e.id = a.episode_id
    WHERE (SELECT outcomes_has_role('supervisor'))
      AND a.part = 'lead' AND a.to_on IS NULL AND e.closed_on IS NULL
    GROUP BY a.clinician_id
$$;

CREATE FUNCTION outcomes_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '42501';
END $$;
"""

# A respondent's link opens one form: its own episode, session, respondent and nothing else.
LINK_FUNCTIONS = """
CREATE FUNCTION outcomes_link_id() RETURNS bigint LANGUAGE sql STABLE AS
$$ SELECT CASE WHEN outcomes_actor() = 'link'
          THEN NULLIF(current_setting('outcomes.actor_ref', true), '')::bigint END $$;

CREATE FUNCTION outcomes_link_episode() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT l.episode_id FROM sessions_app_entrylink l
    WHERE l.id = outcomes_link_id() AND l.revoked_at IS NULL AND l.expires_at > now()
$$;

CREATE FUNCTION outcomes_link_client() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT l.client_id FROM sessions_app_entrylink l
    WHERE l.id = outcomes_link_id() AND l.revoked_at IS NULL AND l.expires_at > now()
$$;

CREATE FUNCTION outcomes_link_respondent() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT l.respondent_id FROM sessions_app_entrylink l
    WHERE l.id = outcomes_link_id() AND l.revoked_at IS NULL AND l.expires_at > now()
$$;

CREATE FUNCTION outcomes_find_link(wanted text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT l.id FROM sessions_app_entrylink l WHERE l.token_hash = wanted
$$;
"""

# Zeros up to the next number of the set, then a one.
BITS_OF_SET = """
    SELECT COALESCE(string_agg(repeat('0', (id - before - 1)::integer) || '1', '' ORDER BY id), '')
    FROM (SELECT found.id, lag(found.id, 1, 0::bigint) OVER (ORDER BY found.id) AS before
          FROM outcomes_{name}() AS found(id)) AS steps"""


def _as_bits(*names: str) -> str:
    return "".join(
        f"""
CREATE FUNCTION outcomes_{name}_bits() RETURNS varbit
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT ({BITS_OF_SET.format(name=name)})::varbit
$$;
"""
        for name in names
    )


def in_set(name: str, column: str = "{column}") -> str:
    """A policy's condition: the row's number is in the set (beyond its end there is no bit)."""
    return f"substring((SELECT outcomes_{name}_bits()) FROM {column}::integer FOR 1) = B'1'"


# What `outcomes_NAME()` finds and policies ask for; the last two are found by the third.
SETS = (
    "clinical_episodes",
    "clinical_clients",
    "desk_episodes",
    "desk_clients",
    "desk_hidden_clients",
)

FUNCTIONS += (
    CLINICAL_CLIENTS
    + _as_bits(*SETS[:3])
    + """
-- Clients known only to programmes the desk doesn't see: absent for it.
CREATE FUNCTION outcomes_desk_hidden_clients() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT DISTINCT e.client_id FROM sessions_app_episode e
    WHERE NOT ({episode}) AND NOT EXISTS (
        SELECT 1 FROM sessions_app_episode other
        WHERE other.client_id = e.client_id AND {other_episode})
$$;

CREATE FUNCTION outcomes_desk_clients() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT DISTINCT e.client_id FROM sessions_app_episode e WHERE {episode}
    UNION ALL
    SELECT c.id FROM sessions_app_client c
    WHERE (SELECT outcomes_has_role('front_desk'))
      AND c.site_id IN (SELECT outcomes_desk_sites())
      AND NOT EXISTS (SELECT 1 FROM sessions_app_episode e WHERE e.client_id = c.id)
$$;
""".format(
        episode=in_set("desk_episodes", "e.id"), other_episode=in_set("desk_episodes", "other.id")
    )
    + _as_bits(*SETS[3:])
)

SYSTEM = "(SELECT outcomes_is_system())"
CLINICAL_EPISODE = in_set("clinical_episodes")
CLINICAL_CLIENT = in_set("clinical_clients")
DESK_EPISODE = in_set("desk_episodes")
DESK_CLIENT = in_set("desk_clients")
LINK_EPISODE = "{column} = (SELECT outcomes_link_episode())"
LINK_CLIENT = "{column} = (SELECT outcomes_link_client())"
LINK_RESPONDENT = "{column} = (SELECT outcomes_link_respondent())"


def protect(table: str, *conditions: str) -> str:
    """SQL that puts a table under row-level security; rows are seen where any condition holds."""
    using = " OR ".join([SYSTEM, *(f"({condition})" for condition in conditions)])
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;\n"
        f"CREATE POLICY {table}_scope ON {table} USING ({using}) WITH CHECK ({using});\n"
    )


def immutable(table: str) -> str:
    """SQL that refuses updates, whoever asks: a new version is a new row."""
    return (
        f"CREATE TRIGGER {table}_immutable BEFORE UPDATE ON {table}\n"
        f"FOR EACH ROW EXECUTE FUNCTION outcomes_refuse_change();\n"
        f"REVOKE UPDATE ON {table} FROM outcomes_app;\n"
    )


def append_only(table: str) -> str:
    """SQL that refuses update, delete and truncate, whoever asks."""
    return (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}\n"
        f"FOR EACH ROW EXECUTE FUNCTION outcomes_refuse_change();\n"
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}\n"
        f"FOR EACH STATEMENT EXECUTE FUNCTION outcomes_refuse_change();\n"
        f"REVOKE UPDATE, DELETE ON {table} FROM outcomes_app;\n"
    )


def filed_together(table: str, columns: tuple[str, str], other: str, keys: tuple[str, str]) -> str:
    """SQL of a composite foreign key: both columns name the same row of the other table.

    So a score can't name one client's episode and another client, whoever writes it.
    """
    name = f"{table}_{columns[0]}_with_{columns[1]}"
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({', '.join(columns)})\n"
        f"REFERENCES {other} ({', '.join(keys)}) DEFERRABLE INITIALLY DEFERRED;\n"
    )


def written_once(table: str, *columns: str) -> str:
    """SQL that lets the application change these columns alone, and delete nothing."""
    return f"REVOKE UPDATE, DELETE ON {table} FROM outcomes_app;\n" + (
        f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO outcomes_app;\n" if columns else ""
    )


def kept(table: str) -> str:
    """SQL that lets the application delete no row: it ends, is superseded or erased instead."""
    return f"REVOKE DELETE ON {table} FROM outcomes_app;\n"
