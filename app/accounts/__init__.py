"""Who may do what: people, roles, scopes, API tokens, sessions and environments."""
