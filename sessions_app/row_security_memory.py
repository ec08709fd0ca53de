"""SQL that lets row-level security find a person's rows once a transaction.

Every table's policy asks for the same few sets ("the episodes I may see"), and a page reads a
dozen tables in forty statements: found anew each time, at 20,000 clients the search was most of
a page's time. What was found is kept in a setting local to the transaction, under a key of who
acts and the day, and forgotten by any statement that could change it. The setting is no weaker
than `outcomes.user_id`, which says who acts, and is set the same way.
"""

from __future__ import annotations

from sessions_app import row_security

# function -> what a policy asks; each is found by `outcomes_find_...` and remembered.
REMEMBERED = (
    "clinical_episodes",
    "clinical_clients",
    "desk_episodes",
    "desk_clients",
    "desk_hidden_clients",
)
# Whatever a scope is made of: a statement that writes here ends what was remembered.
DECIDING = (
    "assignment", "client", "clinician", "episode", "policy", "programme", "rolegrant", "site",
    "supervision", "team", "user",
)  # fmt: skip

_REMEMBER = """
CREATE OR REPLACE FUNCTION outcomes_{name}() RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public AS $$
DECLARE
    whose text := outcomes_actor() || '/' || COALESCE((SELECT outcomes_user())::text, '')
        || '/' || (SELECT outcomes_today())::text || '=';
    kept text := current_setting('outcomes.{name}', true);
BEGIN
    IF kept IS NULL OR NOT starts_with(kept, whose) THEN
        SELECT whose || COALESCE(string_agg(one.id::text, ','), '') INTO kept
        FROM outcomes_find_{name}() AS one(id);
        PERFORM set_config('outcomes.{name}', kept, true);
    END IF;
    RETURN QUERY SELECT unnest(
        string_to_array(NULLIF(substr(kept, length(whose) + 1), ''), ',')::bigint[]);
END $$;
"""

_FORGET = """
CREATE OR REPLACE FUNCTION outcomes_forget_scope() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {settings}
    RETURN NULL;
END $$;
"""

_TRIGGER = """
CREATE TRIGGER {table}_ends_scope AFTER INSERT OR UPDATE OR DELETE ON sessions_app_{table}
FOR EACH STATEMENT EXECUTE FUNCTION outcomes_forget_scope();
"""


def _finder(name: str) -> str:
    """The search itself, as row_security.py words it, under its own name."""
    start = row_security.FUNCTIONS.index(f"CREATE FUNCTION outcomes_{name}()")
    end = row_security.FUNCTIONS.index("$$;", start) + 3
    words = row_security.FUNCTIONS[start:end]
    return words.replace(f"outcomes_{name}()", f"outcomes_find_{name}()", 1)


def remember() -> str:
    """SQL of the finders, the remembering functions in their place, and what makes them forget."""
    settings = "\n    ".join(
        f"PERFORM set_config('outcomes.{name}', '', true);" for name in REMEMBERED
    )
    return "".join(
        [
            *(_finder(name) + "\n" for name in REMEMBERED),
            *(_REMEMBER.format(name=name) for name in REMEMBERED),
            _FORGET.format(settings=settings),
            *(_TRIGGER.format(table=table) for table in DECIDING),
        ]
    )
