"""Parts of a flow that run alone: a node with what brings it its secrets, or all before it.

Pure: shared by the server and the worker.
"""

from __future__ import annotations

from collections.abc import Collection

from app.components.ports import PortType
from app.components.registry import Registry
from app.flows.graph import Edge, Graph
from app.flows.validation import SECRET_FETCH


def part_to_check(graph: Graph, node: str) -> Graph:
    """Return a node, and the Secret Fetches that its credentials come straight from."""
    edges = tuple(
        edge
        for edge in graph.into.get(node, ())
        if graph.by_id[edge.source.node].component == SECRET_FETCH
    )
    sources = {edge.source.node for edge in edges}
    nodes = tuple(one for one in graph.nodes if one.id == node or one.id in sources)
    return Graph(nodes, edges)


def nodes_of_one(graph: Graph, node: str, registry: Registry) -> list[str]:
    """Return a node and everything that its secrets come from, in document order.

    Secrets are kept nowhere but in the vault, so what makes them runs again; plain data can be
    taken from a run before.
    """
    found, pending = {node}, [node]
    while pending:
        for edge in graph.into[pending.pop()]:
            if is_secret(graph, edge, registry) and edge.source.node not in found:
                found.add(edge.source.node)
                pending.append(edge.source.node)
    return [one.id for one in graph.nodes if one.id in found]


def nodes_up_to(graph: Graph, node: str) -> list[str]:
    """Return a node and everything that comes before it, in document order."""
    found, pending = {node}, [node]
    while pending:
        for edge in graph.into.get(pending.pop(), ()):
            if edge.source.node not in found:
                found.add(edge.source.node)
                pending.append(edge.source.node)
    return [one.id for one in graph.nodes if one.id in found]


def part_of(graph: Graph, nodes: Collection[str]) -> Graph:
    """Return some nodes, and the wires between them."""
    kept = frozenset(nodes)
    edges = tuple(
        edge for edge in graph.edges if edge.source.node in kept and edge.target.node in kept
    )
    return Graph(tuple(one for one in graph.nodes if one.id in kept), edges)


def is_secret(graph: Graph, edge: Edge, registry: Registry) -> bool:
    """Say whether a wire carries a secret."""
    node = graph.by_id[edge.target.node]
    component = registry.find(node.component, node.version)
    shape = component.shape(node.config) if component is not None else None
    port = shape.into.get(edge.target.port) if shape is not None else None
    return port is not None and port.type is PortType.SECRET


def part_of_one(graph: Graph, nodes: Collection[str], node: str, given: Collection[str]) -> Graph:
    """Return the part that a run of one node executes.

    :param nodes: as :func:`nodes_of_one` returned them.
    :param given: inputs of ``node`` whose values were given; no wire brings them.
    """
    part = part_of(graph, nodes)
    edges = tuple(
        edge for edge in part.edges
        if not (edge.target.node == node and edge.target.port in given)
    )
    return Graph(part.nodes, edges)
