"""Tables of the flows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id
from app.ids import new_id, utcnow
from app.keys.sealed import Sealed


class Flow(Base):
    """A flow and its draft. ``revision`` counts the draft's changes, those of its settings too.

    :ivar last_change: what the newest revision changed, in half a sentence.
    :ivar credential_marks: fields that hold no credential, see :mod:`app.flows.credential_marks`.
    """

    __tablename__ = "flows"
    __table_args__ = (Index(None, "environment_id", "name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    graph: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    credential_marks: Mapped[list[Any]] = mapped_column(default=list)
    revision: Mapped[int] = mapped_column(default=1)
    active_version: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    created_by: Mapped[str] = mapped_column(String(254))
    updated_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_by: Mapped[str] = mapped_column(String(254))
    last_change: Mapped[str] = mapped_column(String(500), default="")
    deleted_at: Mapped[datetime | None]


class FlowVersion(Sealed, Base):
    """An immutable snapshot: of an activation (``number`` set), or of a draft that was run.

    :ivar bindings: of an activation: the secret's id by node. A draft's names resolve when it
        runs.
    :ivar content_hash: SHA-256 of the canonical graph and the settings, in hex. Sealed, so that
        what is edited in SQL is found when a run of it is claimed.
    :ivar settings: what differs from the defaults, see :mod:`app.flows.settings`.
    """

    __tablename__ = "flow_versions"
    __table_args__ = (Index(None, "flow_id", "content_hash"),)
    SEALED: ClassVar[tuple[str, ...]] = (
        "id", "flow_id", "number", "content_hash", "bindings",
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    flow_id: Mapped[str] = mapped_column(ForeignKey("flows.id"))
    number: Mapped[int | None]
    graph: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    content_hash: Mapped[str] = mapped_column(String(64))
    bindings: Mapped[dict[str, Any] | None]
    note: Mapped[str] = mapped_column(String(1000), default="")
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    created_by: Mapped[str] = mapped_column(String(254))


class Trigger(Sealed, Base):
    """What starts an active version without a person: a schedule, or a webhook.

    The row of a node stays when the flow is deactivated, so that a webhook keeps its address.

    :ivar flow_version_id: the version that it starts; None while the flow isn't active.
    :ivar hook: the unguessable part of a webhook's address.
    :ivar secret_id: what a webhook's signatures are checked with, bound at activation.
    :ivar user_id: whom its runs act for, with ``token_id``'s scopes where a token activated.
    :ivar next_at: when a schedule is due. It moves by itself, so it is outside the seal.
    :ivar problem: why it couldn't start a run the last time, in the words of the refusal.
    """

    __tablename__ = "triggers"
    __table_args__ = (
        UniqueConstraint("flow_id", "node"), UniqueConstraint("hook"), Index(None, "next_at"),
    )
    SEALED: ClassVar[tuple[str, ...]] = (
        "id", "environment_id", "flow_id", "flow_version_id", "node", "kind", "hook", "secret_id",
        "user_id", "token_id",
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"))
    flow_id: Mapped[str] = mapped_column(ForeignKey("flows.id"))
    flow_version_id: Mapped[str | None] = mapped_column(ForeignKey("flow_versions.id"))
    node: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16))
    hook: Mapped[str | None] = mapped_column(String(64))
    secret_id: Mapped[str | None] = mapped_column(Id)
    user_id: Mapped[str | None] = mapped_column(Id)
    token_id: Mapped[str | None] = mapped_column(Id)
    acts_for: Mapped[str] = mapped_column(String(254))
    next_at: Mapped[datetime | None]
    last_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(String(1000))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class ExternalUse(Base):
    """A node of a flow's draft or active version that fetches from an external secret manager.

    Kept so that “where is this secret used” has an answer for secrets that Tacit doesn't store.
    """

    __tablename__ = "external_uses"
    __table_args__ = (Index(None, "environment_id", "provider", "reference"),)

    flow_id: Mapped[str] = mapped_column(ForeignKey("flows.id"), primary_key=True)
    scope: Mapped[str] = mapped_column(String(8), primary_key=True)
    node: Mapped[str] = mapped_column(String(128), primary_key=True)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"))
    provider: Mapped[str] = mapped_column(String(64))
    reference: Mapped[str] = mapped_column(String(2048))
    version: Mapped[str] = mapped_column(String(256), default="")
