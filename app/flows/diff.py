"""What differs between two drawings of a flow: nodes and wires added, removed, changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.flows.graph import Graph

MOST_NAMED: Final = 3
"""Nodes that a sentence about a change names; the others are counted."""
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
    return diff_documents(before.to_document(), after.to_document(), settings)


def diff_documents(
    before: Mapping[str, Any], after: Mapping[str, Any],
    settings: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> Difference:
    """Compare two drawings as they are stored, which :meth:`Graph.to_document` wrote."""
    old, new = _by_id(before), _by_id(after)
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


def in_words(difference: Difference) -> str:
    """Say a difference in half a sentence, by its nodes' labels; empty where there is none."""
    verbs = {"added": "was added", "removed": "was taken out", "changed": "was changed"}
    said = [f"{_quoted(node.label)} {verbs[node.change]}" for node in difference.nodes]
    if len(said) > MOST_NAMED + 1:
        more = len(said) - MOST_NAMED
        said[MOST_NAMED:] = [f"{more} more nodes were changed, added or taken out"]
    if difference.edges:
        said.append("a wire was drawn anew" if len(difference.edges) == 1
                    else f"{len(difference.edges)} wires were drawn anew")
    if difference.settings:
        said.append("the flow's settings were changed")
    if difference.moved and not said:
        said.append("nodes were moved")
    return _listed(said)


def _quoted(label: str) -> str:
    return f"“{label if len(label) <= 40 else label[:39] + '…'}”"


def _listed(said: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(said[:-1]), *said[-1:])))


def _by_id(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in document["nodes"]}


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


def _edges(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[EdgeChange, ...]:
    old, new = _ends(before), _ends(after)
    found = [EdgeChange(*pair, "removed") for pair in sorted(old - new)]
    return (*found, *(EdgeChange(*pair, "added") for pair in sorted(new - old)))


def _ends(document: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {
        (f"{edge['source']['node']}.{edge['source']['port']}",
         f"{edge['target']['node']}.{edge['target']['port']}")
        for edge in document["edges"]
    }
