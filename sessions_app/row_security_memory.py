"""SQL that lets row-level security find a person's rows once a transaction.

Every table's policy asks for the same few sets ("the episodes I may see"), and a page reads a
dozen tables in forty statements: found anew each time, at 20,000 clients the search was most of
a page's time. What was found is kept, as bits, in a setting local to the transaction, beside one
of who acts and the day, and forgotten by any statement that could change it. The settings are no
weaker than `outcomes.user_id`, which says who acts, and are set the same way.
"""

from __future__ import annotations

from sessions_app.row_security import BITS_OF_SET, SETS

# Whatever a scope is made of: a statement that writes here ends what was remembered.
DECIDING = (
    "assignment", "client", "clinician", "episode", "policy", "programme", "rolegrant", "site",
    "supervision", "team", "user",
)  # fmt: skip

_REMEMBER = """
CREATE OR REPLACE FUNCTION outcomes_{name}_bits() RETURNS varbit
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public AS $$
DECLARE
    whose text := outcomes_actor() || '/' || COALESCE((SELECT outcomes_user())::text, '')
        || '/' || (SELECT outcomes_today())::text;
BEGIN
    IF current_setting('outcomes.{name}', true) IS DISTINCT FROM whose THEN
        PERFORM set_config('outcomes.{name}_bits', ({bits}), true);
        PERFORM set_config('outcomes.{name}', whose, true);
    END IF;
    RETURN current_setting('outcomes.{name}_bits')::varbit;
END $$;
"""

# Zeros up to the next number, then a one: as `BITS_OF_SET`, of numbers that are at hand.
_BITS_OF_NUMBERS = """
        (SELECT COALESCE(string_agg(repeat('0', (id - before - 1)::integer) || '1', '' ORDER BY id),
                         '')
         FROM (SELECT found.id, lag(found.id, 1, 0::bigint) OVER (ORDER BY found.id) AS before
               FROM {numbers} AS found(id)) AS steps)"""

_BOTH = """
CREATE OR REPLACE FUNCTION outcomes_{name}_bits() RETURNS varbit
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public AS $$
DECLARE
    whose text := outcomes_actor() || '/' || COALESCE((SELECT outcomes_user())::text, '')
        || '/' || (SELECT outcomes_today())::text;
    episodes bigint[];
BEGIN
    IF current_setting('outcomes.{name}', true) IS DISTINCT FROM whose THEN
        episodes := ARRAY(SELECT outcomes_clinical_episodes());
        PERFORM set_config('outcomes.clinical_episodes_bits', {episodes}, true);
        PERFORM set_config('outcomes.clinical_clients_bits', {clients}, true);
        PERFORM set_config('outcomes.clinical_episodes', whose, true);
        PERFORM set_config('outcomes.clinical_clients', whose, true);
    END IF;
    RETURN current_setting('outcomes.{name}_bits')::varbit;
END $$;
"""

_CLIENTS = """(SELECT DISTINCT e.client_id FROM sessions_app_episode e
                     WHERE e.id = ANY (episodes))"""

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


def remember() -> str:
    """SQL of the remembering functions, and of what makes them forget."""
    settings = "\n    ".join(f"PERFORM set_config('outcomes.{name}', '', true);" for name in SETS)
    return "".join(
        [
            *(_REMEMBER.format(name=name, bits=BITS_OF_SET.format(name=name)) for name in SETS),
            _FORGET.format(settings=settings),
            *(_TRIGGER.format(table=table) for table in DECIDING),
        ]
    )


_NOBODY = """BEGIN
    IF (SELECT outcomes_user()) IS NULL THEN
        RETURN ''::varbit;  -- a link, or nobody: no set is looked for
    END IF;
"""


def remember_nothing_of_nobody() -> str:
    """SQL of the same functions; whoever isn't a user of the clinic has no set to be found."""
    desk = (name for name in SETS if name.startswith("desk_"))
    found = remember_both() + "".join(
        _REMEMBER.format(name=name, bits=BITS_OF_SET.format(name=name)) for name in desk
    )
    return found.replace("BEGIN\n", _NOBODY)


def remember_both() -> str:
    """SQL that finds episodes and their clients together: a page asks for both."""
    return "".join(
        _BOTH.format(
            name=name,
            episodes=_BITS_OF_NUMBERS.format(numbers="unnest(episodes)"),
            clients=_BITS_OF_NUMBERS.format(numbers=_CLIENTS),
        )
        for name in ("clinical_episodes", "clinical_clients")
    )
