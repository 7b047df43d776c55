"""Runs up to a node: it, and everything that comes before it in the flow.

Nothing is taken from runs before, so that what the node gets is what a whole run would bring it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.freeze import refuse_frozen
from app.accounts.scopes import Scope
from app.flows.graph import parse_graph
from app.flows.inputs import check_inputs
from app.flows.parts import nodes_up_to, part_of
from app.flows.service import problems_of, version_to_run
from app.runs.protection import PART, refuse_protected
from app.runs.single import require_enabled, require_node
from app.runs.starting import PASSING, Start, accept, trigger_of, unfinished
from app.runs.views import RunView

KIND: Final = "to"
"""What started such a run, in its ``trigger``: with ``node``, and ``part``, the nodes that run."""


def start_to(
    session: Session,
    actor: Actor,
    flow_id: str,
    node: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    version: int | str | None = None,
) -> RunView:
    """Accept a run of a flow up to a node; the caller commits, then puts its job into the queue.

    :param node: the last node that runs.
    :param inputs: what the Manual Triggers before the node ask for, by name.
    :param version: as for :func:`app.runs.starting.start_run`.
    :raises Denied: the actor lacks ``runs:manage``.
    :raises NotFound: there is no such flow or version here.
    :raises Invalid: ``node_missing``, ``node_disabled``; ``flow_has_problems`` with those of the
        nodes that would run; ``inputs_invalid`` with a problem for each input, or
        ``inputs_too_large``.
    :raises Locked: ``frozen``; ``environment_protected`` where it would use a secret.
    """
    actor.require(Scope.RUNS_MANAGE)
    refuse_frozen(session, actor.environment_id)
    flow, snapshot = version_to_run(session, actor, flow_id, version)
    graph = parse_graph(snapshot.graph)
    require_node(graph, node)
    require_enabled(graph, [node])
    names = nodes_up_to(graph, node)
    part = part_of(graph, names)
    refuse_protected(session, actor.environment_id, part, PART)
    blocking = [
        problem
        for problem in problems_of(session, actor, graph, flow.id)
        if problem.severity == "error" and problem.code not in PASSING and problem.node in names
    ]
    if blocking:
        raise unfinished(flow, blocking)
    trigger = {**trigger_of(actor), "kind": KIND, "node": node, "part": names}
    given = check_inputs(part, inputs or {})
    return accept(session, actor, Start(flow, snapshot, graph), given, trigger)
