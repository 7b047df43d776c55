"""A run's row under a lock, read and written without the ORM: for what every run asks for.

The ORM's bookkeeping of one row costs a claim and an end as much as the rest of their statements.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from app.keys.records import Reading
from app.prepared import Prepared
from app.runs.models import Run

CHANGED: Final = (
    "state", "held", "problems", "fence", "last_seq", "stored_bytes", "started_at", "finished_at",
    "deadline", "lease_expires_at",
)
"""What a worker's requests change of a run; none of it is under the seal."""

_TABLE = cast(Table, Run.__table__)
_RUN = Reading(Run, "trigger", "inputs", "cancel_requested", *CHANGED, remember=False)
_LOCK = Prepared(
    select(*_RUN.columns).where(Run.id == bindparam("run_id")).with_for_update()
)
_WRITE = Prepared(
    update(_TABLE)
    .where(_TABLE.c.id == bindparam("of"))
    .values({name: bindparam(f"new_{name}", type_=_TABLE.c[name].type) for name in CHANGED})
)


class _Locked(SimpleNamespace):
    """The columns as attributes; those that are not written back can't be set."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in CHANGED:
            raise AttributeError(f"{name} of a run is not changed here")
        super().__setattr__(name, value)


def lock_run(session: Session, run_id: str) -> Run | None:
    """Return a run whose row is locked until the transaction ends, or None.

    What is set on it is written before the commit. It is not in the session: the ORM's own
    :class:`Run` of the same row must not be asked for in this transaction. It has what workers'
    requests need; when it was made and enqueued is not among that.

    :param session: of :meth:`app.db.Database.begin`.
    :raises Tampered: the row's MAC does not hold.
    """
    row = _RUN.find(session, _LOCK, {"run_id": run_id})
    if row is None:
        return None
    run = _Locked(**vars(row))
    before = _changed(run)

    def write(session: Session) -> None:
        now = _changed(run)
        if now != before:
            _WRITE.write(session, {"of": run.id, **{f"new_{k}": v for k, v in now.items()}})

    session.info["at_commit"].append(write)
    return cast(Run, run)


def _changed(run: _Locked) -> dict[str, Any]:
    return {name: getattr(run, name) for name in CHANGED}
