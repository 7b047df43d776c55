"""Enrolling workers: one-time codes, more than one key at a time, revocation."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import audit
from app.accounts.actor import Actor, system_actor
from app.accounts.fresh import require_fresh
from app.accounts.scopes import Scope
from app.audit import Action
from app.db import Base, Id
from app.errors import Invalid, NotFound
from app.ids import new_id, utcnow
from app.keys.sealed import Sealed
from app.keys.tokens import new_signing_key
from app.runs.models import Worker, WorkerKey

CODE_LIFETIME = timedelta(hours=1)
_PREFIX = "tcw_"


class EnrolmentCode(Sealed, Base):
    """A one-time code that lets a worker hand in its public key; kept as its SHA-256."""

    __tablename__ = "enrolment_codes"
    SEALED: ClassVar[tuple[str, ...]] = ("id", "worker_id", "code_hash", "expires_at", "used_at")

    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id"))
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def make_code(session: Session, actor: Actor, name: str) -> str:
    """Name a worker of the actor's environment and make a one-time code for its key.

    A worker with that name gets another key: the old one goes on until it is revoked.

    :returns: the code, good for one hour; shown once.
    :raises Denied: the actor lacks ``workers:manage``, or is a session whose password was typed
        too long ago (``reauthentication_required``).
    :raises Invalid: ``worker_name_invalid``.
    """
    worker = _named(session, actor, name)
    code = _PREFIX + secrets.token_urlsafe(24)
    session.add(
        EnrolmentCode(
            worker_id=worker.id, code_hash=_digest(code), expires_at=utcnow() + CODE_LIFETIME,
            used_at=None,
        )
    )
    audit.record(
        session, actor=actor.who(), action=Action.WORKER_CODE, target=name,
        data={"worker": worker.id},
    )
    return code


def make_key(session: Session, actor: Actor, name: str) -> dict[str, str]:
    """Enrol a worker at once; returns what its key file holds. The key is not stored.

    :raises Denied: the actor lacks ``workers:manage``.
    :raises Invalid: ``worker_name_invalid``.
    """
    worker = _named(session, actor, name)
    private, public = new_signing_key()
    key = _add_key(session, actor, worker, public)
    return {"worker_id": worker.id, "key_id": key.id, "name": worker.name, "private_key": private}


def redeem_code(session: Session, code: object, public_key: bytes) -> tuple[Worker, WorkerKey]:
    """Take a worker's public key for a code.

    :raises NotFound: ``enrolment_code_invalid``: used, expired, or never was.
    """
    row = None
    if isinstance(code, str) and code.startswith(_PREFIX):
        row = session.scalar(
            select(EnrolmentCode).where(EnrolmentCode.code_hash == _digest(code)).with_for_update()
        )
    worker = session.get(Worker, row.worker_id) if row is not None else None
    if (
        row is None
        or worker is None
        or worker.revoked_at is not None
        or row.used_at is not None
        or row.expires_at <= utcnow()
    ):
        raise NotFound(
            "enrolment_code_invalid",
            "This enrolment code was used, has expired or is not from this installation. Make a "
            "new one with “tacit worker enroll”.",
        )
    row.used_at = utcnow()
    actor = system_actor(worker.environment_id, "enrolment")
    return worker, _add_key(session, actor, worker, public_key)


def list_workers(session: Session, actor: Actor) -> list[tuple[Worker, list[WorkerKey]]]:
    """List the environment's workers with their keys, revoked ones too.

    :raises Denied: the actor lacks ``workers:manage``.
    """
    actor.require(Scope.WORKERS_MANAGE)
    workers = list(
        session.scalars(
            select(Worker)
            .where(Worker.environment_id == actor.environment_id)
            .order_by(Worker.name, Worker.id)
        )
    )
    keys: dict[str, list[WorkerKey]] = {worker.id: [] for worker in workers}
    for key in session.scalars(select(WorkerKey).where(WorkerKey.worker_id.in_(keys))):
        keys[key.worker_id].append(key)
    return [(worker, keys[worker.id]) for worker in workers]


def revoke_worker(session: Session, actor: Actor, worker_id: str) -> Worker:
    """Revoke a worker with all its keys: its claims and values are refused from now on.

    :raises Denied: the actor lacks ``workers:manage``.
    :raises NotFound: there is no such worker in this environment.
    """
    actor.require(Scope.WORKERS_MANAGE)
    worker = session.scalar(
        select(Worker).where(
            Worker.id == worker_id, Worker.environment_id == actor.environment_id
        )
    )
    if worker is None:
        raise NotFound("worker_not_found", "There is no such worker in this environment.")
    now = utcnow()
    worker.revoked_at = worker.revoked_at or now
    for key in session.scalars(select(WorkerKey).where(WorkerKey.worker_id == worker.id)):
        key.revoked_at = key.revoked_at or now
    audit.record(
        session, actor=actor.who(), action=Action.WORKER_REVOKE, target=worker.name,
        data={"worker": worker.id},
    )
    return worker


def revoke_key(session: Session, actor: Actor, key_id: str) -> None:
    """Revoke one key of a worker; runs that were claimed with it get nothing any more.

    :raises Denied: the actor lacks ``workers:manage``.
    :raises NotFound: there is no such key in this environment.
    """
    actor.require(Scope.WORKERS_MANAGE)
    key = session.scalar(
        select(WorkerKey)
        .join(Worker, Worker.id == WorkerKey.worker_id)
        .where(WorkerKey.id == key_id, Worker.environment_id == actor.environment_id)
    )
    if key is None:
        raise NotFound("worker_key_not_found", "There is no such worker key in this environment.")
    key.revoked_at = key.revoked_at or utcnow()
    audit.record(
        session, actor=actor.who(), action=Action.WORKER_REVOKE, target=key.id,
        data={"worker": key.worker_id, "key": key.id},
    )


def _named(session: Session, actor: Actor, name: str) -> Worker:
    actor.require(Scope.WORKERS_MANAGE)
    require_fresh(actor, "Enrolling a worker")
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise Invalid(
            "worker_name_invalid", "A worker's name has 1 to 100 printable characters.",
            field="name",
        )
    worker = session.scalar(
        select(Worker).where(
            Worker.environment_id == actor.environment_id, Worker.name == name,
            Worker.revoked_at.is_(None),
        )
    )
    if worker is None:
        worker = Worker(
            environment_id=actor.environment_id, name=name, revoked_at=None, last_seen_at=None
        )
        session.add(worker)
        session.flush()
    return worker


def _add_key(session: Session, actor: Actor, worker: Worker, public_key: bytes) -> WorkerKey:
    key = WorkerKey(worker_id=worker.id, public_key=public_key, revoked_at=None)
    session.add(key)
    session.flush()
    audit.record(
        session, actor=actor.who(), action=Action.WORKER_ENROLL, target=worker.name,
        data={"worker": worker.id, "key": key.id},
    )
    return key


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
