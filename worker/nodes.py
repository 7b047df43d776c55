"""Running one node: its inputs gathered and checked, its outputs checked, masked and reported."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.components.binding import bind
from app.components.declaration import Component
from app.components.errors import NodeCancelled, NodeError
from app.components.ports import PortType
from app.components.problems import Problem
from app.components.secret import Secret
from app.flows.graph import Node
from app.providers.errors import EgressError
from worker.cancellation import AttemptCancellation, timeout_message
from worker.capture import describe_exception, describe_message
from worker.context import NodeContext, RunScope
from worker.external import External
from worker.limits import find_limit
from worker.masking import Mask, MaskedText
from worker.plan import Plan, Step, Task
from worker.telemetry import shorten_masked
from worker.values import check_outputs, gather

NodeState = Literal["running", "succeeded", "failed", "skipped", "cancelled"]
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How a node ended.

    :param outputs: exact, for the nodes that come after; never sent anywhere.
    :param retryable: whether the component said that trying again may help.
    :param reason: why a node was skipped, as a stable snake_case name.
    :param leaks: places of its outputs that held secrets, for which it failed.
    """

    state: NodeState
    outputs: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    seconds: float = 0.0
    text: str = ""
    retryable: bool = False
    reason: str = ""
    leaks: int = 0


class NodeRunner:
    """Runs single nodes of one graph and keeps their exact outputs. Used from many threads."""

    def __init__(self, plan: Plan, scope: RunScope, output_bytes: int) -> None:
        self._plan = plan
        self._scope = scope
        self._limit = output_bytes
        self._outputs: dict[str, Mapping[str, Any]] = {}
        self._reported: set[tuple[str, str | None]] = set()
        self._lock = threading.Lock()

    def run(self, task: Task) -> NodeResult:
        """Make one attempt of a node whose inputs are there. Raises nothing: a failure is a
        result."""
        step = self._plan.steps[task.node]
        started = time.monotonic()
        retryable = False
        cancelled = AttemptCancellation(
            self._scope.cancellation, step.node.policies.timeout, step.label
        )
        try:
            cancelled.raise_if_set()
            text = f"{step.label} started."
            if task.attempt > 1:
                text = f"{step.label} started again, attempt {task.attempt}."
            self._emit(task, text, {"state": "running"})
            if step.component is None:
                raise NodeError(
                    "component_not_installed",
                    f"{step.label} is version {step.node.version} of {step.node.component}, which "
                    "isn't installed on this worker.",
                )
            returned = self._call(step.component, step, task, cancelled)
            outputs = check_outputs(step, step.component, returned, self._limit)
            leaks = self._shown(step, outputs)[2] if self._scope.leaks_fail else 0
            if leaks:
                # Nothing of it is kept, and nothing that comes after gets it.
                return self._leaked(task, leaks, time.monotonic() - started)
        except NodeCancelled:
            return self.cancelled(time.monotonic() - started)
        except NodeError as error:
            # A run whose time is over tries nothing again, whatever its node thinks.
            retryable = error.retryable and not self._scope.cancellation.is_set()
            problem = error.to_problem(task.node)
        except EgressError as error:
            retryable = error.retryable
            problem = Problem(error.code, "error", error.message, node=task.node)
        except BaseException as error:
            problem = self._crashed(task, step.label, error)
        else:
            self._outputs[task.node] = outputs
            return NodeResult("succeeded", outputs, seconds=time.monotonic() - started)
        return NodeResult(
            "failed", problem=problem, seconds=time.monotonic() - started, retryable=retryable
        )

    def _leaked(self, task: Task, leaks: int, seconds: float) -> NodeResult:
        """The result of a node whose output held secrets, where the flow says that it fails."""
        problem = Problem(
            "leak_prevented", "error",
            f"{self._plan.labels[task.node]} put secrets into its outputs ({leaks} places), and "
            "the flow's settings say that such a node fails. Look at what it calls: it gives back "
            "what it was sent.", node=task.node,
        )
        return NodeResult("failed", problem=problem, seconds=seconds, leaks=leaks)

    def cancelled(self, seconds: float = 0.0) -> NodeResult:
        """The result of a node that stopped, or never started, because the run was cancelled."""
        return NodeResult("cancelled", seconds=seconds, text="cancelled")

    def not_started(self, task: Task) -> NodeResult:
        """The result of an attempt that the end of the run came before."""
        if self._scope.cancellation.cancelled:
            return self.cancelled()
        if task.attempt > 1:
            return self.given_up(task)
        return NodeResult("skipped", text="skipped: the run's time is over", reason="run_over")

    def skipped(self, blame: str, *, failed: bool, disabled: bool, idle: bool) -> NodeResult:
        """The result of a node that can't start."""
        label = self._plan.labels[blame]
        if idle:
            return NodeResult(
                "skipped", text=f"skipped: {label} didn't start this run", reason="not_triggered"
            )
        if disabled:
            return NodeResult(
                "skipped", text=f"skipped: {label} is disabled", reason="disabled_before"
            )
        if failed:
            return NodeResult(
                "skipped", text=f"skipped: {label} didn't succeed", reason="failed_before"
            )
        return NodeResult(
            "skipped", text=f"skipped: {label} took another way", reason="not_taken"
        )

    def given_up(self, task: Task) -> NodeResult:
        """The result of a node that goes on although its time is over or it was asked to stop."""
        step = self._plan.steps[task.node]
        if self._scope.cancellation.cancelled:
            return self.cancelled()
        if not self._scope.cancellation.is_set():
            # It may still be at work, so trying again could do things twice.
            message = timeout_message(step.label, step.node.policies.timeout)
            problem = Problem(
                "node_timeout", "error", f"{message} It didn't stop when it was asked to, and "
                "ends with the run at the latest.", node=task.node,
            )
            return NodeResult("failed", problem=problem)
        problem = Problem(
            "run_timeout", "error",
            f"{step.label} was still at work when the run's time was over. Raise the flow's time "
            "limit, or make it do less.", node=task.node,
        )
        return NodeResult("failed", problem=problem)

    def report(self, task: Task, result: NodeResult) -> None:
        """Send the node's final event: state, masked outputs, problem."""
        step = self._plan.steps[task.node]
        label = step.label
        data: dict[str, Any] = {"state": result.state}
        level = "info"
        text: str | MaskedText
        if result.state == "succeeded":
            text = f"{label} succeeded in {result.seconds * 1000:.0f} ms."
            if result.outputs:
                data["outputs"], places, leaks = self._shown(step, result.outputs)
                if places:
                    data["output_masks"] = places
                if leaks:
                    data["prevented_leaks"] = leaks
                    level = "warning"
                    text = (
                        f"{label} succeeded; secrets were masked in its outputs ({leaks} places)."
                    )
            else:
                data["outputs"] = {}
        elif result.problem is not None:
            data["problem"] = result.problem.to_json()
            if result.leaks:
                data["prevented_leaks"] = result.leaks
            level = "error"
            after = ""
            if step.node.policies.on_error == "continue":
                data["continued"] = True
                after = " The run goes on, as the node's settings say."
            text = self._told(f"{label} failed: ", result.problem, after)
        else:
            text = f"{label} {result.text or result.state}."
            if result.reason:
                data["reason"] = result.reason
        self._emit(task, text, data, level)

    def report_retry(self, task: Task, result: NodeResult, pause: float, most: int) -> None:
        """Send the event of a failed attempt that is not the last one."""
        label = self._plan.steps[task.node].label
        problem = result.problem or Problem("failed", "error", "It failed.")
        self._emit(
            task,
            self._told(
                f"{label}, attempt {task.attempt} of {most}, failed: ", problem,
                f" The next one starts in {pause:.1f} s.",
            ),
            {
                "retry": {"in_seconds": round(pause, 3), "attempts": most},
                "error": result.problem.to_json() if result.problem else None,
            },
            "warning",
        )

    def _told(self, before: str, problem: Problem, after: str) -> str | MaskedText:
        """Return a sentence around a problem's message, with what was masked in that already."""
        text = f"{before}{problem.message}{after}"
        masked = self._scope.masker.mask_text(text) if problem.masks else None
        if masked is None or masked.masks or masked.text != text:
            return text
        return MaskedText(text, tuple(
            Mask(mask["offset"] + len(before), mask["secret"], mask["version"])
            for mask in problem.masks
        ))

    def _emit(
        self, task: Task, text: str | MaskedText, data: Mapping[str, Any], level: str = "info"
    ) -> None:
        with self._lock:
            # A node that was given up may still come to an end; that is nobody's news.
            if (task.node, task.item) in self._reported:
                return
            if data.get("state", "running") != "running":
                self._reported.add((task.node, task.item))
        self._scope.emit(
            "node", text, level=level, data=data, node=task.node, attempt=task.attempt
        )

    def _call(
        self, component: Component, step: Step, task: Task, cancelled: AttemptCancellation
    ) -> Mapping[str, Any]:
        given = self._scope.values.get(task.node, _NOTHING)
        inputs = gather(component, step, self._outputs, given)
        context = NodeContext(
            self._scope, task.node, config=bind(component, step.node.config, inputs.fields),
            inputs=inputs.plain, secrets=inputs.secrets, attempt=task.attempt, cancelled=cancelled,
            external=external_of(component, step.node), uses=component.uses,
        )
        outputs = component.run(context)
        cancelled.raise_if_set()
        return outputs

    def _shown(
        self, step: Step, outputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, list[dict[str, object]]], int]:
        """The outputs as the event shows them, which secrets stood where in plain ones, and the
        number of those places."""
        shown: dict[str, Any] = {}
        places: dict[str, list[dict[str, object]]] = {}
        leaks = 0
        ports = step.component.shape(step.node.config).out_of if step.component else {}
        for port, value in outputs.items():
            if port in ports and ports[port].type is PortType.ORDER:
                continue  # it carries nothing
            if isinstance(value, Secret):
                reference = value.refs[0] if value.refs else None
                shown[port] = {
                    "secret": value.names, "version": reference.version if reference else None,
                }
                continue
            masked = self._scope.masker.mask_object(value)
            leaks += masked.count
            shown[port], masks = shorten_masked(masked)
            if masks:
                places[port] = [mask.to_json() for mask in masks]
        return shown, places, leaks

    def _crashed(self, task: Task, label: str, error: BaseException) -> Problem:
        node_id = task.node
        limit = find_limit(error)
        if limit is not None:
            return Problem(limit.code, "error", f"{label}: {limit.message}", node=node_id)
        self._scope.emit(
            "log", describe_exception(self._scope.masker, error), level="error", node=node_id,
            attempt=task.attempt,
        )
        message = describe_message(self._scope.masker, error)
        before = f"{label} stopped on an error that its component didn't expect ("
        return Problem(
            "node_crashed", "error",
            f"{before}{message.text}). The traceback is in the run's log.", node=node_id,
            masks=tuple(
                mask.to_json() | {"offset": mask.offset + len(before)} for mask in message.masks
            ),
        )


def external_of(component: Component, node: Node) -> External | None:
    """Return the external secret that a node names."""
    named = component.external_secret(node.config) if component.provider else None
    return External(component.provider, named[0]) if named else None
