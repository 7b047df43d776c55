"""A flow's graph as a still picture: boxes and lines for an inline SVG, nothing to click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.components.ports import PortType
from app.components.registry import registry
from app.flows.diff import Difference

WIDTH, HEIGHT, MARGIN = 204, 64, 28
_WIRE = 6
"""Room beside a wire."""


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
    lines, spans = [], []
    for edge in graph.get("edges", ()):
        source, target = edge["source"], edge["target"]
        ends = (f"{source['node']}.{source['port']}", f"{target['node']}.{target['port']}")
        begin, end = at[source["node"]], at[target["node"]]
        spans.append(_span(begin, end))
        lines.append(Line(
            _curve(begin, end), wires.get(ends, ""),
            _is_secret(kinds[source["node"]], source["port"]),
        ))
    return Drawing(_view(boxes, spans), boxes, tuple(lines))


def _view(boxes: tuple[Box, ...], spans: Sequence[tuple[float, float]]) -> str:
    """Return the box around nodes and wires: a wire that leads back swings out beyond both ends."""
    if not boxes:
        return "0 0 400 200"
    left = min([box.x - MARGIN for box in boxes] + [begin - _WIRE for begin, _ in spans])
    right = max([box.x + WIDTH + MARGIN for box in boxes] + [end + _WIRE for _, end in spans])
    top = min(box.y for box in boxes) - MARGIN
    bottom = max(box.y for box in boxes) + HEIGHT + MARGIN
    # A lone node would fill the frame; it is shown as it is among others.
    return f"{left:g} {top:g} {max(right - left, 520):g} {max(bottom - top, 240):g}"


def _span(source: Any, target: Any) -> tuple[float, float]:
    """Return the leftmost and rightmost x of a wire's curve, as near as a picture needs."""
    x1, x2, bend = _ends(source, target)
    steps = [step / 16 for step in range(17)]
    xs = [
        x1 * (1 - t) ** 3 + 3 * (x1 + bend) * t * (1 - t) ** 2
        + 3 * (x2 - bend) * t ** 2 * (1 - t) + x2 * t ** 3
        for t in steps
    ]
    return min(xs), max(xs)


def _ends(source: Any, target: Any) -> tuple[float, float, float]:
    x1, x2 = source[0] + WIDTH, target[0]
    return x1, x2, max(40.0, abs(x2 - x1) / 2)


def _curve(source: Any, target: Any) -> str:
    x1, x2, bend = _ends(source, target)
    y1, y2 = source[1] + HEIGHT / 2, target[1] + HEIGHT / 2
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


def _is_secret(node: Mapping[str, Any], port: str) -> bool:
    found = registry().find(node["component"], node.get("component_version", 1))
    declared = found.shape(node.get("config") or {}).out_of.get(port) if found else None
    return declared is not None and declared.type is PortType.SECRET


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
