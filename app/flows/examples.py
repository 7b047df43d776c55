"""An example of a component as a flow: what is wired in comes from nodes of its own. Pure."""

from __future__ import annotations

from typing import Any

from app.components.declaration import Component
from app.components.examples import Example
from app.components.ports import PortType
from app.flows.validation import SECRET_FETCH

#: What puts out a value that was typed, by the kind of value.
_TEXT, _OBJECT = "text.template", "data.set"
_STEP, _ROW = 320, 220
LOGGED = 2
"""Outputs that an example writes to the log: the first ones, which say the most."""


def example_graph(component: Component, example: Example) -> dict[str, Any]:
    """Return the graph document: sources, the node itself, and a Log for what it puts out."""
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []

    def node(name: str, kind: str, label: str, at: tuple[int, int], config: dict[str, Any]) -> str:
        nodes.append({
            "id": name, "component": kind, "label": label, "position": list(at), "config": config,
        })
        return name

    def wire(source: str, port: str, target: str, into: str) -> None:
        edges.append({
            "id": f"e{len(edges) + 1}", "source": {"node": source, "port": port},
            "target": {"node": target, "port": into},
        })

    shape = component.shape(example.config)
    config = dict(example.config)
    row = 0
    for port, secret in example.secrets.items():
        name = node(f"secret_{port}", SECRET_FETCH, shape.into[port].label or port,
                    (80, 80 + row * _ROW), {"secretName": secret})
        wire(name, "value", "example", port)
        row += 1
    for port, given in example.wires.items():
        values = given if shape.into[port].multiple else [given]
        for place, value in enumerate(values):
            source, out, settings = _source(value, shape.into[port].type)
            if source is None:
                config[port] = value  # nothing puts out such a value: it is typed
                continue
            name = node(f"input_{port}_{place}", source, shape.into[port].label or port,
                        (80, 80 + row * _ROW), settings)
            wire(name, out, "example", port)
            row += 1
    node("example", component.name, component.title, (80 + _STEP, 80), config)
    if component.version != 1:
        nodes[-1]["component_version"] = component.version
    plain = [one for one in shape.outputs if one.type not in (PortType.SECRET, PortType.ORDER)]
    for place, output in enumerate(plain[:LOGGED]):
        name = node(f"log_{output.name}", "output.log", f"Log {output.name}",
                    (80 + 2 * _STEP, 80 + place * _ROW), {})
        wire("example", output.name, name, "data")
    return {"schema": 1, "nodes": nodes, "edges": edges}


def _source(value: Any, kind: PortType) -> tuple[str | None, str, dict[str, Any]]:
    """Return the component, output and settings that put a value on a wire."""
    if isinstance(value, str) and kind in (PortType.TEXT, PortType.JSON, PortType.ANY):
        return _TEXT, "text", {"template": value}
    if isinstance(value, dict) and kind in (PortType.JSON, PortType.ANY):
        return _OBJECT, "object", {"values": value}
    return None, "", {}
