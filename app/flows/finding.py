"""Flows found without a look at what is unfinished in them: names, and uses of a secret."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.flows.graph import parse_graph
from app.flows.models import Flow
from app.flows.validation import secret_references
from app.paging import like_pattern


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


def find_flows_naming(
    session: Session, actor: Actor, secret_name: str, *, limit: int = 50
) -> list[FlowName]:
    """Find the flows whose draft fetches the secret of that name.

    :raises Denied: the actor lacks ``flows:read``.
    """
    actor.require(Scope.FLOWS_READ)
    # The stored text narrows it down; the graph decides, since a name may stand elsewhere too.
    pattern = like_pattern(json.dumps(secret_name))
    rows = session.scalars(
        select(Flow)
        .where(
            Flow.environment_id == actor.environment_id,
            Flow.deleted_at.is_(None),
            cast(Flow.graph, String).like(pattern, escape="\\"),
        )
        .order_by(Flow.name, Flow.id)
        .limit(limit)
    )
    return [
        FlowName(row.id, row.name, row.active_version)
        for row in rows
        if any(one.name == secret_name for one in secret_references(parse_graph(row.graph)))
    ]
