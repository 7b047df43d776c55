"""What a run has to do: its nodes, what each waits for, and what waits for it.

Made once from the graph, in one look at each node and each wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.components.declaration import Component
from app.components.ports import DONE, START
from app.components.registry import Registry
from app.flows.graph import Edge, Graph, Node
from app.flows.validation import MANUAL_TRIGGER
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
    :param idle: whether it is a trigger, and not the one that started the run.
    """

    node: Node
    label: str
    component: Component | None
    into: list[Edge] = field(default_factory=list)
    out_of: list[Edge] = field(default_factory=list)
    off: str | None = None
    idle: bool = False

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
    def of(
        cls, graph: Graph, registry: Registry, started: Mapping[str, str | None] | None = None
    ) -> Plan:
        """Make the plan of a graph.

        A node that several triggers start goes on when the one came that started the run.

        :param started: what started the run: ``kind``, and the trigger's ``node`` if it was one.
            A person or a program starts the Manual Triggers; where there is none, all.
        """
        labels = {node.id: label_of(node, registry) for node in graph.nodes}
        steps = {
            node.id: Step(node, labels[node.id], registry.find(node.component, node.version))
            for node in graph.nodes
            if not node.disabled
        }
        for step in _idle(steps, started or {}):
            step.idle = True
        begun = {
            edge.target.node for edge in graph.edges
            if edge.target.port == START.name and _is_trigger(steps.get(edge.source.node))
            and not steps[edge.source.node].idle
        }
        for edge in graph.edges:
            source, target = steps.get(edge.source.node), steps.get(edge.target.node)
            if target is None:
                continue
            if source is None:
                target.off = target.off or edge.source.node
                continue
            if source.idle and edge.target.port == START.name and edge.target.node in begun:
                continue
            source.out_of.append(edge)
            target.into.append(edge)
        return cls(steps, labels)


def _is_trigger(step: Step | None) -> bool:
    return step is not None and step.component is not None and step.component.category == "trigger"


def _idle(steps: Mapping[str, Step], started: Mapping[str, str | None]) -> list[Step]:
    """Return the triggers that didn't start the run."""
    triggers = [step for step in steps.values() if _is_trigger(step)]
    one = [step for step in triggers if step.node.id == started.get("node")]
    by_hand = [step for step in triggers if step.node.component == MANUAL_TRIGGER]
    active = one or (by_hand if started else triggers) or triggers
    return [step for step in triggers if step not in active]
