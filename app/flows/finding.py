"""Flows by name, without a look at what is unfinished in them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.flows.models import Flow


@dataclass(frozen=True, slots=True)
class FlowName:
    """A flow by name."""

    id: str
    name: str
    active_version: int | None


def list_flow_names(session: Session, actor: Actor, *, limit: int = 500) -> list[FlowName]:
    """List the flows of the environment by name.

    :raises Denied: the actor lacks ``flows:read``.
    """
    actor.require(Scope.FLOWS_READ)
    rows = session.execute(
        select(Flow.id, Flow.name, Flow.active_version)
        .where(Flow.environment_id == actor.environment_id, Flow.deleted_at.is_(None))
        .order_by(Flow.name, Flow.id)
        .limit(limit)
    )
    return [FlowName(*row) for row in rows]
