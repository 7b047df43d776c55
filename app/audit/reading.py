"""Reading the audit: filtered pages, and the export as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.audit.actions import Action
from app.audit.events import INSTALLATION, Who, chained_fields, record
from app.audit.models import AuditChain, AuditEvent
from app.paging import Page, check_limit, decode_number, encode_cursor


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events to show; None shows all."""

    action: str | None = None
    outcome: str | None = None
    actor: str | None = None
    secret_id: str | None = None
    flow_id: str | None = None
    run_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def count_events(session: Session) -> dict[str, int]:
    """Return how many events each chain has had written, purged ones too, by the chain's name."""
    rows = session.execute(select(AuditChain.name, AuditChain.seq).order_by(AuditChain.name))
    return dict(list(rows))


def list_events(
    session: Session,
    reader: Who,
    wanted: AuditFilter,
    *,
    installation: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[AuditEvent]:
    """List events of the reader's environment, newest first. The caller has authorised it.

    :param installation: list the installation's own events (logins, keys) instead.
    :raises Invalid: the cursor or limit can't be taken.
    """
    check_limit(limit)
    chain = INSTALLATION if installation else reader.environment_id
    query = select(AuditEvent).where(AuditEvent.chain == chain)
    for column, value in (
        (AuditEvent.action, wanted.action),
        (AuditEvent.outcome, wanted.outcome),
        (AuditEvent.actor_name, wanted.actor),
        (AuditEvent.secret_id, wanted.secret_id),
        (AuditEvent.flow_id, wanted.flow_id),
        (AuditEvent.run_id, wanted.run_id),
    ):
        if value:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(AuditEvent.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEvent.at < wanted.until)
    if cursor:
        query = query.where(AuditEvent.seq < decode_number(cursor))
    rows = list(session.scalars(query.order_by(AuditEvent.seq.desc()).limit(limit + 1)))
    following = encode_cursor(str(rows[limit - 1].seq)) if len(rows) > limit else None
    return Page(rows[:limit], following)


def access_timeline(session: Session, secret_id: str, limit: int = 50) -> list[AuditEvent]:
    """Return the newest accesses to a secret's values: grants, uses, reveals and denials."""
    return list(session.scalars(_accesses(secret_id).limit(limit)))


def page_accesses(
    session: Session, secret_id: str, *, cursor: str | None = None, limit: int = 50
) -> Page[AuditEvent]:
    """Return a page of what :func:`access_timeline` returns. The caller has authorised it.

    :raises Invalid: the cursor or limit can't be taken.
    """
    check_limit(limit)
    query = _accesses(secret_id)
    if cursor:
        query = query.where(AuditEvent.seq < decode_number(cursor))
    rows = list(session.scalars(query.limit(limit + 1)))
    following = encode_cursor(str(rows[limit - 1].seq)) if len(rows) > limit else None
    return Page(rows[:limit], following)


def _accesses(secret_id: str) -> Select[AuditEvent]:
    # A secret's events are all in the chain of its environment, so their numbers order them.
    actions = (Action.SECRET_GRANT, Action.SECRET_USE, Action.SECRET_REVEAL, Action.WORKER_DENY)
    return (
        select(AuditEvent)
        .where(AuditEvent.secret_id == secret_id, AuditEvent.action.in_(actions))
        .order_by(AuditEvent.seq.desc())
    )


def export_events(session: Session, reader: Who, chain: str | None) -> Iterator[dict[str, Any]]:
    """Yield the events of one chain (None: of all) in order, as they are chained, with links.

    :param reader: who exports; the export is audited in this transaction.
    """
    record(session, actor=reader, action=Action.AUDIT_EXPORT, target=chain)
    query = select(AuditEvent).order_by(AuditEvent.chain, AuditEvent.seq)
    if chain is not None:
        query = query.where(AuditEvent.chain == chain)
    for event in session.scalars(query.execution_options(yield_per=500)):
        yield {**as_fields(event), "mac": event.mac.hex()}


def as_fields(event: AuditEvent) -> dict[str, Any]:
    """Return what an event's link covers."""
    columns = AuditEvent.__table__.columns
    return chained_fields({column.name: getattr(event, column.name) for column in columns})
