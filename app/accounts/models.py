"""Tables of the accounts: environments, people, grants, tokens, sessions, set-up links.

Rows that decide who gets what are sealed (SECURITY.md, section 1): a row edited or inserted in
SQL is refused when it is read. Times that move by themselves (last use, last sight) are not part
of a seal and are written with plain UPDATE statements.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id
from app.ids import new_id, utcnow
from app.keys.sealed import Sealed


class Environment(Base):
    """The unit of isolation: secrets, flows, runs, audit and grants belong to one.

    :ivar name: never changes: queues, programs' headers and pipelines go by it.
    :ivar protected: refuses runs of drafts that use secrets.
    :ivar policies: what differs from the defaults, see :mod:`app.accounts.policies`.
    :ivar queued_limit: most runs that wait; more are refused.
    :ivar running_limit: most runs that go on at once, more wait; None for no limit.
    :ivar retention_days: how long runs that are over are kept; 0 for ever.
    """

    __tablename__ = "environments"

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    protected: Mapped[bool] = mapped_column(default=False)
    queued_limit: Mapped[int] = mapped_column(default=10_000)
    running_limit: Mapped[int | None] = mapped_column(default=None)
    retention_days: Mapped[int] = mapped_column(default=30)
    policies: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class EnvironmentReach(Sealed, Base):
    """What the runs of an environment may reach. Each environment has its row from the beginning:
    none stands for nothing, so that one deleted in SQL is found.

    :ivar rules_hash: of the environment's protection and policies, see :mod:`app.accounts.rules`.
    """

    __tablename__ = "environment_reach"
    __table_args__ = (Index(None, "mac_key_id"),)
    SEALED: ClassVar[tuple[str, ...]] = ("environment_id", "allow_private", "worker_secrets")
    SEALED_ONCE_SET: ClassVar[tuple[str, ...]] = ("rules_hash",)

    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"), primary_key=True)
    allow_private: Mapped[bool] = mapped_column(default=True)
    worker_secrets: Mapped[list[Any]] = mapped_column(default=list)
    rules_hash: Mapped[str | None] = mapped_column(String(64), default=None)


class User(Sealed, Base):
    """A person; ``email`` is normalised and unique."""

    __tablename__ = "users"
    SEALED: ClassVar[tuple[str, ...]] = ("id", "email", "password_hash", "disabled_at")

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str] = mapped_column(String(200))
    disabled_at: Mapped[datetime | None] = mapped_column(default=None)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class RoleGrant(Sealed, Base):
    """A role of a person, in one environment or (``environment_id`` None) everywhere."""

    __tablename__ = "role_grants"
    SEALED: ClassVar[tuple[str, ...]] = ("id", "user_id", "environment_id", "role")

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    environment_id: Mapped[str | None] = mapped_column(
        ForeignKey("environments.id"), default=None
    )
    role: Mapped[str] = mapped_column(String(32))
    granted_by: Mapped[str | None] = mapped_column(Id, default=None)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class ApiToken(Sealed, Base):
    """A bearer token of a person: shown once, kept as its SHA-256."""

    __tablename__ = "api_tokens"
    SEALED: ClassVar[tuple[str, ...]] = (
        "id", "user_id", "environment_id", "token_hash", "scopes", "expires_at", "revoked_at",
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"))
    name: Mapped[str] = mapped_column(String(200))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    last_used_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)


class LoginSession(Sealed, Base):
    """A browser's login: the cookie holds a random token, this row its SHA-256."""

    __tablename__ = "login_sessions"
    SEALED: ClassVar[tuple[str, ...]] = (
        "id", "user_id", "token_hash", "csrf_secret", "created_at", "authenticated_at",
        "revoked_at",
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    csrf_secret: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    authenticated_at: Mapped[datetime] = mapped_column(default=utcnow)
    last_seen_at: Mapped[datetime] = mapped_column(default=utcnow)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)
    address: Mapped[str | None] = mapped_column(String(64), default=None)
    user_agent: Mapped[str] = mapped_column(String(200), default="")


class SetupLink(Sealed, Base):
    """A one-time link that makes the first administrator; good for one hour."""

    __tablename__ = "setup_links"
    SEALED: ClassVar[tuple[str, ...]] = ("id", "token_hash", "expires_at", "used_at")

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class LoginAttempt(Base):
    """A failed login, counted per account and per address.

    ``account`` is a digest of the normalised address that was typed: people type passwords into
    that field, and what they typed must not be kept.
    """

    __tablename__ = "login_attempts"
    __table_args__ = (
        Index(None, "account", "at"),
        Index(None, "address", "at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    account: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=utcnow)
