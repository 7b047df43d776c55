"""What a restore does to the workers and runs that a backup remembers."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.ids import utcnow
from app.runs.enrolment import EnrolmentCode
from app.runs.events import append_own
from app.runs.models import Run, WorkerKey
from app.runs.states import TERMINAL, RunState


def end_workers(session: Session) -> int:
    """Revoke every worker's key and end enrolment codes; returns how many keys."""
    now = utcnow()
    keys = session.scalars(select(WorkerKey).where(WorkerKey.revoked_at.is_(None))).all()
    for key in keys:
        key.revoked_at = now
    for code in session.scalars(select(EnrolmentCode).where(EnrolmentCode.used_at.is_(None))):
        code.used_at = now
    return len(keys)


def end_runs(session: Session) -> int:
    """Cancel the runs that were under way when the backup was made; returns how many.

    They have long ended in the world, or would be done twice.
    """
    runs = session.scalars(select(Run).where(Run.state.not_in(TERMINAL))).all()
    for run in runs:
        run.state = RunState.CANCELLED
        run.finished_at = utcnow()
        run.lease_expires_at = None
        append_own(
            session, run, "Run cancelled: the installation was restored from a backup made while "
            "it was under way", state=RunState.CANCELLED, level="warning",
        )
    return len(runs)
