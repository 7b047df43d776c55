"""What differs between two drawings of a flow: nodes and wires added, removed, changed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.flows.graph import Edge, Graph

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that isn't the same.

    :ivar fields: what changed, by name: ``label``, ``component``, ``config.url``… Never a value.
    """

    id: str
    label: str
    component: str
    change: Change
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """A wire that isn't the same, told by its ends."""

    source: str
    target: str
    change: Change


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs.

    :ivar moved: nodes of which nothing changed but their place on the canvas.
    :ivar settings: names of the flow's settings that differ.
    """

    nodes: tuple[NodeChange, ...]
    edges: tuple[EdgeChange, ...]
    moved: tuple[str, ...]
    settings: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether a run would notice nothing."""
        return not (self.nodes or self.edges or self.settings)


def diff_graphs(
    before: Graph, after: Graph,
    settings: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> Difference:
    """Compare two drawings; nodes are the same by id, wires by their ends."""
    old, new = _documents(before), _documents(after)
    nodes: list[NodeChange] = []
    moved: list[str] = []
    for key in [*old, *(key for key in new if key not in old)]:
        shown = new.get(key) or old[key]
        if key not in new or key not in old:
            change: Change = "added" if key in new else "removed"
            nodes.append(NodeChange(key, shown["label"], shown["component"], change))
            continue
        fields = _changed(old[key], new[key])
        if fields:
            nodes.append(NodeChange(key, shown["label"], shown["component"], "changed", fields))
        elif old[key]["position"] != new[key]["position"]:
            moved.append(key)
    return Difference(tuple(nodes), _edges(before, after), tuple(moved), _differing(*settings))


def _documents(graph: Graph) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in graph.to_document()["nodes"]}


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what changed in a node, its place aside; settings one by one."""
    leave = {"position", "config"}
    plain = _differing({k: v for k, v in old.items() if k not in leave},
                       {k: v for k, v in new.items() if k not in leave})
    return (*plain, *(f"config.{name}" for name in _differing(old["config"], new["config"])))


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        sorted(key for key in {*old, *new} if old.get(key) != new.get(key)
               or (key in old) != (key in new))
    )


def _edges(before: Graph, after: Graph) -> tuple[EdgeChange, ...]:
    ends: Callable[[Edge], tuple[str, str]] = lambda edge: (  # noqa: E731
        f"{edge.source.node}.{edge.source.port}", f"{edge.target.node}.{edge.target.port}"
    )
    old, new = {ends(edge) for edge in before.edges}, {ends(edge) for edge in after.edges}
    found = [EdgeChange(*pair, "removed") for pair in sorted(old - new)]
    return (*found, *(EdgeChange(*pair, "added") for pair in sorted(new - old)))
