"""Forgetting runs: with their events, nodes, claims and grants, when their environment says so.

In small transactions, so that nobody waits for one. The audit is never touched: what was done
stays written there for as long as TACIT_AUDIT_DAYS says.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.accounts.models import Environment
from app.db import Database
from app.flows.models import Flow, FlowVersion
from app.ids import utcnow
from app.runs.models import Notice, Run, RunClaim, RunEnded, RunEvent, RunNode
from app.runs.states import TERMINAL
from app.vault.grants import forget_grants

BATCH: Final = 100
"""Most runs of a transaction; the events of one are up to 100,000 rows."""

EVENTS: Final = 20_000
"""Most events of a transaction."""

BATCHES: Final = 50
"""Most transactions of a look, so that the scheduler's other work isn't kept waiting."""


def purge_runs(db: Database, *, batches: int = BATCHES) -> int:
    """Delete the runs that ended longer ago than their environment keeps them; returns how many."""
    count = 0
    for _ in range(batches):
        with db.begin() as session:
            found, gone = _purge_some(session)
        count += gone
        if not found:
            break
    return count


def _purge_some(session: Session) -> tuple[bool, int]:
    """Delete a batch; returns whether there was any, and how many runs are gone whole."""
    ids = _expired(session)
    if not ids:
        return False, 0
    # Events first, and no more than a transaction can bear: a run goes when its events are gone.
    events = session.execute(
        select(RunEvent.run_id, RunEvent.seq).where(RunEvent.run_id.in_(ids))
        .order_by(RunEvent.run_id, RunEvent.seq).limit(EVENTS)
    ).all()
    last: dict[str, int] = {}
    for run_id, seq in events:
        last[run_id] = seq
    for run_id, seq in last.items():
        session.execute(delete(RunEvent).where(RunEvent.run_id == run_id, RunEvent.seq <= seq))
    left = set(session.scalars(select(RunEvent.run_id).where(RunEvent.run_id.in_(ids)).distinct()))
    gone = [run_id for run_id in ids if run_id not in left]
    forget_grants(session, gone)
    for model in (RunNode, RunClaim, Notice):
        session.execute(delete(model).where(model.run_id.in_(gone)))
    drafts = set(session.scalars(select(Run.flow_version_id).where(Run.id.in_(gone))))
    session.execute(delete(Run).where(Run.id.in_(gone)))
    _forget_snapshots(session, drafts)
    return True, len(gone)


def _expired(session: Session) -> list[str]:
    found: list[str] = []
    for environment_id, days in session.execute(
        select(Environment.id, Environment.retention_days).where(Environment.retention_days > 0)
    ):
        found += session.scalars(
            select(Run.id)
            .where(
                Run.environment_id == environment_id, Run.state.in_(TERMINAL),
                Run.finished_at < utcnow() - timedelta(days=days),
            )
            .order_by(Run.id)
            .limit(BATCH - len(found))
        )
        if len(found) >= BATCH:
            break
    return found


def _forget_snapshots(session: Session, versions: set[str]) -> None:
    """Delete the snapshots of drafts that no run needs any more; activated versions stay, and
    drafts that were kept."""
    used = set(
        session.scalars(select(Run.flow_version_id).where(Run.flow_version_id.in_(versions)))
    )
    session.execute(
        delete(FlowVersion).where(
            FlowVersion.id.in_(versions - used), FlowVersion.number.is_(None),
            FlowVersion.note == "",
        )
    )


def purge_untaken(session: Session) -> None:
    """Forget the runs that were to be counted and that no runtime process took over for a day."""
    session.execute(delete(RunEnded).where(RunEnded.at < utcnow() - timedelta(days=1)))


def purge_kept_drafts(db: Database) -> int:
    """Delete the drafts that were kept longer ago than their environment keeps runs; returns how
    many. One that a run was made of goes with its last run."""
    count = 0
    with db.begin() as session:
        for environment_id, days in session.execute(
            select(Environment.id, Environment.retention_days)
            .where(Environment.retention_days > 0)
        ).all():
            ids = session.scalars(
                select(FlowVersion.id)
                .join(Flow, Flow.id == FlowVersion.flow_id)
                .where(
                    Flow.environment_id == environment_id, FlowVersion.number.is_(None),
                    FlowVersion.note != "",
                    FlowVersion.created_at < utcnow() - timedelta(days=days),
                    FlowVersion.id.not_in(select(Run.flow_version_id)),
                )
                .limit(BATCH)
            ).all()
            session.execute(delete(FlowVersion).where(FlowVersion.id.in_(ids)))
            count += len(ids)
    return count
