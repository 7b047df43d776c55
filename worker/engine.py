"""The DAG executor: which node runs when, and what becomes of the run.

A node starts as soon as everything wired into it is there; independent branches run at the same
time. A failure skips what depends on it and lets the other branches finish. The cost is one look
at each node and each wire.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from app.components.problems import Problem
from app.components.registry import Registry
from app.flows.graph import Graph, Node
from worker.capture import current_node
from worker.context import RunScope
from worker.nodes import NodeResult, NodeRunner

PARALLEL: Final = 8
"""Nodes of one run that work at the same time."""
STOP_SECONDS: Final = 2.0
"""How long a cancelled run waits for nodes that don't look at the cancellation."""

RunState = Literal["succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended; ``problem`` is that of the node that failed first."""

    state: RunState
    problem: Problem | None = None


@dataclass
class _State:
    waiting: dict[str, int]
    blocked: dict[str, str] = field(default_factory=dict)
    """Nodes that can't start, and the node that is to blame."""
    problem: Problem | None = None
    cancelled: bool = False


class Engine:
    """Runs one graph once.

    :param output_bytes: how long one output may be, as JSON.
    """

    def __init__(
        self,
        graph: Graph,
        registry: Registry,
        scope: RunScope,
        *,
        output_bytes: int = 1024 * 1024,
        parallel: int = PARALLEL,
    ) -> None:
        self._scope = scope
        enabled = [node for node in graph.nodes if not node.disabled]
        self._nodes: Mapping[str, Node] = {node.id: node for node in enabled}
        self._edges = [
            edge
            for edge in graph.edges
            if edge.source.node in self._nodes and edge.target.node in self._nodes
        ]
        self._runner = NodeRunner(registry, scope, self._nodes, self._edges, output_bytes)
        self._targets: dict[str, list[str]] = {node: [] for node in self._nodes}
        for edge in self._edges:
            self._targets[edge.source.node].append(edge.target.node)
        self._parallel = parallel
        self._jobs: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[str, NodeResult]] = queue.SimpleQueue()
        self._threads = 0

    def run(self) -> Outcome:
        """Run every node that can run; returns when none is left."""
        state = _State(dict.fromkeys(self._nodes, 0))
        for edge in self._edges:
            state.waiting[edge.target.node] += 1
        ready = deque(node for node, count in state.waiting.items() if not count)
        running: set[str] = set()
        give_up: float | None = None
        while ready or running:
            stopping = self._scope.cancellation.is_set()
            while ready:
                node = ready.popleft()
                if node in state.blocked or stopping:
                    self._finish(node, self._not_started(node, state, stopping), state, ready)
                elif len(running) < self._parallel:
                    running.add(node)
                    self._start(node, len(running))
                else:
                    ready.appendleft(node)
                    break
            if not running:
                continue
            if stopping and give_up is None:
                give_up = time.monotonic() + STOP_SECONDS
            try:
                node, result = self._done.get(timeout=0.1 if stopping else 0.5)
            except queue.Empty:
                if give_up is not None and time.monotonic() > give_up:
                    for node in sorted(running):
                        self._finish(node, self._runner.given_up(node), state, ready)
                    running.clear()
                continue
            if node not in running:
                continue  # it was given up, and came to an end after all
            running.discard(node)
            self._finish(node, result, state, ready)
        for _ in range(self._threads):
            self._jobs.put(None)
        return self._outcome(state)

    def _start(self, node: str, running: int) -> None:
        if running > self._threads:
            self._threads += 1
            threading.Thread(target=self._work, name=f"node-{self._threads}", daemon=True).start()
        self._jobs.put(node)

    def _work(self) -> None:
        while (node := self._jobs.get()) is not None:
            token = current_node.set(node)
            try:
                result = self._runner.run(node)
            finally:
                current_node.reset(token)
            self._done.put((node, result))

    def _not_started(self, node: str, state: _State, stopping: bool) -> NodeResult:
        if stopping and self._scope.cancellation.cancelled:
            return self._runner.cancelled(node)
        return self._runner.skipped(node, state.blocked.get(node))

    def _finish(
        self, node: str, result: NodeResult, state: _State, ready: deque[str]
    ) -> None:
        self._runner.report(node, result)
        if result.state == "failed" and state.problem is None:
            state.problem = result.problem
        state.cancelled = state.cancelled or result.state == "cancelled"
        for target in self._targets[node]:
            if result.state != "succeeded":
                state.blocked.setdefault(target, state.blocked.get(node, node))
            state.waiting[target] -= 1
            if not state.waiting[target]:
                ready.append(target)

    def _outcome(self, state: _State) -> Outcome:
        if state.cancelled or (self._scope.cancellation.cancelled and not state.problem):
            return Outcome("cancelled")
        if state.problem is not None:
            return Outcome("failed", state.problem)
        return Outcome("succeeded")
