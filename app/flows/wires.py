"""What no wire may do: end at a port that isn't there, break the type table, run in a circle."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from app.components.ports import DONE, START, Port, check_edge
from app.components.problems import Problem, Remedy
from app.components.registry import Registry

if TYPE_CHECKING:
    from app.flows.graph import Edge, Graph, Node


def label_of(node: Node, registry: Registry) -> str:
    """Return what messages call the node: its label, else its component's title."""
    if node.label.strip():
        return node.label
    component = registry.find(node.component)
    return component.title if component else node.component


def find_wire_problems(graph: Graph, registry: Registry) -> list[Problem]:
    """Check every wire; one pass over nodes and edges.

    Ports of a component that isn't installed can't be checked and are let through.
    """
    problems: list[Problem] = []
    taken: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        source = graph.by_id[edge.source.node]
        target = graph.by_id[edge.target.node]
        out = _output(registry, source, edge.source.port)
        into = _input(registry, target, edge.target.port)
        if out is False:
            problems.append(_no_port(edge, source, edge.source.port, "output", registry))
        if into is False:
            problems.append(_no_port(edge, target, edge.target.port, "input", registry))
        if isinstance(into, Port) and not into.multiple:
            first = taken.setdefault((target.id, into.name), edge)
            if first is not edge:
                problems.append(_taken(edge, first, graph, registry))
        if isinstance(out, Port) and isinstance(into, Port):
            found = check_edge(
                source.id,
                label_of(source, registry),
                out,
                target.id,
                label_of(target, registry),
                into,
                edge=edge.id,
            )
            if found is not None:
                problems.append(found)
    problems += _cycles(graph, registry)
    return problems


def _output(registry: Registry, node: Node, name: str) -> Port | bool | None:
    """Return the port; None where it can't be known; False where it isn't there."""
    component = registry.find(node.component, node.version)
    if component is None:
        return DONE if name == DONE.name else None
    return component.shape(node.config).out_of.get(name, False)


def _input(registry: Registry, node: Node, name: str) -> Port | bool | None:
    component = registry.find(node.component, node.version)
    if component is None:
        return START if name == START.name else None
    return component.shape(node.config).into.get(name, False)


def _no_port(edge: Edge, node: Node, port: str, side: str, registry: Registry) -> Problem:
    # A port can only be missed in a component that is known.
    component = registry.find(node.component, node.version) or registry.get(node.component)
    shape = component.shape(node.config)
    names = ", ".join(shape.out_of if side == "output" else shape.into)
    return Problem(
        "port_missing",
        "error",
        f"{label_of(node, registry)} has no {side} {port}. Its {side}s are {names}.",
        node=node.id,
        port=port,
        edge=edge.id,
        remedy=Remedy("remove_edge", "Remove the wire", {"edge": edge.id}),
    )


def _taken(edge: Edge, first: Edge, graph: Graph, registry: Registry) -> Problem:
    target = label_of(graph.by_id[edge.target.node], registry)
    source = label_of(graph.by_id[first.source.node], registry)
    return Problem(
        "input_taken",
        "error",
        f"{target}.{edge.target.port} takes one wire and has one from "
        f"{source}.{first.source.port}. Remove one of the two.",
        node=edge.target.node,
        port=edge.target.port,
        edge=edge.id,
        remedy=Remedy("remove_edge", "Remove the wire", {"edge": edge.id}),
    )


def _cycles(graph: Graph, registry: Registry) -> list[Problem]:
    """Name one circle for each knot of nodes that wait for each other."""
    waiting = {node.id: len(graph.into[node.id]) for node in graph.nodes}
    ready = deque(node for node, count in waiting.items() if not count)
    while ready:
        node = ready.popleft()
        del waiting[node]
        for edge in graph.out_of[node]:
            if edge.target.node in waiting:
                waiting[edge.target.node] -= 1
                if not waiting[edge.target.node]:
                    ready.append(edge.target.node)
    # Whatever is left waits, itself or through a source, on a circle: walking backwards along
    # the wires has to come round. A node that was walked over once isn't walked again.
    problems: list[Problem] = []
    walked: dict[str, int] = {}
    for number, start in enumerate(waiting):
        path: list[Edge] = []
        node = start
        while node not in walked:
            walked[node] = number
            path.append(next(edge for edge in graph.into[node] if edge.source.node in waiting))
            node = path[-1].source.node
        if walked[node] == number:
            at = next(index for index, edge in enumerate(path) if edge.target.node == node)
            problems.append(_cycle(path[at:][::-1], graph, registry))
    return problems


def _cycle(circle: list[Edge], graph: Graph, registry: Registry) -> Problem:
    """Describe a circle, given its wires in the direction of the flow."""
    names = [label_of(graph.by_id[edge.source.node], registry) for edge in circle]
    if len(names) > 8:
        names = [*names[:4], "…", *names[-3:]]
    last = circle[-1]
    return Problem(
        "cycle",
        "error",
        f"These nodes wait for each other: {' → '.join([*names, names[0]])}. "
        "Remove one of the wires between them.",
        node=last.target.node,
        port=last.target.port,
        edge=last.id,
        remedy=Remedy("remove_edge", "Remove the wire", {"edge": last.id}),
    )
