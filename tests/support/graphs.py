"""Graph documents in few words, for tests."""

from __future__ import annotations

from typing import Any


def node(name: str, component: str, **config: Any) -> dict[str, Any]:
    """A node; ``policies`` are those of the node, the rest is its config."""
    policies = config.pop("policies", {})
    return {"id": name, "component": component, "label": name, "position": [0, 0],
            "config": config, **policies}


def wire(source: str, target: str) -> dict[str, Any]:
    """A wire between two of ``node.port``."""
    (a, b), (c, d) = source.split("."), target.split(".")
    return {"id": f"{source}-{target}", "source": {"node": a, "port": b},
            "target": {"node": c, "port": d}}


def graph(*parts: dict[str, Any]) -> dict[str, Any]:
    """A document of nodes and wires, in any order."""
    return {"schema": 1, "nodes": [p for p in parts if "component" in p],
            "edges": [p for p in parts if "source" in p]}
