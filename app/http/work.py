"""The unit of work: one transaction a request, and denials that are audited all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.audit import AuditNote
from app.db import Database
from app.errors import TacitError
from app.http.idempotency import claim_key


@contextmanager
def unit_of_work(db: Database, actor: Actor | None, *, read: bool = False) -> Iterator[Session]:
    """Open the transaction of a request.

    It commits on leaving and rolls back on an exception. A refusal that carries an audit note is
    written in a transaction of its own, since the one of the deed is gone with the deed. A
    request's idempotency key is claimed in its first writing transaction.

    :param read: open a reading transaction: for what neither writes nor audits.
    """
    with denials_audited(db, actor), db.read() if read else db.begin() as session:
        if not read:
            claim_key(session)
        yield session


@contextmanager
def denials_audited(db: Database, actor: Actor | None) -> Iterator[None]:
    """Write the audit note of a refusal that passes through, then let it pass."""
    try:
        yield
    except TacitError as error:
        note = error.audit
        if isinstance(note, AuditNote) and actor is not None:
            # Cleared so that a second unit of work further out doesn't write it again.
            error.audit = None
            with db.begin() as session:
                audit.record_note(session, actor=actor.who(), note=note, code=error.code)
        raise
