"""Tables of the vault. Rows that decide who gets what are sealed."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id
from app.ids import new_id, utcnow
from app.keys.sealed import Sealed


def _new_search_id() -> int:
    return secrets.randbits(62)


class Secret(Sealed, Base):
    """A secret; its values are in its versions.

    ``state`` is ``enabled`` or ``deleted`` (kept until ``purge_at``, its name reserved).
    ``verify_only``: it checks signatures inside the vault, and no node can fetch it.
    """

    __tablename__ = "secrets"
    __table_args__ = (
        UniqueConstraint("environment_id", "name"),
        Index(None, "environment_id", "due_at"),
        Index(None, "environment_id", "id"),
        Index(None, "state", "purge_at"),
    )
    SEALED: ClassVar[tuple[str, ...]] = (
        "id", "environment_id", "name", "state", "active_version", "allowed_hosts",
        "allowed_flows", "revision",
    )
    SEALED_ONCE_SET: ClassVar[tuple[str, ...]] = ("verify_only",)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"))
    name: Mapped[str] = mapped_column(String(128))
    description: Mapped[str] = mapped_column(String(2000), default="")
    tags: Mapped[list[Any]] = mapped_column(default=list)
    owner: Mapped[str] = mapped_column(String(254), default="")
    state: Mapped[str] = mapped_column(String(16), default="enabled")
    active_version: Mapped[int]
    latest_version: Mapped[int]
    # What the search index knows the row by; SQLite's own row ids change with VACUUM.
    search_id: Mapped[int] = mapped_column(BigInteger, unique=True, default=_new_search_id)
    allowed_hosts: Mapped[list[Any] | None]
    allowed_flows: Mapped[list[Any] | None]
    verify_only: Mapped[bool | None] = mapped_column(default=None)
    rotation_period_days: Mapped[int | None]
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    created_by: Mapped[str] = mapped_column(String(254))
    updated_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_by: Mapped[str] = mapped_column(String(254))
    last_change: Mapped[str] = mapped_column(String(200), default="")
    rotated_at: Mapped[datetime] = mapped_column(default=utcnow)
    due_at: Mapped[datetime | None]
    last_accessed_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    purge_at: Mapped[datetime | None]


class SecretTag(Base):
    """A tag of a secret, with its name: a tag's secrets are listed by name without a scan."""

    __tablename__ = "secret_tags"
    __table_args__ = (Index(None, "environment_id", "tag", "name"),)

    secret_id: Mapped[str] = mapped_column(ForeignKey("secrets.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(64), primary_key=True)
    environment_id: Mapped[str] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(128))


class SecretVersion(Sealed, Base):
    """A version: ``state`` is ``enabled``, ``disabled`` or ``destroyed``.

    :ivar weak: the value is too short to be masked but as a whole word.
    :ivar format: what the value looks like (see :mod:`app.vault.formats`); a hint.
    :ivar expires_at: when the value says that it ends, where it does.
    """

    __tablename__ = "secret_versions"
    SEALED: ClassVar[tuple[str, ...]] = ("secret_id", "number", "state", "blob_id", "weak")

    secret_id: Mapped[str] = mapped_column(ForeignKey("secrets.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default="enabled")
    blob_id: Mapped[str] = mapped_column(Id)
    weak: Mapped[bool] = mapped_column(default=False)
    format: Mapped[str] = mapped_column(String(16), default="")
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    created_by: Mapped[str] = mapped_column(String(254))
    last_accessed_at: Mapped[datetime | None]


class SecretBlob(Base):
    """The ciphertext of a version and its wrapped data key (see :mod:`app.keys.aead`)."""

    __tablename__ = "secret_blobs"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    secret_id: Mapped[str] = mapped_column(ForeignKey("secrets.id"), index=True)
    version: Mapped[int]
    format: Mapped[int]
    algorithm: Mapped[str] = mapped_column(String(16))
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    kek_id: Mapped[str] = mapped_column(String(64), index=True)
    wrapped_dek: Mapped[bytes] = mapped_column(LargeBinary)


class SecretUse(Base):
    """A node of a flow that names a secret; written when the flow is saved or activated.

    :ivar scope: ``draft``, or ``active`` for the flow's active version.
    :ivar secret_id: what an activation bound the name to; None in drafts, where names resolve.
    :ivar pin: the pinned version; None takes the active one.
    :ivar purpose: ``fetch``, or ``verify`` for a webhook's signatures.
    """

    __tablename__ = "secret_uses"
    __table_args__ = (
        Index(None, "environment_id", "secret_name"),
        Index(None, "secret_id"),
    )

    flow_id: Mapped[str] = mapped_column(Id, primary_key=True)
    scope: Mapped[str] = mapped_column(String(8), primary_key=True)
    node: Mapped[str] = mapped_column(String(128), primary_key=True)
    environment_id: Mapped[str] = mapped_column(Id)
    flow_name: Mapped[str] = mapped_column(String(200))
    secret_name: Mapped[str] = mapped_column(String(128))
    secret_id: Mapped[str | None] = mapped_column(Id)
    pin: Mapped[int | None]
    purpose: Mapped[str] = mapped_column(String(8), default="fetch")


class Grant(Sealed, Base):
    """The right of one claim of a run to read one version for one node."""

    __tablename__ = "grants"
    SEALED: ClassVar[tuple[str, ...]] = (
        "run_id", "claim", "node", "secret_id", "version", "environment_id",
    )

    run_id: Mapped[str] = mapped_column(Id, primary_key=True)
    claim: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(128), primary_key=True)
    secret_id: Mapped[str] = mapped_column(ForeignKey("secrets.id"), index=True)
    version: Mapped[int]
    environment_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class SpentToken(Base):
    """A ``jti`` that was used; kept until the token is past its end and the leeway."""

    __tablename__ = "spent_tokens"

    jti: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ValueUse(Base):
    """A value that was handed out: one per claim, node, attempt, item, purpose and secret."""

    __tablename__ = "value_uses"
    __table_args__ = (
        UniqueConstraint(
            "run_id", "claim", "node", "attempt", "item", "purpose", "secret_id",
            name="uq_value_uses_use",
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    run_id: Mapped[str] = mapped_column(Id)
    claim: Mapped[int]
    node: Mapped[str] = mapped_column(String(128))
    attempt: Mapped[int]
    item: Mapped[str] = mapped_column(String(64))
    purpose: Mapped[str] = mapped_column(String(8))
    secret_id: Mapped[str] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(default=utcnow)
