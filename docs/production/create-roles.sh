#!/bin/bash
# Run once by the Postgres image in an empty volume: two roles, and a login for each use.
#   outcomes_owner  owns the tables; taken by the login outcomes_migrator (migrations, backups,
#                   restores, which go into a database of their own)
#   outcomes_app    works under row-level security; taken by both logins
# The passwords are those of the two addresses among the secrets.
set -euo pipefail

password_in() { sed -E 's#^[a-z]+://[^:/@]+:([^@]+)@.*#\1#' "$1" | tr -d '[:space:]'; }

psql --variable=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --variable=web="$(password_in /run/secrets/database_url)" \
    --variable=migrator="$(password_in /run/secrets/database_owner_url)" <<'SQL'
CREATE ROLE outcomes_owner NOLOGIN;
CREATE ROLE outcomes_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
CREATE ROLE outcomes_migrator LOGIN CREATEDB PASSWORD :'migrator';
CREATE ROLE outcomes_web LOGIN PASSWORD :'web';
GRANT outcomes_owner, outcomes_app TO outcomes_migrator;
GRANT outcomes_app TO outcomes_web;
ALTER SCHEMA public OWNER TO outcomes_owner;
SELECT format('ALTER DATABASE %I OWNER TO outcomes_owner', current_database()) \gexec
SQL
