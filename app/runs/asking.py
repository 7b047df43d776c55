"""What a run of a flow would ask for, for the forms that start one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.components.builtins.trigger_manual import RunInput
from app.flows.graph import parse_graph
from app.flows.inputs import declared_inputs
from app.flows.service import version_to_check


@dataclass(frozen=True, slots=True)
class Asked:
    """A flow that is about to run, and what its Manual Triggers ask for.

    :ivar active: whether its active version runs, else its draft.
    """

    flow_id: str
    flow_name: str
    active: bool
    inputs: list[RunInput]


def ask(
    session: Session, actor: Actor, flow_id: str, version: int | str | None = None
) -> Asked:
    """Return what a run of a flow asks for.

    :raises Denied: the actor lacks ``runs:manage``.
    :raises NotFound: there is no such flow or version here.
    """
    actor.require(Scope.RUNS_MANAGE)
    flow, document, bindings = version_to_check(session, actor, flow_id, version)
    graph: dict[str, Any] = document
    return Asked(flow.id, flow.name, bindings is not None, declared_inputs(parse_graph(graph)))
