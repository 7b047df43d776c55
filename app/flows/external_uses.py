"""Where secrets of external managers are used."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.components.registry import registry
from app.flows.graph import Graph
from app.flows.models import ExternalUse, Flow
from app.flows.validation import external_references

MOST = 2000


@dataclass(frozen=True, slots=True)
class UseView:
    """A node that fetches an external secret. ``scope`` is draft or active."""

    provider: str
    reference: str
    version: str
    flow_id: str
    flow_name: str
    scope: str
    node: str


def note_external_uses(session: Session, flow: Flow, graph: Graph, scope: str) -> None:
    """Replace what is known of a flow's draft or active version."""
    forget_external_uses(session, flow.id, scope)
    session.add_all(
        ExternalUse(
            flow_id=flow.id, scope=scope, node=found.node, environment_id=flow.environment_id,
            provider=found.provider, reference=found.reference[:2048],
            version=found.version[:256],
        )
        for found in external_references(graph, registry())
    )


def forget_external_uses(session: Session, flow_id: str, scope: str | None = None) -> None:
    """Forget a flow's uses: of its draft, of its active version, or (None) of both."""
    query = delete(ExternalUse).where(ExternalUse.flow_id == flow_id)
    session.execute(query if scope is None else query.where(ExternalUse.scope == scope))


def list_external_uses(
    session: Session, actor: Actor, *, provider: str | None = None, reference: str | None = None
) -> list[UseView]:
    """List which nodes use which external secrets, by provider and reference.

    :raises Denied: the actor lacks ``flows:read``.
    """
    actor.require(Scope.FLOWS_READ)
    query = (
        select(ExternalUse, Flow.name)
        .join(Flow, Flow.id == ExternalUse.flow_id)
        .where(ExternalUse.environment_id == actor.environment_id, Flow.deleted_at.is_(None))
    )
    if provider:
        query = query.where(ExternalUse.provider == provider)
    if reference:
        query = query.where(ExternalUse.reference == reference)
    order = (
        ExternalUse.provider, ExternalUse.reference, Flow.name, ExternalUse.scope, ExternalUse.node,
    )
    return [
        UseView(
            use.provider, use.reference, use.version, use.flow_id, name, use.scope, use.node
        )
        for use, name in session.execute(query.order_by(*order).limit(MOST))
    ]
