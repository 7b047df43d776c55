"""Old rows of workers put back whole: a revocation of the audit that a row doesn't know."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import Action
from app.audit.revocations import Deed, list_deeds
from app.audit.verify import Finding
from app.runs.models import Worker, WorkerKey


def find_replayed_workers(session: Session) -> Iterator[Finding]:
    """Yield a finding for each worker and worker key that is alive and was revoked."""
    workers: dict[str, Deed] = {}
    keys: dict[str, Deed] = {}
    for deed in list_deeds(session, [Action.WORKER_REVOKE]):
        # Without a key, the worker was revoked with all it had; it never gets another.
        key_id, worker_id = deed.data.get("key"), deed.data.get("worker", "")
        if key_id is None:
            workers[worker_id] = deed
        else:
            keys[key_id] = deed
    for worker_id, name in session.execute(
        select(Worker.id, Worker.name).where(Worker.revoked_at.is_(None))
    ):
        if worker_id in workers:
            yield workers[worker_id].finding(f"Worker {name} is alive and was revoked.")
    for key_id, worker_id in session.execute(
        select(WorkerKey.id, WorkerKey.worker_id).where(WorkerKey.revoked_at.is_(None))
    ):
        seen = keys.get(key_id) or workers.get(worker_id)
        if seen is not None:
            yield seen.finding(f"Worker key {key_id} is alive and was revoked.")
