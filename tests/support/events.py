"""Audit events that were written while something was done."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from app.audit.models import AuditEvent
from app.db import Database


class Watched:
    """What the audit has written since this was made, or since the last look."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: dict[str, int] = {}
        self.new()

    def new(self) -> Sequence[AuditEvent]:
        """Return the events since the last look, those of each chain in their order."""
        row = AuditEvent
        with self._db.read() as session:
            chains = session.execute(
                select(row.chain, func.max(row.seq)).group_by(row.chain)
            ).all()
            found: list[AuditEvent] = []
            for chain, last in chains:
                after = self._seen.get(chain, 0)
                query = select(row).where(row.chain == chain, row.seq > after)
                found += session.scalars(query.order_by(row.seq))
                self._seen[chain] = last
        return found
