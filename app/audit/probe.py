"""Trying whether an event could be written now, without leaving one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy import Connection, Engine, insert

from app.audit.models import AuditEvent
from app.ids import new_id, utcnow

PATIENCE = 1000
"""Milliseconds to wait for a lock. A value would wait longer; who asks for readiness does not."""

ROOM = 32768
"""Bytes of the trial's event: what a value's rows need, whatever room their pages have left."""


def try_audit(engine: Engine) -> None:
    """Insert an event, take it back, and commit: a lock, a full disk or a refusal shows.

    The commit writes the pages that the insert touched, so the disk is asked too.

    :raises sqlalchemy.exc.SQLAlchemyError: an event can't be written.
    """
    with engine.connect() as connection, _impatient(connection), connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"set local lock_timeout = {PATIENCE}")
        undone = connection.begin_nested()
        connection.execute(
            insert(AuditEvent),
            {
                "id": new_id(), "chain": "probe", "seq": 0, "at": utcnow(),
                "actor_kind": "system", "actor_name": "probe", "action": "probe",
                "outcome": "ok", "data": {"": "." * ROOM}, "key_id": "", "mac": b"\0" * 32,
            },
        )
        undone.rollback()


@contextmanager
def _impatient(connection: Connection) -> Iterator[None]:
    """Make SQLite wait briefly for its one writer; the transaction's begin is what waits."""
    raw = connection.connection.dbapi_connection
    if raw is None or connection.dialect.name != "sqlite":
        yield
        return
    with closing(raw.cursor()) as cursor:
        before = cursor.execute("pragma busy_timeout").fetchone()[0]
        cursor.execute(f"pragma busy_timeout={PATIENCE}")
        try:
            yield
        finally:
            cursor.execute(f"pragma busy_timeout={before}")
