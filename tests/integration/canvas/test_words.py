"""The canvas and the server say the same about every wire: one table, filled twice."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.components.ports import DONE, START, Port, PortType, check_edge
from app.components.registry import registry

ROOT = Path(__file__).resolve().parents[3]
LABELS = ("From {target}", "To <b>&{source}")


def _ports() -> tuple[list[tuple[str, Port]], list[tuple[str, Port]]]:
    """Return every output and every input of every component, order ports included."""
    outputs: list[tuple[str, Port]] = []
    inputs: list[tuple[str, Port]] = []
    for component in registry():
        outputs += [(component.name, port) for port in component.output_ports().values()]
        inputs += [(component.name, port) for port in component.input_ports().values()]
    return outputs, inputs


def _case(source: tuple[str, Port], target: tuple[str, Port]) -> dict[str, Any]:
    nodes = [
        {"id": "a", "component": source[0], "label": LABELS[0], "position": [0, 0], "config": {}},
        {"id": "b", "component": target[0], "label": LABELS[1], "position": [9, 9], "config": {}},
    ]
    return {
        "graph": {"schema": 1, "nodes": nodes, "edges": []},
        "source": {"node": "a", "port": source[1].name},
        "target": {"node": "b", "port": target[1].name},
    }


def test_every_pair_of_ports_gets_the_same_words() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node isn't installed")
    outputs, inputs = _ports()
    pairs = [(source, target) for source in outputs for target in inputs]
    body = {"components": registry().describe(), "cases": [_case(*pair) for pair in pairs]}
    done = subprocess.run(
        [node, str(ROOT / "tests" / "js" / "words.mjs")],
        input=json.dumps(body),
        capture_output=True,
        check=True,
        text=True,
    )
    for (source, target), said in zip(pairs, json.loads(done.stdout), strict=True):
        problem = check_edge("a", LABELS[0], source[1], "b", LABELS[1], target[1])
        expected = {
            "allowed": problem is None,
            "code": problem.code if problem else "",
            "message": problem.message if problem else "",
        }
        assert said == expected, (source, target)


def test_order_ports_are_alike_everywhere() -> None:
    for component in registry():
        assert component.input_ports()["start"] is START
        assert component.output_ports()["done"] is DONE
        ways = [p for p in component.output_ports().values() if p.type is PortType.ORDER]
        # A Condition has a way for each outcome beside the one that all have.
        assert DONE in ways
        assert len(ways) == 1 or component.name == "control.condition"
