"""Runs of one node: with inputs that were given, or that the last run left behind.

What brings the node its secrets runs along, since secrets are kept nowhere but in the vault. Plain
inputs come from what is stored of the newest run in which their source succeeded. What was masked
or shortened there is not what the node got then, so it has to be given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.freeze import refuse_frozen
from app.accounts.scopes import Scope
from app.components.binding import convert
from app.components.errors import NodeError
from app.components.ports import Port, PortType
from app.components.problems import Problem, and_more
from app.components.registry import registry
from app.errors import Invalid
from app.flows.graph import Edge, Graph, Node, parse_graph
from app.flows.inputs import check_inputs, refuse_large
from app.flows.parts import nodes_of_one
from app.flows.service import problems_of, version_to_run
from app.flows.wires import label_of
from app.runs.models import Run, RunNode
from app.runs.protection import ONE_NODE, refuse_protected
from app.runs.starting import PASSING, Start, accept, trigger_of, unfinished
from app.runs.views import RunView

KIND: Final = "node"
"""What started such a run, in its ``trigger``: with ``node``, and ``part``, the nodes that run."""

Values = dict[str, dict[str, Any]]
"""By node and input: what stands for wires from outside of the part. It is such a run's inputs."""


def start_node(
    session: Session,
    actor: Actor,
    flow_id: str,
    node: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    version: int | str | None = None,
    repeated: bool = False,
) -> RunView:
    """Accept a run of one node; the caller commits, then puts its job into the queue.

    :param inputs: values of the node's inputs by name; those left out are taken from the newest
        run in which their source succeeded. For a trigger: what the run is started with.
    :param version: as for :func:`app.runs.starting.start_run`.
    :param repeated: the inputs are those of a run before: whoever gave them was asked then.
    :raises Denied: the actor lacks ``runs:manage``, or ``runs:read`` where values are taken, or
        ``flows:manage`` where inputs are given: a given input stands in place of what the flow
        says, such as the host that a secret is sent to.
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
    part = _part(graph, node)
    given = dict(inputs or {})
    component = registry().find(graph.by_id[node].component)
    triggers = component is not None and component.category == "trigger"
    if given and not triggers and not repeated:
        actor.require(Scope.FLOWS_MANAGE)
    alone = Graph(tuple(graph.by_id[one] for one in part))
    refuse_protected(session, actor.environment_id, alone, ONE_NODE)
    blocking = [
        problem
        for problem in problems_of(session, actor, graph, flow.id)
        if problem.severity == "error" and problem.code not in PASSING and problem.node in part
        and not (problem.node == node and (problem.port or problem.field) in given)
    ]
    if blocking:
        raise unfinished(flow, blocking)
    if triggers:
        wanted: Values = {node: check_inputs(alone, given)}
    else:
        wanted = _gather(session, actor, flow.id, graph, part, node, given)
        refuse_large(wanted, "node")
    trigger = {**trigger_of(actor), "kind": KIND, "node": node, "part": part}
    return accept(session, actor, Start(flow, snapshot, graph), wanted, trigger)


def _part(graph: Graph, node: str) -> list[str]:
    require_node(graph, node)
    part = nodes_of_one(graph, node, registry())
    require_enabled(graph, part)
    return part


def require_node(graph: Graph, node: str) -> None:
    """Refuse a node that a flow doesn't have.

    :raises Invalid: ``node_missing``.
    """
    if node not in graph.by_id:
        raise Invalid("node_missing", "The flow has no node with this id.", field="node")


def require_enabled(graph: Graph, nodes: Iterable[str]) -> None:
    """Refuse to run nodes of which one is disabled.

    :raises Invalid: ``node_disabled``, naming the first.
    """
    off = next((one for one in nodes if graph.by_id[one].disabled), None)
    if off is not None:
        raise Invalid(
            "node_disabled",
            f"{label_of(graph.by_id[off], registry())} is disabled. Enable it to run it.",
            field="node",
        )


def _gather(
    session: Session,
    actor: Actor,
    flow_id: str,
    graph: Graph,
    part: Collection[str],
    node: str,
    given: Mapping[str, Any],
) -> Values:
    """Find a value for every plain input of the part that no wire within it brings.

    :raises Invalid: ``inputs_invalid``, with a problem for each input.
    """
    values: Values = {}
    problems: list[Problem] = []
    for one in part:
        label = label_of(graph.by_id[one], registry())
        drawn = graph.by_id[one]
        component = registry().find(drawn.component, drawn.version)
        ports = component.shape(drawn.config).into if component is not None else {}
        typed = given if one == node else {}
        for name in typed:
            problem = _wrong(ports.get(name), name, typed[name], label)
            if problem is not None:
                problems.append(problem.at(one))
            else:
                values.setdefault(one, {})[name] = typed[name]
        for edge in graph.into[one]:
            port = ports.get(edge.target.port)
            if (
                port is None or port.type in (PortType.SECRET, PortType.ORDER)
                or port.name in typed or edge.source.node in part
            ):
                continue
            actor.require(Scope.RUNS_READ)
            found = _last(session, flow_id, graph, edge)
            if isinstance(found, Problem):
                problems.append(found.at(one))
            elif port.multiple:
                values.setdefault(one, {}).setdefault(port.name, []).append(found[0])
            else:
                values.setdefault(one, {})[port.name] = found[0]
    if problems:
        raise Invalid(
            "inputs_invalid",
            f"The node can't run alone. {problems[0].message}{and_more(problems)}",
            field="inputs", problems=[problem.to_json() for problem in problems],
        )
    return values


def _wrong(port: Port | None, name: str, value: Any, label: str) -> Problem | None:
    """Say why a value can't be given to an input, or None where it can."""
    where = f"{label}.{name if len(name) <= 64 and name.isprintable() else name[:64] + '…'}"
    if port is None or port.type is PortType.ORDER:
        return Problem("input_unknown", "error", f"{where} is no input.", field=f"inputs.{name}")
    if port.type is PortType.SECRET:
        return Problem(
            "plain_into_secret", "error",
            f"{where} takes secrets only. Wire a Secret Fetch into it: it runs along.",
            port=name, field=f"inputs.{name}",
        )
    try:
        for each in _each(port, value):
            convert(each, port.type, where)
    except NodeError as error:
        return Problem(error.code, "error", error.message, port=name, field=f"inputs.{name}")
    return None


def _each(port: Port, value: Any) -> Iterator[Any]:
    if port.multiple and isinstance(value, list):
        yield from value
    else:
        yield value


def _last(session: Session, flow_id: str, graph: Graph, edge: Edge) -> tuple[Any] | Problem:
    """Return what a wire carried in the newest run in which its source succeeded.

    Or the problem that says why that can't be used.
    """
    source: Node = graph.by_id[edge.source.node]
    label, target = label_of(source, registry()), edge.target
    row = session.scalar(
        select(RunNode)
        .join(Run, Run.id == RunNode.run_id)
        .where(Run.flow_id == flow_id, RunNode.node == source.id, RunNode.state == "succeeded")
        .order_by(Run.id.desc())
        .limit(1)
    )
    port = edge.source.port
    where = f"{label}.{port}"
    if row is None or port not in (row.outputs or {}):
        words = f"{where} has no value of a run before. Run the whole flow, or give {target.port}."
        return Problem(
            "input_missing", "error", words, port=target.port, field=f"inputs.{target.port}"
        )
    value = (row.outputs or {})[port]
    masked = port in (row.output_masks or {})
    if masked or _is_cut(value):
        why = "held a secret, which is stored as ***" if masked else "was too long to be kept whole"
        words = f"{where} {why}. Give {target.port}, or run the whole flow."
        return Problem(
            "input_not_kept", "error", words, port=target.port, field=f"inputs.{target.port}"
        )
    return (value,)


def _is_cut(value: Any) -> bool:
    """Say whether a stored output is only the beginning of one."""
    return isinstance(value, Mapping) and set(value) == {"preview", "characters", "truncated"}
