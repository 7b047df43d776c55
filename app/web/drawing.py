"""A flow's graph as a still picture: boxes and lines for an inline SVG, nothing to click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.components.ports import PortType
from app.components.registry import registry
from app.flows.diff import Difference

WIDTH, HEIGHT, MARGIN = 204, 64, 28


@dataclass(frozen=True, slots=True)
class Box:
    """A node."""

    x: float
    y: float
    label: str
    component: str
    change: str


@dataclass(frozen=True, slots=True)
class Line:
    """A wire, as the path of a curve."""

    path: str
    change: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture; ``view`` is the SVG's viewBox."""

    view: str
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(graph: Mapping[str, Any], difference: Difference, *, old: bool) -> Drawing:
    """Lay a graph out where its author put it, with what differs marked.

    :param old: the side where removed things stand; the other has the added ones.
    """
    wanted = ("removed", "changed") if old else ("added", "changed")
    nodes = {one.id: one.change for one in difference.nodes if one.change in wanted}
    wires = {(one.source, one.target): one.change for one in difference.edges
             if one.change in wanted}
    at = {node["id"]: node["position"] for node in graph["nodes"]}
    kinds = {node["id"]: node for node in graph["nodes"]}
    boxes = tuple(
        Box(node["position"][0], node["position"][1],
            _cut(node.get("label") or node["component"], 24), _cut(node["component"], 28),
            nodes.get(node["id"], ""))
        for node in graph["nodes"]
    )
    lines = []
    for edge in graph.get("edges", ()):
        source, target = edge["source"], edge["target"]
        ends = (f"{source['node']}.{source['port']}", f"{target['node']}.{target['port']}")
        lines.append(Line(
            _curve(at[source["node"]], at[target["node"]]), wires.get(ends, ""),
            _is_secret(kinds[source["node"]], source["port"]),
        ))
    return Drawing(_view(boxes), boxes, tuple(lines))


def _view(boxes: tuple[Box, ...]) -> str:
    if not boxes:
        return "0 0 400 200"
    left, top = min(box.x for box in boxes) - MARGIN, min(box.y for box in boxes) - MARGIN
    right = max(box.x for box in boxes) + WIDTH + MARGIN
    bottom = max(box.y for box in boxes) + HEIGHT + MARGIN
    # A lone node would fill the frame; it is shown as it is among others.
    return f"{left:g} {top:g} {max(right - left, 520):g} {max(bottom - top, 240):g}"


def _curve(source: Any, target: Any) -> str:
    x1, y1 = source[0] + WIDTH, source[1] + HEIGHT / 2
    x2, y2 = target[0], target[1] + HEIGHT / 2
    bend = max(40.0, abs(x2 - x1) / 2)
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


def _is_secret(node: Mapping[str, Any], port: str) -> bool:
    found = registry().find(node["component"], node.get("component_version", 1))
    declared = found.shape(node.get("config") or {}).out_of.get(port) if found else None
    return declared is not None and declared.type is PortType.SECRET


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
