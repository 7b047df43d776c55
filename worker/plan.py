"""What a run has to do: its nodes, what each waits for, and what waits for it.

Made once from the graph, in one look at each node and each wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.components.declaration import Component
from app.components.ports import DONE
from app.components.registry import Registry
from app.flows.graph import Edge, Graph, Node
from app.flows.wires import label_of

DONE_PORT: Final = DONE.name


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of one node.

    :param attempt: 1 for the first one.
    :param item: which item of a repeated part it works on; None outside of one.
    """

    node: str
    attempt: int = 1
    item: str | None = None

    def again(self) -> Task:
        """Return the next attempt."""
        return Task(self.node, self.attempt + 1, self.item)


@dataclass(slots=True)
class Step:
    """A node of the plan.

    :param component: None where it isn't installed on this worker.
    :param into: the wires it waits for, in document order; those from disabled nodes left out.
    :param off: a disabled node that it waits for in vain, if there is one.
    """

    node: Node
    label: str
    component: Component | None
    into: list[Edge] = field(default_factory=list)
    out_of: list[Edge] = field(default_factory=list)
    off: str | None = None

    @property
    def joins(self) -> bool:
        """Whether it runs although some of its wires brought nothing."""
        return self.component is not None and self.component.joins


@dataclass(frozen=True, slots=True)
class Plan:
    """The enabled nodes in document order.

    :param labels: what messages call every node, disabled ones too.
    """

    steps: Mapping[str, Step]
    labels: Mapping[str, str]

    @classmethod
    def of(cls, graph: Graph, registry: Registry) -> Plan:
        """Make the plan of a graph."""
        labels = {node.id: label_of(node, registry) for node in graph.nodes}
        steps = {
            node.id: Step(node, labels[node.id], registry.find(node.component, node.version))
            for node in graph.nodes
            if not node.disabled
        }
        for edge in graph.edges:
            source, target = steps.get(edge.source.node), steps.get(edge.target.node)
            if target is None:
                continue
            if source is None:
                target.off = target.off or edge.source.node
                continue
            source.out_of.append(edge)
            target.into.append(edge)
        return cls(steps, labels)
