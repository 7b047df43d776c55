"""The pre-run check of external secrets: every node asks its manager before any node runs.

Credentials that come straight from a Secret Fetch are fetched for it, under that node's own grant
and with the purpose ``check``; what other nodes compute isn't there yet, and such a node is
checked when it runs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from app.components.binding import bind
from app.components.declaration import Component
from app.components.errors import NodeCancelled, NodeError
from app.components.ports import PortType
from app.components.problems import Problem
from app.components.registry import Registry
from app.components.secret import Secret
from app.flows.graph import Graph, Node
from app.flows.validation import SECRET_FETCH
from app.providers.errors import EgressError
from worker.capture import current_node, describe_exception
from worker.context import ANSWER_LOST, LOST_AGAIN, LOST_PAUSE, NodeContext, RunScope
from worker.external import AUDIT_UNREACHABLE
from worker.nodes import external_of

PARALLEL: Final = 8
_LOST: Final = frozenset({ANSWER_LOST, AUDIT_UNREACHABLE})
_Found = TypeVar("_Found")


class PreRunCheck:
    """Checks the external secrets of one graph."""

    def __init__(self, graph: Graph, components: Registry, scope: RunScope) -> None:
        self._graph, self._components, self._scope = graph, components, scope
        self._fetched: dict[str, Secret | NodeError] = {}
        self._locks = {node.id: threading.Lock() for node in graph.nodes}

    def nodes(self) -> list[Node]:
        """Return the nodes that can be asked now."""
        return [
            node
            for node in self._graph.nodes
            if not node.disabled and self._is_external(node) and self._is_ready(node)
        ]

    def run(self) -> list[Problem]:
        """Ask for every node's secret; returns one problem for each that won't be there.

        :raises NodeCancelled: the run was cancelled.
        """
        nodes = self.nodes()
        waiting: queue.SimpleQueue[Node] = queue.SimpleQueue()
        for node in nodes:
            waiting.put(node)
        problems: dict[str, Problem] = {}

        def work() -> None:
            while True:
                try:
                    node = waiting.get_nowait()
                except queue.Empty:
                    return
                found = self._check(node)
                if found is not None:
                    problems[node.id] = found

        threads = [
            threading.Thread(target=work, name=f"check-{number}", daemon=True)
            for number in range(min(PARALLEL, len(nodes)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._scope.cancellation.cancelled:
            raise NodeCancelled
        return [problems[node.id] for node in nodes if node.id in problems]

    def _is_external(self, node: Node) -> bool:
        component = self._components.find(node.component, node.version)
        return component is not None and bool(component.provider)

    def _is_ready(self, node: Node) -> bool:
        component = self._components.find(node.component, node.version)
        ports = component.shape(node.config).into if component is not None else {}
        for edge in self._graph.into[node.id]:
            port = ports.get(edge.target.port)
            if port is None or port.type is PortType.ORDER:
                continue
            source = self._graph.by_id[edge.source.node]
            if port.type is not PortType.SECRET or source.component != SECRET_FETCH:
                return False
        return True

    def _check(self, node: Node) -> Problem | None:
        component = self._components.find(node.component, node.version)
        if component is None:
            return None  # its own run says so
        current_node.set(node.id)
        try:
            secrets = self._secrets(node, component)
            self._scope.external.versions[node.id] = self._repeat(
                lambda attempt: component.check(NodeContext(
                    self._scope, node.id, config=bind(component, node.config), inputs={},
                    secrets=secrets, attempt=attempt, purpose="check",
                    external=external_of(component, node), uses=component.uses,
                ))
            )
        except NodeCancelled:
            return None
        except NodeError as error:
            return error.to_problem(node.id)
        except EgressError as error:
            return Problem(error.code, "error", error.message, node=node.id)
        except Exception as error:
            text = describe_exception(self._scope.masker, error)
            self._scope.emit("log", text, level="error", node=node.id)
            return Problem(
                "check_crashed", "error",
                f"{component.title} stopped on an error that its check didn't expect. The "
                "traceback is in the run's log.", node=node.id,
            )
        return None

    def _secrets(self, node: Node, component: Component) -> Mapping[str, Secret]:
        shape = component.shape(node.config)
        ports = shape.into
        found = {}
        for edge in self._graph.into[node.id]:
            if ports[edge.target.port].type is PortType.SECRET:
                found[edge.target.port] = self._fetch(self._graph.by_id[edge.source.node])
        for port in shape.inputs:
            if port.required and port.type is PortType.SECRET and port.name not in found:
                raise NodeError("required_input_missing", f"{port.label} has no wire.")
        return found

    def _fetch(self, node: Node) -> Secret:
        """Return what a Secret Fetch hands over; fetched once for all who ask.

        :raises NodeError: it can't be fetched.
        """
        with self._locks[node.id]:
            if node.id not in self._fetched:
                component = self._components.get(node.component)

                def ask(attempt: int) -> Secret:
                    fetched: Secret = component.run(NodeContext(
                        self._scope, node.id, config=bind(component, node.config), inputs={},
                        secrets={}, attempt=attempt, purpose="check",
                    ))["value"]
                    return fetched

                try:
                    self._fetched[node.id] = self._repeat(ask)
                except NodeError as error:
                    self._fetched[node.id] = error
        found = self._fetched[node.id]
        if isinstance(found, NodeError):
            raise found
        return found

    def _repeat(self, ask: Callable[[int], _Found]) -> _Found:
        """Ask again where an answer was lost on its way: nothing is wrong with the secret, and an
        attempt of its own may have it once more.

        :param ask: takes the number of the attempt.
        """
        attempt = 1
        while True:
            try:
                return ask(attempt)
            except NodeError as error:
                if error.code not in _LOST or attempt > LOST_AGAIN:
                    raise
            if self._scope.cancellation.wait(LOST_PAUSE):
                raise NodeCancelled
            attempt += 1
