"""Finding a run's row for a service."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.errors import NotFound
from app.ids import is_id
from app.runs.models import Run


def get_row(session: Session, actor: Actor, run_id: str, *, for_update: bool = False) -> Run:
    """Return a run of the actor's environment.

    :raises NotFound: there is none; what another environment holds answers the same.
    """
    query = select(Run).where(Run.id == run_id, Run.environment_id == actor.environment_id)
    if for_update:
        query = query.with_for_update()
    run = session.scalar(query) if is_id(run_id) else None
    if run is None:
        raise NotFound("run_not_found", "There is no such run in this environment.")
    return run
