"""Flows by name, for lists and choices: no graphs, no look at what is unfinished in them."""

from __future__ import annotations

from collections.abc import Collection
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


def list_flow_names(
    session: Session, actor: Actor, *, among: Collection[str] | None = None, limit: int = 200
) -> list[FlowName]:
    """List the environment's flows by name.

    :param among: only the flows with these ids; None takes all.
    :raises Denied: the actor lacks ``flows:read``.
    """
    actor.require(Scope.FLOWS_READ)
    query = select(Flow.id, Flow.name, Flow.active_version).where(
        Flow.environment_id == actor.environment_id, Flow.deleted_at.is_(None)
    )
    if among is not None:
        query = query.where(Flow.id.in_(among))
    rows = session.execute(query.order_by(Flow.name, Flow.id).limit(limit))
    return [FlowName(*row) for row in rows]


def map_flow_names(
    session: Session, actor: Actor, *, among: Collection[str] | None = None, limit: int = 200
) -> dict[str, str]:
    """Return the same flows' names by their ids; takes and raises what the list does."""
    found = list_flow_names(session, actor, among=among, limit=limit)
    return {flow.id: flow.name for flow in found}
