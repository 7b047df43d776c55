"""The DAG executor: which node runs when, and what becomes of the run.

A node starts as soon as everything wired into it is there; independent branches run at the same
time. A failure skips what depends on it and lets the other branches finish; a branch that wasn't
taken is skipped without being a failure. The cost is one look at each node and each wire.

The thread that ended a node goes on with what became ready by it, so that a line of quick nodes
costs no handing over. The thread that called :meth:`Engine.run` only keeps the clocks.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from app.components.problems import Problem
from app.components.registry import Registry
from app.flows.graph import Edge, Graph
from worker.capture import current_node
from worker.context import ANSWER_LOST, LOST_AGAIN, LOST_PAUSE, RunScope
from worker.nodes import NodeResult, NodeRunner
from worker.plan import DONE_PORT, Plan, Step, Task

PARALLEL: Final = 8
"""Nodes of one run that work at the same time."""
STOP_SECONDS: Final = 2.0
"""How long a run waits for a node that doesn't look at its cancellation or its time limit."""
LOOK_SECONDS: Final = 0.5
"""The longest that nobody looks at the clock."""

RunState = Literal["succeeded", "failed", "cancelled", "rejected"]
_NOT_THERE: Final = object()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended; ``problem`` is that of the node that failed first.

    :param problems: what the pre-run check found, where it ended the run.
    """

    state: RunState
    problem: Problem | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """Why a node can't start.

    :param failed: the node to blame failed; else its branch wasn't taken.
    :param blame: the node to blame.
    :param idle: it is a trigger, and another one started the run.
    """

    failed: bool
    blame: str
    disabled: bool = False
    idle: bool = False


# A node that ended, how, and why it was skipped if it was.
_End = tuple[str, NodeResult, Bar | None]


@dataclass(slots=True)
class _Waiting:
    """What a node still waits for, and what came so far."""

    wires: int
    came: int = 0
    bar: Bar | None = None


@dataclass
class _State:
    waiting: dict[str, _Waiting]
    left: int
    """Nodes that have no end yet."""
    ready: deque[Task] = field(default_factory=deque)
    running: dict[Task, float | None] = field(default_factory=dict)
    """The tasks at work, and when each one's time is over."""
    later: list[tuple[float, int, Task]] = field(default_factory=list)
    """A heap of attempts that wait for their moment."""
    threads: int = 0
    idle: int = 0
    stuck: int = 0
    """Threads whose task was given up, and that may never come back."""
    over: bool = False
    """Whether a node never started because the run's time was over."""
    problem: Problem | None = None
    broken: BaseException | None = None
    """What stopped a thread of the engine's own."""
    cancelled: bool = False
    closed: bool = False


class Engine:
    """Runs one graph once.

    :param started: what started the run, see :meth:`worker.plan.Plan.of`.
    :param output_bytes: how long one output may be, as JSON.
    :param parallel: nodes that work at the same time.
    """

    def __init__(
        self,
        graph: Graph,
        registry: Registry,
        scope: RunScope,
        *,
        started: Mapping[str, str | None] | None = None,
        output_bytes: int = 1024 * 1024,
        parallel: int = PARALLEL,
    ) -> None:
        self._scope = scope
        self._plan = Plan.of(graph, registry, started)
        self._runner = NodeRunner(self._plan, scope, output_bytes)
        self._parallel = parallel
        # One lock for the state; both conditions stand on it.
        self._lock = threading.RLock()
        self._work_there = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        steps = self._plan.steps
        self._state = _State(
            {node: _Waiting(len(step.into)) for node, step in steps.items()}, len(steps)
        )

    def run(self) -> Outcome:
        """Run every node that can run; returns when none is left.

        :raises BaseException: what a node's end couldn't be told for, such as a MemoryError.
        """
        state = self._state
        cancellation = self._scope.cancellation
        cancellation.subscribe(self._wake)
        give_up: float | None = None
        with self._lock:
            for step in self._plan.steps.values():
                if step.idle:
                    state.waiting[step.node.id].bar = Bar(False, step.node.id, idle=True)
                if step.off is not None and not (step.joins and step.into):
                    state.waiting[step.node.id].bar = Bar(False, step.off, disabled=True)
                if not step.into and (ended := self._decide(step)) is not None:
                    self._settle(Task(step.node.id), *ended[1:])
            self._settle_all()
            while state.left and state.broken is None:
                stopping = cancellation.is_set()
                if stopping:
                    self._settle_all()
                    give_up = give_up or time.monotonic() + STOP_SECONDS
                self._look_at_clocks(give_up)
                self._engage()
                if state.left and state.broken is None:
                    self._changed.wait(self._pause(give_up))
            state.closed = True
            self._work_there.notify_all()
        if state.broken is not None:
            raise state.broken
        return self._outcome()

    def _wake(self) -> None:
        with self._lock:
            self._changed.notify_all()

    # --- the clocks -------------------------------------------------------------------------

    def _look_at_clocks(self, give_up: float | None) -> None:
        """Start the retries that are due and give up what goes on past its time."""
        state, now = self._state, time.monotonic()
        while state.later and (state.later[0][0] <= now or give_up is not None):
            task = heapq.heappop(state.later)[2]
            state.ready.append(task)
        overdue = [
            task
            for task, end in state.running.items()
            if (end is not None and now > end + STOP_SECONDS)
            or (give_up is not None and now > give_up)
        ]
        for task in sorted(overdue, key=lambda task: task.node):
            del state.running[task]
            state.stuck += 1
            result = self._runner.given_up(task)
            self._runner.report(task, result)
            self._settle(task, result)
        self._settle_all()

    def _pause(self, give_up: float | None) -> float:
        """How long nothing can become due."""
        state = self._state
        moments = [end + STOP_SECONDS for end in state.running.values() if end is not None]
        moments += [when for when, _, _ in state.later[:1]]
        moments += [] if give_up is None else [give_up]
        deadline = self._scope.cancellation.deadline
        moments += [] if deadline is None or give_up is not None else [deadline]
        soonest = min(moments, default=float("inf")) - time.monotonic()
        return min(LOOK_SECONDS, max(0.005, soonest))

    # --- the threads ------------------------------------------------------------------------

    def _engage(self) -> None:
        """Have as many threads at work as there is to do, up to the limit."""
        state = self._state
        for _ in range(min(len(state.ready), state.idle)):
            self._work_there.notify()
        missing = len(state.ready) - state.idle
        while missing > 0 and state.threads - state.stuck < self._parallel:
            state.threads += 1
            missing -= 1
            threading.Thread(target=self._work, name=f"node-{state.threads}", daemon=True).start()

    def _work(self) -> None:
        try:
            self._work_on()
        except BaseException as error:  # nobody would end the run for its node
            with self._lock:
                self._state.broken = self._state.broken or error
                self._changed.notify_all()

    def _work_on(self) -> None:
        while (task := self._next()) is not None:
            token = current_node.set(task.node)
            try:
                result = self._runner.run(task)
            finally:
                current_node.reset(token)
            with self._lock:
                given_up = self._state.running.pop(task, _NOT_THERE) is _NOT_THERE
                if given_up:
                    self._state.stuck -= 1  # it came to an end after all, and nobody waits for it
                    continue
            retry = self._retry(task, result)
            if retry is None:
                self._runner.report(task, result)
            else:
                self._runner.report_retry(task, result, *retry)
            with self._lock:
                if retry is None:
                    self._settle(task, result)
                    self._settle_all()
                else:
                    moment = time.monotonic() + retry[0]
                    heapq.heappush(self._state.later, (moment, id(task), task.again()))
                    self._changed.notify_all()

    def _next(self) -> Task | None:
        """Wait for a task and take it; None when the run is over."""
        state = self._state
        with self._lock:
            while True:
                if state.closed:
                    return None
                if state.ready and not self._scope.cancellation.is_set():
                    task = state.ready.popleft()
                    state.running[task] = self._end_of(task)
                    if state.running[task] is not None:
                        self._changed.notify_all()
                    if state.ready:
                        self._engage()
                    return task
                if state.ready or not state.left:
                    self._changed.notify_all()
                state.idle += 1
                self._work_there.wait()
                state.idle -= 1

    def _end_of(self, task: Task) -> float | None:
        limit = self._plan.steps[task.node].node.policies.timeout
        return None if limit is None else time.monotonic() + limit

    def _retry(self, task: Task, result: NodeResult) -> tuple[float, int] | None:
        """Return the pause before another attempt and how many there may be, or None."""
        policy = self._plan.steps[task.node].node.policies.retry
        if result.state != "failed" or not result.retryable or self._scope.cancellation.is_set():
            return None
        if policy is None or task.attempt > policy.count:
            lost = result.problem is not None and result.problem.code == ANSWER_LOST
            return (LOST_PAUSE, LOST_AGAIN + 1) if lost and task.attempt <= LOST_AGAIN else None
        return policy.pause(task.attempt, random.random()), policy.count + 1  # noqa: S311

    # --- what follows from a node's end -----------------------------------------------------

    def _settle_all(self) -> None:
        """End what is ready while the run stops: none of it starts any more."""
        state = self._state
        if self._scope.cancellation.is_set():
            while state.later:
                state.ready.append(heapq.heappop(state.later)[2])
            while state.ready:
                task = state.ready.popleft()
                result = self._runner.not_started(task)
                self._runner.report(task, result)
                self._settle(task, result)
        if not state.left:
            self._changed.notify_all()

    def _settle(self, task: Task, result: NodeResult, bar: Bar | None = None) -> None:
        """Take in a node's end, and all the skips that follow from it.

        :param bar: why it was skipped, if it was.
        """
        state = self._state
        policy = self._plan.steps[task.node].node.policies
        if result.state == "failed" and policy.on_error == "stop" and state.problem is None:
            state.problem = result.problem
        state.cancelled = state.cancelled or result.state == "cancelled"
        state.over = state.over or result.reason == "run_over"
        ended: deque[_End] = deque([(task.node, result, bar)])
        while ended:
            node, result, bar = ended.popleft()
            state.left -= 1
            step = self._plan.steps[node]
            for edge in step.out_of:
                target = self._plan.steps[edge.target.node]
                waiting = state.waiting[edge.target.node]
                waiting.wires -= 1
                if self._carries(edge, step, result):
                    waiting.came += 1
                else:
                    self._bar(waiting, bar or Bar(self._breaks(step, result), node))
                if not waiting.wires:
                    skipped = self._decide(target)
                    if skipped is not None:
                        ended.append(skipped)

    @staticmethod
    def _carries(edge: Edge, step: Step, result: NodeResult) -> bool:
        port = edge.source.port
        if result.state == "succeeded":
            return port == DONE_PORT or port in result.outputs
        return (
            result.state == "failed"
            and port == DONE_PORT
            and step.node.policies.on_error == "continue"
        )

    @staticmethod
    def _breaks(step: Step, result: NodeResult) -> bool:
        """Whether what depends on this end depends on a failure."""
        if result.state == "failed":
            return step.node.policies.on_error == "stop"
        return result.state == "cancelled"

    @staticmethod
    def _bar(waiting: _Waiting, bar: Bar) -> None:
        """Note why a wire brought nothing; a failure counts before a branch that wasn't taken."""
        if waiting.bar is None or (bar.failed and not waiting.bar.failed):
            waiting.bar = bar

    def _decide(self, step: Step) -> _End | None:
        """All wires of a node are settled: let it run, or skip it and return its end."""
        waiting = self._state.waiting[step.node.id]
        bar = waiting.bar
        if bar is not None and step.joins and waiting.came and not bar.failed:
            bar = None
        task = Task(step.node.id)
        if bar is None:
            self._state.ready.append(task)
            return None
        if self._scope.cancellation.is_set():
            result = self._runner.not_started(task)
        else:
            result = self._runner.skipped(
                bar.blame, failed=bar.failed, disabled=bar.disabled, idle=bar.idle
            )
        self._runner.report(task, result)
        return step.node.id, result, bar

    def _outcome(self) -> Outcome:
        state = self._state
        if state.cancelled or (self._scope.cancellation.cancelled and not state.problem):
            return Outcome("cancelled")
        if state.problem is not None:
            return Outcome("failed", state.problem)
        if state.over:
            return Outcome("failed", Problem(
                "run_timeout", "error",
                "The run's time was over before all of its nodes had started. Raise the flow's "
                "time limit, or make it do less.",
            ))
        return Outcome("succeeded")


