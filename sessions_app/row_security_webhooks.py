"""SQL that writes an outbox row for each event and subscription, in the event's transaction.

By the database, as scores and flags come by many ways (a form, a link, the API, an import by
COPY, the night's thousands in one statement), and each of them once. Rows hold numbers alone.
Where nobody subscribes a statement costs one look at an index that is empty.
"""

from __future__ import annotations

SCORES, FLAGS = "measures_app_administration", "measures_app_flag"

FUNCTIONS = """
CREATE FUNCTION outcomes_promise_webhooks(event text, subjects bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    INSERT INTO sessions_app_outbox
        (kind, payload, message_id, created_at, due_at, attempts, last_problem)
    SELECT 'webhook', jsonb_build_object('webhook', w.id, 'event', event, 'subject', s.subject),
           gen_random_uuid(), clock_timestamp(), clock_timestamp(), 0, ''
    FROM unnest(subjects) WITH ORDINALITY AS s (subject, place)
    CROSS JOIN sessions_app_webhook w
    WHERE w.ended_at IS NULL AND w.agreed_at IS NOT NULL AND w.events ? event
    ORDER BY s.place, w.id
$$;

CREATE FUNCTION outcomes_somebody_subscribes() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT EXISTS (
        SELECT 1 FROM sessions_app_webhook WHERE ended_at IS NULL AND agreed_at IS NOT NULL)
$$;

CREATE FUNCTION outcomes_scores_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF outcomes_somebody_subscribes() THEN
        PERFORM outcomes_promise_webhooks(
            CASE WHEN corrected THEN 'score.corrected' ELSE 'score.recorded' END, ids)
        FROM (SELECT n.total IS NOT NULL AND n.supersedes_id IS NOT NULL
                     AND EXISTS (SELECT 1 FROM measures_app_administration o
                                 WHERE o.id = n.supersedes_id AND o.total IS NOT NULL) AS corrected,
                     array_agg(n.id ORDER BY n.id) AS ids
              FROM new_rows n WHERE n.total IS NOT NULL AND NOT n.voided GROUP BY 1) AS found;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION outcomes_scores_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF outcomes_somebody_subscribes() THEN
        PERFORM outcomes_promise_webhooks('score.voided', array_agg(n.id ORDER BY n.id))
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE n.voided AND NOT o.voided AND n.total IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION outcomes_flags_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF outcomes_somebody_subscribes() THEN
        PERFORM outcomes_promise_webhooks('flag.raised', array_agg(n.id ORDER BY n.id))
        FROM new_rows n WHERE n.state = 'open';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION outcomes_flags_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF outcomes_somebody_subscribes() THEN
        PERFORM outcomes_promise_webhooks('flag.raised', array_agg(n.id ORDER BY n.id))
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE n.state = 'open' AND o.state = 'waiting';
        PERFORM outcomes_promise_webhooks('flag.closed', array_agg(n.id ORDER BY n.id))
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE n.closed_at IS NOT NULL AND o.closed_at IS NULL AND o.state <> 'waiting';
    END IF;
    RETURN NULL;
END $$;
"""


def _trigger(table: str, when: str, function: str) -> str:
    old = " OLD TABLE AS old_rows" if when == "UPDATE" else ""
    return (
        f"CREATE TRIGGER tell_webhooks_{when.lower()} AFTER {when} ON {table} "
        f"REFERENCING NEW TABLE AS new_rows{old} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}();"
    )


WEBHOOKS = [
    FUNCTIONS,
    _trigger(SCORES, "INSERT", "outcomes_scores_came"),
    _trigger(SCORES, "UPDATE", "outcomes_scores_changed"),
    _trigger(FLAGS, "INSERT", "outcomes_flags_came"),
    _trigger(FLAGS, "UPDATE", "outcomes_flags_changed"),
]
