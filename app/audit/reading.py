"""Reading the audit. Who may is decided above: this room knows nothing of scopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.models import AuditEvent
from app.errors import Invalid
from app.paging import Page, check_limit, decode_cursor, encode_cursor


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as readers see it."""

    seq: int
    at: datetime
    actor_kind: str
    actor_name: str
    action: str
    outcome: str
    secret_id: str | None
    flow_id: str | None
    run_id: str | None
    node: str | None
    target: str | None
    request_id: str | None
    address: str | None
    data: Mapping[str, Any]


def list_events(
    session: Session,
    environment_id: str,
    *,
    secret_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[EventView]:
    """List the events of an environment's chain, newest first.

    :param secret_id: those of one secret only.
    :raises Invalid: the cursor or limit can't be taken.
    """
    check_limit(limit)
    query = select(AuditEvent).where(AuditEvent.chain == environment_id)
    if secret_id is not None:
        query = query.where(AuditEvent.secret_id == secret_id)
    if cursor:
        query = query.where(AuditEvent.seq < _position(cursor))
    rows = list(session.scalars(query.order_by(AuditEvent.seq.desc()).limit(limit + 1)))
    following = encode_cursor(str(rows[limit - 1].seq)) if len(rows) > limit else None
    return Page([_view(row) for row in rows[:limit]], following)


def _position(cursor: str) -> int:
    (text,) = decode_cursor(cursor, 1)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid(
            "cursor_invalid",
            "This cursor is not one that this list gave out. Start again without it.",
            field="cursor",
        )
    return int(text)


def _view(row: AuditEvent) -> EventView:
    return EventView(
        seq=row.seq,
        at=row.at,
        actor_kind=row.actor_kind,
        actor_name=row.actor_name,
        action=row.action,
        outcome=row.outcome,
        secret_id=row.secret_id,
        flow_id=row.flow_id,
        run_id=row.run_id,
        node=row.node,
        target=row.target,
        request_id=row.request_id,
        address=row.address,
        data=row.data,
    )
