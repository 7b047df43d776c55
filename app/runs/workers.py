"""Workers: enrolment, their keys, and when they were last seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from app.accounts.actor import system_actor
from app.accounts.environments import DEFAULT, find_environment, get_default_environment
from app.audit import Who
from app.ids import utcnow
from app.keys.records import Reading
from app.keys.tokens import refusal, verify_token
from app.prepared import Prepared
from app.runs.enrolment import make_key
from app.runs.models import Worker, WorkerKey

LIVE_FOR = timedelta(seconds=30)
"""A worker that was seen within this time counts as there."""

_KEY, _WORKER = Reading(WorkerKey), Reading(Worker)
_SIGNER = Prepared(
    select(*_KEY.columns, *_WORKER.columns)
    .join_from(WorkerKey, Worker, Worker.id == WorkerKey.worker_id)
    .where(WorkerKey.id == bindparam("kid"))
)


def enroll_local(session: Session, name: str, environment: str = DEFAULT) -> dict[str, str]:
    """Enrol an environment's worker of this machine; returns what its key file holds.

    The private key is made here once, for ``tacit up``; it is not stored.
    """
    found = find_environment(session, environment) or get_default_environment(session)
    return make_key(session, system_actor(found.id), name)


def verify_worker_token(
    session: Session, kid: str, token: str, audience: str, *required: str
) -> tuple[Worker, Mapping[str, Any]]:
    """Check a token signed with an enrolled key; returns the worker and the claims.

    The worker has its sealed columns only (:mod:`app.keys.records`).

    :raises Unauthenticated: unknown or revoked key, another worker's name, or the token fails.
    """
    row = _SIGNER.row(session, {"kid": kid})
    if row is None:
        raise refusal("unknown_kid")
    key, worker = _KEY.get(session, row), _WORKER.get(session, row, len(_KEY))
    if key.revoked_at is not None or worker.revoked_at is not None:
        raise refusal("revoked_kid")
    claims = verify_token(token, key.public_key, audience, required)
    if claims["iss"] != key.id or claims["sub"] != worker.id:
        raise refusal("issuer")
    return worker, claims


def mark_seen(session: Session, worker: Worker, reported: Mapping[str, Any]) -> None:
    """Note that a worker is there, and what it says of itself."""
    session.execute(
        update(Worker)
        .where(Worker.id == worker.id)
        .values(last_seen_at=utcnow(), reported=dict(reported)),
        execution_options={"synchronize_session": False},
    )


def key_state(session: Session, key_id: str) -> Literal["enrolled", "revoked", "unknown"]:
    """Say what an enrolled key is worth here; a database put back may not know it."""
    key = session.get(WorkerKey, key_id)
    worker = session.get(Worker, key.worker_id) if key is not None else None
    if key is None or worker is None:
        return "unknown"
    return "revoked" if key.revoked_at or worker.revoked_at else "enrolled"


def count_live_workers(session: Session) -> int:
    """Count the workers that were seen within the last 30 seconds."""
    query = select(func.count()).select_from(Worker).where(
        Worker.last_seen_at > utcnow() - LIVE_FOR, Worker.revoked_at.is_(None)
    )
    return session.scalar(query) or 0


def describe_worker(worker: Worker, request_id: str | None, address: str | None) -> Who:
    """Describe a worker to the audit."""
    return Who("worker", worker.id, worker.name, worker.environment_id, request_id, address)
