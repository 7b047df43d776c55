"""What the audit saw taken back, for rooms that look whether an old row was put back since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.actions import Action
from app.audit.models import AuditEvent
from app.audit.verify import Finding


@dataclass(frozen=True, slots=True)
class Deed:
    """A change that was done, as the audit keeps it."""

    chain: str
    seq: int
    action: str
    target: str | None
    secret_id: str | None
    data: dict[str, Any]

    def finding(self, what: str) -> Finding:
        """Say that an old row was put back, beside the event that contradicts it.

        :param what: what the row says, and what the audit saw, as a sentence.
        """
        return Finding(self.chain, self.seq, "replayed", f"{what} An old row was put back.")


def list_deeds(session: Session, actions: Iterable[Action]) -> Iterator[Deed]:
    """Yield what was done of the given actions, oldest first."""
    row = AuditEvent
    found = session.execute(
        select(row.chain, row.seq, row.action, row.target, row.secret_id, row.data)
        .where(row.action.in_(tuple(actions)), row.outcome == "ok")
        .order_by(row.at, row.chain, row.seq)
        .execution_options(yield_per=1000)
    )
    for columns in found:
        yield Deed(*columns)
