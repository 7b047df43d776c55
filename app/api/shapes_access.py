"""The shapes of people, credentials, workers and the installation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field

from app.api.bodies import Body, Flag, ListQuery, Query, Text
from app.api.shapes import Answer, Moment


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time of this age") from None


Since = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time that a client sends: with its offset, such as ``2026-01-31T09:00:00Z``."""


# --- people -----------------------------------------------------------------------------------


class UserCreate(Body):
    """A new person; without a role they can sign in and see nothing."""

    email: Text
    password: str = Field(repr=False)
    name: Text = Field("", max_length=200)
    role: Text | None = Field(None, description="Holds in this environment.")
    everywhere: bool = Field(False, description="Let the role hold in the whole installation.")


class UsersQuery(ListQuery):
    """What the list of people takes."""


class RoleCreate(Body):
    """A role to grant."""

    role: Text
    everywhere: bool = Field(False, description="In the whole installation, not just here.")


class RoleOut(Answer):
    """A role that a person has."""

    id: str
    role: str
    environment: str | None = Field(description="Its name; null for the whole installation.")
    created_at: Moment


class UserOut(Answer):
    """A person, with the roles that reach this environment."""

    id: str
    email: str
    name: str
    disabled: bool
    created_at: Moment
    roles: list[RoleOut]


class UserList(Answer):
    """A page of people."""

    items: list[UserOut]
    next_cursor: str | None


class PasswordChange(Body):
    """A new password of one's own."""

    current_password: str = Field(repr=False)
    password: str = Field(repr=False)


# --- credentials ------------------------------------------------------------------------------


class TokenCreate(Body):
    """A token to make; it acts in this environment."""

    name: Text
    scopes: list[Text]
    expires_days: int | None = Field(None, ge=1, le=3650, description="Null for no end.")


class TokenOut(Answer):
    """A token, without its text."""

    id: str
    name: str
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None


class TokenMade(TokenOut):
    """A token just made: the one time its text is shown."""

    token: str = Field(repr=False)


class TokenList(Answer):
    """One's own tokens in this environment."""

    items: list[TokenOut]
    next_cursor: str | None = None


class SessionOut(Answer):
    """A login."""

    id: str
    created_at: Moment
    last_seen_at: Moment
    address: str | None
    user_agent: str
    current: bool = Field(description="It is the session that asks.")


class SessionList(Answer):
    """One's own logins that still hold."""

    items: list[SessionOut]
    next_cursor: str | None = None


# --- workers ----------------------------------------------------------------------------------


class WorkerCreate(Body):
    """A worker to enrol; one that has this name gets another key."""

    name: Text


class EnrolmentOut(Answer):
    """A one-time code: `tacit worker join` hands in the worker's public key with it."""

    name: str
    code: str = Field(repr=False, description="Good once, for an hour; shown here only.")
    expires_at: Moment


class WorkerKeyOut(Answer):
    """A worker's key."""

    id: str
    created_at: Moment
    revoked_at: Moment | None


class WorkerOut(Answer):
    """A worker with its keys; what it reports of itself is not checked."""

    id: str
    name: str
    created_at: Moment
    last_seen_at: Moment | None
    revoked_at: Moment | None
    reported: dict[str, Any]
    keys: list[WorkerKeyOut]


class WorkerList(Answer):
    """The environment's workers."""

    items: list[WorkerOut]
    next_cursor: str | None = None


# --- the installation -------------------------------------------------------------------------


class FreezeStart(Body):
    """A freeze to begin."""

    reason: Text = Field("", max_length=500)
    everywhere: bool = False


class FreezeQuery(Query):
    """Which freeze to lift."""

    everywhere: Flag = False


class FreezeOut(Answer):
    """Whether this environment is frozen, and by whom."""

    frozen: bool
    everywhere: bool = False
    reason: str | None = None
    by: str | None = None
    at: Moment | None = None


class AuditQuery(ListQuery):
    """Which events to list."""

    action: Text | None = Field(None, max_length=40)
    outcome: Text | None = Field(None, max_length=16)
    actor: Text | None = Field(None, max_length=254)
    secret_id: Text | None = Field(None, max_length=64)
    flow_id: Text | None = Field(None, max_length=64)
    run_id: Text | None = Field(None, max_length=64)
    since: Since | None = None
    until: Since | None = None
    installation: Flag = Field(
        False, description="List logins and keys instead, for who may read the audit everywhere."
    )


class AuditEventOut(Answer):
    """Something that was done or tried; never a value."""

    seq: int
    at: Moment
    actor_kind: str
    actor_id: str | None
    actor_name: str
    action: str
    outcome: str
    secret_id: str | None
    flow_id: str | None
    run_id: str | None
    node: str | None
    target: str | None
    request_id: str | None
    address: str | None
    data: dict[str, Any]


class AuditList(Answer):
    """A page of events, newest first."""

    items: list[AuditEventOut]
    next_cursor: str | None


class KeyOut(Answer):
    """A master key by its fingerprint."""

    id: str
    provider: str
    state: str
    values: int = Field(description="Stored versions whose data key it wraps.")
    created_at: Moment


class KeyList(Answer):
    """The installation's master keys."""

    items: list[KeyOut]
    active: str | None
    next_cursor: str | None = None
