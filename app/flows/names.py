"""Names of flows, for those who choose among them: no graphs, no problems."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.flows.models import Flow


def list_flow_names(
    session: Session, actor: Actor, *, among: Collection[str] | None = None, limit: int = 200
) -> dict[str, str]:
    """Return the names of the environment's flows by id, in the order of the names.

    :param among: only the flows with these ids; None takes all.
    :raises Denied: the actor lacks ``flows:read``.
    """
    actor.require(Scope.FLOWS_READ)
    query = select(Flow.id, Flow.name).where(
        Flow.environment_id == actor.environment_id, Flow.deleted_at.is_(None)
    )
    if among is not None:
        query = query.where(Flow.id.in_(among))
    rows = session.execute(query.order_by(Flow.name).limit(limit))
    return {row.id: row.name for row in rows}
