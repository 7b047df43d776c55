"""The graph document: reading it, refusing what is impossible, writing it back canonically.

Pure: shared by the server and the worker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from app.components.problems import Problem
from app.components.registry import Registry, registry
from app.errors import Invalid
from app.flows.marks import NO_MARKS, Marks
from app.flows.policies import NO_POLICIES, Policies

SCHEMA: Final = 1
MAX_NODES: Final = 2_000
MAX_EDGES: Final = 20_000
MAX_BYTES: Final = 2 * 1024 * 1024
#: A document with ten thousand mistakes is answered with the first ones and their number.
MAX_PROBLEMS: Final = 200


@dataclass(frozen=True, slots=True)
class End:
    """One end of a wire: a node's id and a port's name."""

    node: str
    port: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A wire from an output to an input."""

    id: str
    source: End
    target: End


@dataclass(frozen=True, slots=True)
class Node:
    """A placed component.

    :param component: its dotted name; it may not be installed here.
    :param version: of the component that it was made with; may not run here.
    :param label: the author's name for it; may be empty.
    :param position: x and y on the canvas.
    :param config: literal settings, by field name; not validated against the component.
    :param disabled: kept in the drawing and left out of runs.
    :param policies: retries, time limit, and what a failure does to the run.
    """

    id: str
    component: str
    label: str = ""
    position: tuple[float, float] = (0, 0)
    config: Mapping[str, Any] = field(default_factory=dict)
    disabled: bool = False
    policies: Policies = NO_POLICIES
    version: int = 1


@dataclass(frozen=True)
class Graph:
    """A flow's drawing. Ids are unique and every wire's nodes exist.

    :param marks: notes and groups, which runs don't look at.
    """

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    marks: Marks = NO_MARKS

    @cached_property
    def by_id(self) -> Mapping[str, Node]:
        """The nodes by id."""
        return {node.id: node for node in self.nodes}

    @cached_property
    def into(self) -> Mapping[str, tuple[Edge, ...]]:
        """The wires that end at each node, in document order; every node is there."""
        return self._grouped(lambda edge: edge.target.node)

    @cached_property
    def out_of(self) -> Mapping[str, tuple[Edge, ...]]:
        """The wires that start at each node, in document order; every node is there."""
        return self._grouped(lambda edge: edge.source.node)

    def _grouped(self, key: Any) -> dict[str, tuple[Edge, ...]]:
        groups: dict[str, list[Edge]] = {node.id: [] for node in self.nodes}
        for edge in self.edges:
            groups[key(edge)].append(edge)
        return {node: tuple(edges) for node, edges in groups.items()}

    def to_document(self) -> dict[str, Any]:
        """Return the document of ARCHITECTURE.md, ``schema`` 1."""
        nodes: list[dict[str, Any]] = []
        for node in self.nodes:
            written: dict[str, Any] = {
                "id": node.id,
                "component": node.component,
                "label": node.label,
                "position": list(node.position),
                "config": dict(node.config),
            }
            if node.version != 1:
                written["component_version"] = node.version
            if node.disabled:
                written["disabled"] = True
            written.update(node.policies.to_document())
            nodes.append(written)
        edges = [
            {
                "id": edge.id,
                "source": {"node": edge.source.node, "port": edge.source.port},
                "target": {"node": edge.target.node, "port": edge.target.port},
            }
            for edge in self.edges
        ]
        return {"schema": SCHEMA, "nodes": nodes, "edges": edges, **self.marks.to_document()}

    def to_json(self) -> str:
        """Return the document as canonical JSON: sorted keys, no white space, UTF-8 text."""
        return canonical(self.to_document())


def canonical(document: object) -> str:
    """Write JSON in its one canonical form.

    :raises ValueError: NaN or infinity, or nesting that JSON writers can't follow.
    """
    try:
        return json.dumps(
            document,
            ensure_ascii=False,
            allow_nan=False,
            sort_keys=True,
            separators=(",", ":"),
        )
    except (RecursionError, TypeError) as error:
        raise ValueError(str(error)) from None


def parse_graph(document: object, components: Registry | None = None) -> Graph:
    """Read a graph document and refuse what is impossible, all of it at once.

    What is merely unfinished is for :func:`app.flows.validation.find_problems`.

    :param components: what is installed; the built-ins by default.
    :raises Invalid: ``graph_invalid``, with every finding in ``problems``.
    """
    # Both read this module's dataclasses; they are its two halves, kept apart for their size.
    from app.flows.documents import read_document
    from app.flows.wires import find_wire_problems

    graph, problems = read_document(document)
    if graph is not None:
        problems += find_wire_problems(graph, components or registry())
    if problems or graph is None:
        raise refuse(problems)
    return graph


def refuse(problems: list[Problem]) -> Invalid:
    """Return the refusal that carries the findings."""
    first = problems[0].message
    if len(problems) == 1:
        detail = first
    else:
        detail = f"{len(problems)} things keep this flow from being saved. The first: {first}"
    shown = [problem.to_json() for problem in problems[:MAX_PROBLEMS]]
    return Invalid("graph_invalid", detail, problems=shown)
