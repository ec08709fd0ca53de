"""Services for a machine that has none: Postgres and a Redis-protocol broker, for one folder."""
