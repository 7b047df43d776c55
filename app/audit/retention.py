"""Retention: old events go, and the chain stays verifiable from a sealed anchor on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.audit.actions import Action
from app.audit.events import INSTALLATION, Who, record
from app.audit.models import AuditAnchor, AuditChain, AuditEvent
from app.db import Database

BATCH = 5000


def purge_before(session: Session, who: Who, chain: str, before: datetime) -> int:
    """Purge a chain's events older than ``before``, up to 5,000; the newest event always stays.

    :returns: how many were purged.
    """
    first_kept = session.scalar(
        select(func.min(AuditEvent.seq)).where(
            AuditEvent.chain == chain, AuditEvent.at >= before
        )
    )
    newest = session.scalar(select(func.max(AuditEvent.seq)).where(AuditEvent.chain == chain))
    oldest = session.scalar(select(func.min(AuditEvent.seq)).where(AuditEvent.chain == chain))
    if newest is None or oldest is None:
        return 0
    last = min((first_kept or newest) - 1, newest - 1, oldest + BATCH - 1)
    if last < oldest:
        return 0
    link = session.scalars(
        select(AuditEvent.mac).where(AuditEvent.chain == chain, AuditEvent.seq == last)
    ).one()
    anchor = session.get(AuditAnchor, chain)
    if anchor is None:
        anchor = AuditAnchor(chain=chain)
        session.add(anchor)
    anchor.seq, anchor.mac = last, link
    session.execute(
        delete(AuditEvent).where(AuditEvent.chain == chain, AuditEvent.seq <= last)
    )
    record(
        session, actor=who, action=Action.AUDIT_PURGE, target=chain,
        data={"through": last, "before": before.isoformat()},
    )
    return last - oldest + 1


def purge_all_before(db: Database, before: datetime) -> int:
    """Purge every chain's events older than ``before``, in transactions of their own.

    :returns: how many were purged.
    """
    with db.read() as session:
        chains = session.scalars(select(AuditChain.name).order_by(AuditChain.name)).all()
    total = 0
    for chain in chains:
        environment = None if chain == INSTALLATION else chain
        who = Who("system", None, "scheduler", environment)
        purged = BATCH
        while purged == BATCH:
            with db.begin() as session:
                purged = purge_before(session, who, chain, before)
            total += purged
    return total
