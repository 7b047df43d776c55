"""Running one node: its inputs gathered and checked, its outputs checked, masked and reported."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.components.binding import bind, convert
from app.components.declaration import Component
from app.components.errors import NodeCancelled, NodeError
from app.components.ports import PortType
from app.components.problems import Problem
from app.components.registry import Registry
from app.components.secret import Secret
from app.flows.graph import Edge, Node
from app.flows.wires import label_of
from app.providers.errors import EgressError
from worker.capture import describe_exception, describe_message
from worker.context import NodeContext, RunScope
from worker.telemetry import shorten_masked

__all__ = ["NodeResult", "NodeRunner", "label_of"]

NodeState = Literal["running", "succeeded", "failed", "skipped", "cancelled"]
_DEPTH = 500


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How a node ended.

    :param outputs: exact, for the nodes that come after; never sent anywhere.
    """

    state: NodeState
    outputs: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    seconds: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Inputs:
    fields: dict[str, Any]
    plain: dict[str, Any]
    secrets: dict[str, Secret]


class NodeRunner:
    """Runs single nodes of one graph and keeps their exact outputs. Used from many threads."""

    def __init__(
        self,
        registry: Registry,
        scope: RunScope,
        nodes: Mapping[str, Node],
        edges: Iterable[Edge],
        output_bytes: int,
    ) -> None:
        self._registry = registry
        self._scope = scope
        self._nodes = nodes
        self._limit = output_bytes
        self._into: dict[str, list[Edge]] = {node: [] for node in nodes}
        for edge in edges:
            self._into[edge.target.node].append(edge)
        self._outputs: dict[str, Mapping[str, Any]] = {}
        self._reported: set[str] = set()
        self._lock = threading.Lock()

    def run(self, node_id: str) -> NodeResult:
        """Run one node whose inputs are there. Raises nothing: a failure is a result."""
        node = self._nodes[node_id]
        label = label_of(node, self._registry)
        started = time.monotonic()
        try:
            self._scope.cancellation.raise_if_set()
            self._emit(node_id, f"{label} started.", {"state": "running"})
            component = self._registry.find(node.component)
            if component is None:
                raise NodeError(
                    "component_not_installed",
                    f"{label} is a {node.component}, which isn't installed on this worker.",
                )
            outputs = self._checked(component, label, self._call(component, node, label))
        except NodeCancelled:
            return self.cancelled(node_id, time.monotonic() - started)
        except NodeError as error:
            problem = error.to_problem(node_id)
        except EgressError as error:
            problem = Problem(error.code, "error", error.message, node=node_id)
        except BaseException as error:
            problem = self._crashed(node_id, label, error)
        else:
            self._outputs[node_id] = outputs
            return NodeResult("succeeded", outputs, seconds=time.monotonic() - started)
        return NodeResult("failed", problem=problem, seconds=time.monotonic() - started)

    def cancelled(self, node_id: str, seconds: float = 0.0) -> NodeResult:
        """The result of a node that stopped, or never started, because the run was cancelled."""
        return NodeResult("cancelled", seconds=seconds, text="cancelled")

    def skipped(self, node_id: str, blame: str | None) -> NodeResult:
        """The result of a node that can't start."""
        if blame is None:
            return NodeResult("skipped", text="skipped: the run's time is over")
        label = label_of(self._nodes[blame], self._registry)
        return NodeResult("skipped", text=f"skipped: {label} didn't succeed")

    def given_up(self, node_id: str) -> NodeResult:
        """The result of a node that goes on although it was asked to stop."""
        if self._scope.cancellation.cancelled:
            return self.cancelled(node_id)
        problem = Problem(
            "run_timeout", "error",
            f"{label_of(self._nodes[node_id], self._registry)} was still at work when the run's "
            "time was over. Raise the flow's time limit, or make it do less.", node=node_id,
        )
        return NodeResult("failed", problem=problem)

    def report(self, node_id: str, result: NodeResult) -> None:
        """Send the node's final event: state, masked outputs, problem."""
        node = self._nodes[node_id]
        label = label_of(node, self._registry)
        data: dict[str, Any] = {"state": result.state}
        level = "info"
        text = f"{label} {result.text or result.state}."
        if result.state == "succeeded":
            data["outputs"], places, leaks = self._shown(result.outputs)
            if places:
                data["output_masks"] = places
            text = f"{label} succeeded in {result.seconds * 1000:.0f} ms."
            if leaks:
                data["prevented_leaks"] = leaks
                level = "warning"
                text = f"{label} succeeded; secrets were masked in its outputs ({leaks} places)."
        elif result.problem is not None:
            data["problem"] = result.problem.to_json()
            level = "error"
            text = f"{label} failed: {result.problem.message}"
        self._emit(node_id, text, data, level)

    def _emit(
        self, node_id: str, text: str, data: Mapping[str, Any], level: str = "info"
    ) -> None:
        with self._lock:
            # A node that was given up may still come to an end; that is nobody's news.
            if node_id in self._reported:
                return
            if data["state"] != "running":
                self._reported.add(node_id)
        self._scope.emit("node", text, level=level, data=data, node=node_id)

    def _call(self, component: Component, node: Node, label: str) -> Mapping[str, Any]:
        inputs = self._gather(component, node, label)
        context = NodeContext(
            self._scope, node.id, config=bind(component, node.config, inputs.fields),
            inputs=inputs.plain, secrets=inputs.secrets,
        )
        outputs = component.run(context)
        self._scope.cancellation.raise_if_set()
        return outputs

    def _gather(self, component: Component, node: Node, label: str) -> _Inputs:
        ports, fields = component.input_ports(), component.fields()
        found = _Inputs({}, {}, {})
        for edge in self._into[node.id]:
            port = ports.get(edge.target.port)
            if port is None:
                raise NodeError("port_missing", f"{label} has no input {edge.target.port}.")
            if port.type is PortType.ORDER:
                continue
            where = f"{label}.{port.name}"
            value = self._outputs[edge.source.node].get(edge.source.port)
            if port.type is PortType.SECRET:
                if not isinstance(value, Secret):
                    raise NodeError(
                        "plain_into_secret",
                        f"{where} takes secrets only, and got plain data. Use Secret Fetch.",
                    )
                if value.structured and not port.structured:
                    raise NodeError(
                        "secret_not_text",
                        f"{where} takes a plain secret, and {value.names} is a JSON one. Use "
                        "Secret Field, or set its output format to raw.",
                    )
                found.secrets[port.name] = value
                continue
            if isinstance(value, Secret):
                raise NodeError(
                    "secret_into_plain",
                    f"{where} takes no secrets. Remove the wire from {value.names}.",
                )
            if port.name in fields:
                found.fields[port.name] = value
            elif port.multiple:
                found.plain.setdefault(port.name, []).append(convert(value, port.type, where))
            else:
                found.plain[port.name] = convert(value, port.type, where)
        for port in component.inputs:
            if port.required and port.name not in found.plain and port.name not in found.secrets:
                raise NodeError("required_input_missing", f"{label} needs {port.label}. Wire it.")
        return found

    def _checked(
        self, component: Component, label: str, outputs: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return the outputs of declared ports, each of the kind its port says.

        :raises NodeError: a secret on a plain port or the other way round, or no JSON, or too
            much of it.
        """
        kept: dict[str, Any] = {}
        for port in component.outputs:
            if port.name not in outputs:
                continue
            value = outputs[port.name]
            where = f"{label}.{port.name}"
            if port.type is PortType.SECRET:
                if not isinstance(value, Secret):
                    raise NodeError(
                        "plain_on_secret_output",
                        f"{where} is a secret output, and the component put plain data on it.",
                    )
            elif _holds_secret(value):
                raise NodeError(
                    "secret_on_plain_output",
                    f"The component put a secret on {where}, which isn't a secret output.",
                )
            else:
                self._measure(where, value)
            kept[port.name] = value
        return kept

    def _measure(self, where: str, value: Any) -> None:
        try:
            size = len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        except (TypeError, ValueError, RecursionError):
            raise NodeError(
                "output_not_json", f"{where} isn't JSON data, so it can't be passed on."
            ) from None
        if size > self._limit:
            raise NodeError(
                "output_too_large",
                f"{where} is {size // 1024} KiB long; the limit is {self._limit // 1024} KiB. "
                "Ask for less, or in pages.",
            )

    def _shown(
        self, outputs: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, list[dict[str, object]]], int]:
        """The outputs as the event shows them, which secrets stood where in plain ones, and the
        number of those places."""
        shown: dict[str, Any] = {}
        places: dict[str, list[dict[str, object]]] = {}
        leaks = 0
        for port, value in outputs.items():
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

    def _crashed(self, node_id: str, label: str, error: BaseException) -> Problem:
        self._scope.emit(
            "log", describe_exception(self._scope.masker, error), level="error", node=node_id
        )
        message = describe_message(self._scope.masker, error)
        return Problem(
            "node_crashed", "error",
            f"{label} stopped on an error that its component didn't expect ({message[:500]}). "
            "The traceback is in the run's log.", node=node_id,
        )


def _holds_secret(value: Any) -> bool:
    """Whether a :class:`Secret` stands anywhere in a structure."""
    pending = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, Secret):
            return True
        if depth < _DEPTH:
            if isinstance(item, Mapping):
                pending += ((inner, depth + 1) for pair in item.items() for inner in pair)
            elif isinstance(item, list | tuple | set | frozenset):
                pending += ((inner, depth + 1) for inner in item)
    return False
