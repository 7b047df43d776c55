"""Tables of the runs and of the workers that execute them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id
from app.ids import new_id, utcnow
from app.keys.sealed import Sealed


class Run(Sealed, Base):
    """One execution of a flow version.

    The seal covers whom the run acts for, what it executes and what it was started with: grants
    and deeds follow from them.

    :ivar context_hash: SHA-256 of trigger and inputs, compared when the run is claimed: they can
        be long, and the seal is checked with every heartbeat. None in rows older than this column.
    :ivar fired: of a schedule: which time it is for, ``TRIGGER:TIME``; one run for each.
    :ivar held: it waits for a place under a limit, not for a worker: no job is in the queue.
    :ivar fence: number of the newest claim; 0 before the first.
    :ivar last_seq: the newest event's sequence number.
    :ivar stored_bytes: how much its worker's events take.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(None, "environment_id", "id"),
        Index(None, "flow_id", "id"),
        Index(None, "state", "lease_expires_at"),
    )
    SEALED: ClassVar[tuple[str, ...]] = (
        "id", "environment_id", "flow_id", "flow_version_id", "user_id", "token_id",
    )
    SEALED_ONCE_SET: ClassVar[tuple[str, ...]] = ("context_hash",)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"))
    flow_id: Mapped[str] = mapped_column(ForeignKey("flows.id"))
    flow_version_id: Mapped[str] = mapped_column(ForeignKey("flow_versions.id"))
    user_id: Mapped[str | None] = mapped_column(Id)
    token_id: Mapped[str | None] = mapped_column(Id)
    trigger: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]]
    context_hash: Mapped[str | None] = mapped_column(String(64), default=None)
    fired: Mapped[str | None] = mapped_column(String(80), unique=True, default=None)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    held: Mapped[bool] = mapped_column(default=False)
    problems: Mapped[list[Any]] = mapped_column(default=list)
    fence: Mapped[int] = mapped_column(default=0)
    last_seq: Mapped[int] = mapped_column(default=0)
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    enqueued_at: Mapped[datetime] = mapped_column(default=utcnow)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    deadline: Mapped[datetime | None]
    lease_expires_at: Mapped[datetime | None]


class RunClaim(Sealed, Base):
    """A worker's claim of a run, with the public key that was made for it.

    :ivar worker_key_id: the enrolled key that signed the ticket; revoked, it takes the claim along.
    """

    __tablename__ = "run_claims"
    __table_args__ = (UniqueConstraint("kid"),)
    SEALED: ClassVar[tuple[str, ...]] = (
        "run_id", "number", "kid", "public_key", "worker_id", "worker_key_id",
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kid: Mapped[str] = mapped_column(Id)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"))
    worker_key_id: Mapped[str] = mapped_column(ForeignKey("worker_keys.id"))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class RunNode(Base):
    """What became of a node; nodes without a row have not begun.

    :ivar output_masks: by output: which secret stands where in it, as the worker's event says.
    """

    __tablename__ = "run_nodes"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    node: Mapped[str] = mapped_column(String(128), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(default=1)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    outputs: Mapped[dict[str, Any] | None]
    output_masks: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]


class RunEvent(Base):
    """Something that happened; its text was masked before it came here."""

    __tablename__ = "run_events"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    node: Mapped[str | None] = mapped_column(String(128))
    attempt: Mapped[int] = mapped_column(default=1)
    type: Mapped[str] = mapped_column(String(16))
    level: Mapped[str] = mapped_column(String(16))
    text: Mapped[str]
    data: Mapped[dict[str, Any]]
    masks: Mapped[list[Any]]


class Worker(Sealed, Base):
    """An enrolled worker. Who it is, is sealed; when it was last seen, is not."""

    __tablename__ = "workers"
    SEALED: ClassVar[tuple[str, ...]] = ("id", "environment_id", "name", "revoked_at")

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"))
    name: Mapped[str] = mapped_column(String(100))
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    last_seen_at: Mapped[datetime | None]
    reported: Mapped[dict[str, Any]] = mapped_column(default=dict)


class WorkerKey(Sealed, Base):
    """A worker's enrolled Ed25519 public key."""

    __tablename__ = "worker_keys"
    SEALED: ClassVar[tuple[str, ...]] = ("id", "worker_id", "public_key", "revoked_at")

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"), index=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class HookAttempt(Base):
    """A delivery to a webhook's address that was not, or not yet, found to be signed.

    Written before anything is decrypted, for addresses that are none too: both answer alike.
    """

    __tablename__ = "hook_attempts"
    __table_args__ = (Index(None, "hook", "at"), Index(None, "address", "at"))

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    hook: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=utcnow)


class HookDelivery(Base):
    """A signed delivery that was taken; kept for the replay window, so that it is taken once."""

    __tablename__ = "hook_deliveries"

    trigger_id: Mapped[str] = mapped_column(Id, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str] = mapped_column(Id)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Notice(Base):
    """Somebody to be told that a run failed.

    :ivar kind: ``webhook`` or ``email``.
    :ivar next_at: when it is tried (again); None once it was sent or given up.
    """

    __tablename__ = "notices"
    __table_args__ = (Index(None, "next_at"), Index(None, "flow_id", "created_at"))

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    run_id: Mapped[str] = mapped_column(Id)
    flow_id: Mapped[str] = mapped_column(Id)
    environment_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(8))
    target: Mapped[str] = mapped_column(String(2000))
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class RunEnded(Base):
    """A run that the scheduler ended, for a process of the runtime to count and trace, once."""

    __tablename__ = "runs_ended"

    run_id: Mapped[str] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utcnow)
