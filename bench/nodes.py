"""What a node costs: a line of quick nodes, short and long, in time and in stored bytes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.installation import Installation
from bench.runs import run_once

LENGTHS = (10, 100, 200)
TIMES = 8
# What the text of a run is stored as: its events, its nodes, and the run itself.
_STORED = {
    "run_events": "length(text) + length(data) + length(masks) + length(coalesce(node, ''))",
    "run_nodes": "length(node) + length(coalesce(outputs, '')) + length(coalesce(problem, ''))",
    "runs": "length(inputs) + length(problems) + length(trigger)",
}


@dataclass(frozen=True, slots=True)
class Nodes:
    """Milliseconds a node, and stored bytes a node in a short and in a long flow."""

    milliseconds: float
    short_bytes: float
    long_bytes: float

    @property
    def growth(self) -> float:
        """How much more a node of the long flow takes; 1 where bytes grow linearly."""
        return self.long_bytes / self.short_bytes


def measure(installation: Installation) -> Nodes:
    """Run lines of 10, 100 and 200 nodes, taking turns."""
    flows = {length: _make(installation, length) for length in LENGTHS}
    took: dict[int, list[float]] = {length: [] for length in LENGTHS}
    stored: dict[int, int] = {}
    for turn in range(TIMES + 1):
        for length, flow in flows.items():
            run = run_once(installation, flow)
            stored[length] = _bytes(installation, run["id"])
            if turn:
                took[length].append(run["milliseconds"])
    short, middle, long = LENGTHS
    return Nodes(
        (median(took[long]) - median(took[short])) / (long - short),
        (stored[middle] - stored[short]) / (middle - short),
        (stored[long] - stored[middle]) / (long - middle),
    )


def _make(installation: Installation, length: int) -> str:
    nodes: list[dict[str, Any]] = [
        {"id": f"n{number}", "component": "text.template", "label": f"Step {number}",
         "position": [number * 200, 0],
         "config": {"template": "{{values}}", **({} if number else {"values": "a short text"})}}
        for number in range(length)
    ]
    edges = [
        {"id": f"e{number}", "source": {"node": f"n{number - 1}", "port": "text"},
         "target": {"node": f"n{number}", "port": "values"}}
        for number in range(1, length)
    ]
    graph = {"schema": 1, "nodes": nodes, "edges": edges}
    made = installation.call("POST", "/flows", {"name": f"line {length}", "graph": graph})
    if made["problems"]:
        raise RuntimeError(f"the flow has problems: {made['problems']}")
    return str(made["id"])


def _bytes(installation: Installation, run: str) -> int:
    with sqlite3.connect(installation.home / "tacit.db") as connection:
        return sum(
            connection.execute(
                f"select sum({size}) from {table} where "
                f"{'id' if table == 'runs' else 'run_id'} = ?",
                [run],
            ).fetchone()[0]
            for table, size in _STORED.items()
        )
