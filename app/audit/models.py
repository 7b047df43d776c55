"""Tables of the audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id
from app.keys.sealed import Sealed


class AuditEvent(Base):
    """One event; ``mac`` links it to the one before it in its chain."""

    __tablename__ = "audit_events"
    __table_args__ = (
        UniqueConstraint("chain", "seq"),
        Index(None, "environment_id", "at"),
        Index(None, "secret_id", "at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    chain: Mapped[str] = mapped_column(String(36))
    seq: Mapped[int]
    at: Mapped[datetime]
    environment_id: Mapped[str | None] = mapped_column(Id)
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_id: Mapped[str | None] = mapped_column(Id)
    actor_name: Mapped[str] = mapped_column(String(254))
    action: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[str] = mapped_column(String(16))
    secret_id: Mapped[str | None] = mapped_column(Id)
    flow_id: Mapped[str | None] = mapped_column(Id)
    run_id: Mapped[str | None] = mapped_column(Id)
    node: Mapped[str | None] = mapped_column(String(128))
    target: Mapped[str | None] = mapped_column(String(254))
    request_id: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
    data: Mapped[dict[str, Any]]
    key_id: Mapped[str] = mapped_column(String(16))
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditChain(Base):
    """The head of a chain: one an environment, and one for the installation."""

    __tablename__ = "audit_chains"

    name: Mapped[str] = mapped_column(String(36), primary_key=True)
    seq: Mapped[int]
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    key_id: Mapped[str] = mapped_column(String(16))


class AuditAnchor(Sealed, Base):
    """Where a chain begins after old events were purged: the last purged one's link."""

    __tablename__ = "audit_anchors"
    SEALED: ClassVar[tuple[str, ...]] = ("chain", "seq", "mac")

    chain: Mapped[str] = mapped_column(String(36), primary_key=True)
    seq: Mapped[int]
    mac: Mapped[bytes] = mapped_column(LargeBinary(32))
