"""People and care: sites, clinicians, clients, episodes, sessions, decisions, audit, access."""
