"""The services of the accounts under one name; each module beside this one holds a family."""

from __future__ import annotations

from app.accounts.credentials import (
    actor_for_token,
    create_token,
    current_scopes,
    list_tokens,
    list_tokens_here,
    needs_touch,
    revoke_token,
    touch_token,
)
from app.accounts.environments import (
    find_environment,
    get_default_environment,
    get_environment,
    list_environments_of,
)
from app.accounts.login import (
    close_attempt,
    forget_attempts,
    login_failed,
    open_attempt,
    record_pause,
)
from app.accounts.people import (
    create_user,
    end_sessions,
    find_user_by_email,
    get_user,
    grant_role,
    has_users,
    normalise_email,
    revoke_role,
    scopes_of,
    set_disabled,
    set_password,
)
from app.accounts.roster import PersonView, RoleView, get_person, list_people
from app.accounts.sessions import (
    close_session,
    find_session,
    list_sessions,
    open_session,
    revoke_session,
    revoke_sessions_of,
    rotate_session,
)

__all__ = [
    "PersonView",
    "RoleView",
    "actor_for_token",
    "close_attempt",
    "close_session",
    "create_token",
    "create_user",
    "current_scopes",
    "end_sessions",
    "find_environment",
    "find_session",
    "find_user_by_email",
    "forget_attempts",
    "get_default_environment",
    "get_environment",
    "get_person",
    "get_user",
    "grant_role",
    "has_users",
    "list_environments_of",
    "list_people",
    "list_sessions",
    "list_tokens",
    "list_tokens_here",
    "login_failed",
    "needs_touch",
    "normalise_email",
    "open_attempt",
    "open_session",
    "record_pause",
    "revoke_role",
    "revoke_session",
    "revoke_sessions_of",
    "revoke_token",
    "rotate_session",
    "scopes_of",
    "set_disabled",
    "set_password",
    "touch_token",
]
