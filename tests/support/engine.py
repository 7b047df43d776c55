"""A flow run by the worker's real engine and masker, in this process and without a server."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.components.problems import Problem
from app.components.registry import Registry, registry
from app.flows.graph import parse_graph
from app.providers.egress import EgressGuard
from worker.cancellation import RunCancellation
from worker.checks import PreRunCheck
from worker.context import Grant, RunScope
from worker.engine import Engine, Outcome
from worker.expressions import Expressions
from worker.external import ExternalDoor, Purpose
from worker.masking import MaskedText, Masker

MOST = 1024 * 1024


@dataclass
class Ran:
    """What a run left: its end, everything it told the server, and how long it took."""

    outcome: Outcome
    events: list[dict[str, Any]]
    accesses: list[Mapping[str, Any]]
    seconds: float

    def problem(self, node: str) -> dict[str, Any] | None:
        """Return why a node failed."""
        for problem in self.outcome.problems:
            if problem.node == node:
                return problem.to_json()
        for event in self.events:
            if event["node"] == node and "problem" in event["data"]:
                return dict(event["data"]["problem"])
        return None

    def state(self, node: str) -> str:
        """Return the last state that a node told."""
        states = [one["data"]["state"] for one in self.events
                  if one["node"] == node and "state" in one["data"]]
        return str(states[-1]) if states else ""

    @property
    def told(self) -> list[Any]:
        """All that leaves the worker."""
        return [*self.events, *self.accesses, [one.to_json() for one in self.outcome.problems]]


@dataclass
class Surroundings:
    """What a run finds: values of stored secrets by name, the way out, its machine's secrets."""

    values: Mapping[str, str] = field(default_factory=dict)
    guard: EgressGuard = field(default_factory=EgressGuard)
    machine: Mapping[str, str] = field(default_factory=dict)


def run_flow(
    document: Mapping[str, Any], around: Surroundings, folder: Path, *,
    components: Registry | None = None, cancel_after: float | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Ran:
    """Run a flow to its end.

    :param folder: the run's own.
    :param cancel_after: seconds after which somebody cancels.
    """
    found = components or registry()
    graph = parse_graph(dict(document), found)
    masker, cancellation = Masker(), RunCancellation(None)
    events: list[dict[str, Any]] = []
    accesses: list[Mapping[str, Any]] = []
    lock = threading.Lock()

    def emit(
        kind: str, text: str | MaskedText, *, level: str = "info",
        data: Mapping[str, Any] | None = None, node: str | None = None, attempt: int = 1,
    ) -> None:
        masked = text if isinstance(text, MaskedText) else masker.mask_text(text)
        with lock:
            events.append({"type": kind, "text": masked.text, "level": level, "node": node,
                           "attempt": attempt, "data": masker.mask_object(data or {}).value})

    def fetch(grant: Grant, _attempt: int, _purpose: Purpose) -> str:
        return around.values[grant.name]

    expressions = Expressions(MOST)
    scope = RunScope(
        "run", inputs or {},
        {node.id: Grant(node.id, "id", str(node.config["secretName"]), 1)
         for node in graph.nodes if node.component == "secret.fetch"},
        masker, cancellation, emit, fetch, lambda: around.guard, folder,
        ExternalDoor(accesses.append, lambda reference: around.machine[reference],
                     tuple(around.machine)),
        expressions,
    )
    timer = None
    if cancel_after is not None:
        timer = threading.Timer(cancel_after, cancellation.cancel)
        timer.start()
    began = time.monotonic()
    try:
        problems: list[Problem] = PreRunCheck(graph, found, scope).run()
        outcome = (
            Outcome("rejected", problems=tuple(problems))
            if problems else Engine(graph, found, scope, output_bytes=MOST).run()
        )
    finally:
        expressions.close()
        if timer is not None:
            timer.cancel()
    return Ran(outcome, events, accesses, time.monotonic() - began)
