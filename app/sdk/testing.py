"""Runs a component without a server, and looks whether it lets a secret slip.

::

    result = run(HttpRequest(), {"url": server.url}, secrets={"bearer_token": "s3cret-value"})
    assert result.outputs["status"] == 200
    assert result.leaks == ()
"""

from __future__ import annotations

import base64
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.components.binding import bind, convert
from app.components.declaration import Component
from app.components.errors import NodeCancelled, NodeError, NodeTimeout
from app.components.examples import require_use
from app.components.expressions import LANGUAGES, Language, answer, problem_with
from app.components.folders import Folder
from app.components.ports import PortType
from app.components.secret import Secret, SecretRef, expose, open_address, open_for
from app.providers.egress import EgressGuard
from app.providers.errors import EgressError
from app.sdk.watching import watched


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the node's log."""

    level: str
    text: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left behind.

    :param outputs: by port; secret outputs are ``Secret`` objects.
    :param error: the failure, where the node failed.
    :param lines: its log.
    :param revealed: ``(port, destination)`` of every secret that was opened, in order.
    :param leaks: where a secret's value stands in plain outputs, lines or the failure:
        ``output body``, ``log line 1``, ``error``. A component that ``opens_secrets`` may have
        some in its outputs, which the worker scrubs; its lines and failures must have none.
    :param past: what it did past its context, ``connects to the network by itself`` say.
    """

    outputs: Mapping[str, Any]
    error: NodeError | None
    lines: tuple[Line, ...]
    revealed: tuple[tuple[str, str], ...]
    leaks: tuple[str, ...]
    past: tuple[str, ...] = ()


@dataclass
class LocalLog:
    """A log that keeps its lines."""

    lines: list[Line] = field(default_factory=list)

    def debug(self, text: str, data: Any = None) -> None:
        """Keep a debug line."""
        self.lines.append(Line("debug", text, data))

    def info(self, text: str, data: Any = None) -> None:
        """Keep a line."""
        self.lines.append(Line("info", text, data))

    def warning(self, text: str, data: Any = None) -> None:
        """Keep a warning."""
        self.lines.append(Line("warning", text, data))

    def error(self, text: str, data: Any = None) -> None:
        """Keep an error line."""
        self.lines.append(Line("error", text, data))


class LocalCancellation:
    """A cancellation that a test sets off, by :meth:`cancel` or by a time limit in seconds."""

    def __init__(self, limit: float | None = None) -> None:
        self._event = threading.Event()
        self._end = None if limit is None else time.monotonic() + limit

    def cancel(self) -> None:
        """Cancel the run."""
        self._event.set()

    def is_set(self) -> bool:
        """Say whether to stop."""
        return self._event.is_set() or self._late()

    def wait(self, seconds: float) -> bool:
        """Sleep up to ``seconds``; True when it is time to stop."""
        if self._end is not None:
            seconds = max(0.0, min(seconds, self._end - time.monotonic()))
        return self._event.wait(seconds) or self._late()

    def raise_if_set(self) -> None:
        """Stop here when it is time to."""
        if self._event.is_set():
            raise NodeCancelled
        if self._late():
            raise NodeTimeout("The node's time is over.")

    def _late(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end


@dataclass
class LocalContext:
    """A :class:`~app.components.context.Context` in one process, with nothing behind it."""

    config: Any
    inputs: Mapping[str, Any]
    secrets: Mapping[str, Secret]
    granted: Secret | None
    run_inputs: Mapping[str, Any]
    scratch: Path
    guard: EgressGuard
    cancelled: LocalCancellation
    log: LocalLog = field(default_factory=LocalLog)
    run_id: str = "local-run"
    node_id: str = "node"
    attempt: int = 1
    revealed: list[tuple[str, str]] = field(default_factory=list)
    known: list[Secret] = field(default_factory=list)
    machine: Mapping[str, str] = field(default_factory=dict)
    found_version: str = ""
    spans: list[str] = field(default_factory=list)
    listed: tuple[Folder, ...] = ()
    uses: tuple[str, ...] = ()

    @property
    def egress(self) -> EgressGuard:
        """The way out, for a component that declares it."""
        require_use(self.uses, "network")
        return self.guard

    @property
    def folders(self) -> tuple[Folder, ...]:
        """Other folders, for a component that declares files."""
        require_use(self.uses, "files")
        return self.listed

    def holds_secret(self, text: str) -> bool:
        """Say whether a secret's value stands in a text, in the forms that the kit knows."""
        held = [*self.secrets.values(), *self.known, *([self.granted] if self.granted else [])]
        return any(form in text for one in held for form in _forms(expose(one)))

    @contextmanager
    def span(self, name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
        """Keep the name of a step in :attr:`spans`."""
        self.spans.append(name)
        yield attributes

    def evaluate(self, language: Language, source: str, data: Any) -> Any:
        """Evaluate an expression, in this process and without a worker's limits."""
        reply = answer(LANGUAGES[language](), {"source": source, "data": data, "most": 1024**2})
        if "text" in reply:
            return json.loads(reply["text"])["value"]
        raise problem_with(language, reply["error"], line=reply["line"], column=reply["column"])

    def has_secret(self, port: str) -> bool:
        """Say whether a secret is wired into ``port``."""
        return port in self.secrets

    def reveal(self, port: str, destination: str | Callable[[str], str]) -> str:
        """Open a secret for one destination."""
        if port not in self.secrets:
            raise NodeError("secret_not_wired", f"No secret is wired into {port}.")
        if callable(destination):
            destination = destination(expose(self.secrets[port]))
        value = open_for(self.secrets[port], port, destination)
        self.revealed.append((port, destination))
        return value

    def reveal_address(self, port: str) -> str:
        """Open a secret that is an address."""
        if port not in self.secrets:
            raise NodeError("secret_not_wired", f"No secret is wired into {port}.")
        address, parts = open_address(self.secrets[port], port)
        self.revealed.append((port, "its own address"))
        for part in parts:
            self.derive(part, port)
        return address

    def fetch_secret(self) -> Secret:
        """Return the granted secret."""
        if self.granted is None:
            raise NodeError("secret_missing", "The plan grants no secret to this node.")
        return self.granted

    @property
    def checked_version(self) -> str:
        """The version that :func:`check` found, where a test ran it before."""
        return self.found_version

    def fetch_external(self, fetch: Callable[[], tuple[str, str]]) -> Secret:
        """Return the secret that ``fetch`` gets."""
        value, version = fetch()
        made = Secret(value, (SecretRef("external", None, "", version),))
        self.known.append(made)
        return made

    def describe_external(self, describe: Callable[[], str]) -> str:
        """Return what ``describe`` says."""
        return describe()

    def worker_value(self, reference: str) -> str:
        """Return a secret of the machine that the test made up."""
        require_use(self.uses, "worker_secrets")
        if reference not in self.machine:
            raise NodeError("worker_secret_denied", f"Nothing grants {reference}.")
        return self.machine[reference]

    def derive(self, value: str, *ports: str) -> Secret:
        """Make a secret of a value built from others."""
        made = Secret.derived(value, [self.secrets[port] for port in ports])
        self.known.append(made)
        return made

    def combine(self, make: Callable[[Mapping[str, str]], str], *ports: str) -> Secret:
        """Make a secret of the plaintexts on ``ports``."""
        for port in ports:
            if port not in self.secrets:
                raise NodeError("secret_not_wired", f"No secret is wired into {port}.")
        return self.derive(make({port: expose(self.secrets[port]) for port in ports}), *ports)


def make_secret(
    value: str, name: str = "test_secret", allowed_hosts: Iterable[str] | None = None
) -> Secret:
    """Return a secret as a worker would hold it."""
    return Secret(
        value, (SecretRef(name, 1, "00000000-0000-7000-8000-000000000000"),), allowed_hosts
    )


def run(
    component: Component,
    config: Mapping[str, Any] | None = None,
    *,
    wires: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str | Secret] | None = None,
    granted: str | Secret | None = None,
    run_inputs: Mapping[str, Any] | None = None,
    egress: EgressGuard | None = None,
    cancelled: LocalCancellation | None = None,
    machine: Mapping[str, str] | None = None,
    only_check: bool = False,
    folders: Iterable[Folder] = (),
    scratch: Path | None = None,
) -> Result:
    """Run one node as the worker would, and search what it leaves for its secrets.

    :param config: what was typed.
    :param wires: values of wired inputs that aren't secret, by port.
    :param secrets: secrets wired in, by port.
    :param granted: what ``fetch_secret`` returns (Secret Fetch).
    :param machine: secrets of the worker's machine, by reference.
    :param folders: what the run may use besides its own folder.
    :param scratch: the run's own folder, kept; a new one by default, which goes with the run.
    :param only_check: do the pre-run check of an external secret and no more.
    :raises NodeCancelled: the run was cancelled while it worked.
    """
    held = {port: _as_secret(value, port) for port, value in (secrets or {}).items()}
    wired = dict(wires or {})
    with tempfile.TemporaryDirectory() as folder:
        context = LocalContext(
            config=None,
            inputs={},
            secrets=held,
            granted=None if granted is None else _as_secret(granted, "granted"),
            run_inputs=run_inputs or {},
            scratch=scratch or Path(folder),
            listed=tuple(folders),
            uses=component.uses,
            guard=egress or EgressGuard(),
            cancelled=cancelled or LocalCancellation(),
            machine=machine or {},
        )
        outputs: Mapping[str, Any] = {}
        failed: NodeError | None = None
        past: list[str] = []
        try:
            context.config = bind(component, config or {}, wired)
            context.inputs = {
                port.name: convert(wired[port.name], port.type, f"{component.title}.{port.name}")
                for port in component.shape(config or {}).inputs
                if port.name in wired and port.type is not PortType.SECRET
            }
            with watched() as past:
                if component.provider:
                    context.found_version = component.check(context)
                outputs = {} if only_check else component.run(context)
            _check_outputs(component, config or {}, outputs)
        except NodeError as error:
            failed = error
        except EgressError as error:
            failed = NodeError(error.code, error.message, retryable=error.retryable)
    values = [expose(one) for one in (*held.values(), *context.known)]
    values += [expose(context.granted)] if context.granted else []
    leaks = tuple(_leaks(values, outputs, context.log.lines, failed))
    lines, revealed = tuple(context.log.lines), tuple(context.revealed)
    return Result(outputs, failed, lines, revealed, leaks, tuple(past))


def _as_secret(value: str | Secret, name: str) -> Secret:
    return value if isinstance(value, Secret) else make_secret(value, name)


def _check_outputs(
    component: Component, config: Mapping[str, Any], outputs: Mapping[str, Any]
) -> None:
    """Hold a component to its declaration, as the worker does.

    :raises AssertionError: an output that isn't declared, or a secret on a plain port.
    """
    ports = {port.name: port.type for port in component.shape(config).outputs}
    for name, value in outputs.items():
        if name not in ports:
            raise AssertionError(f"{component.name} returned {name}, which it doesn't declare")
        if isinstance(value, Secret) is not (ports[name] is PortType.SECRET):
            raise AssertionError(f"{component.name}.{name} isn't of type {ports[name]}")
        if not isinstance(value, Secret):
            json.dumps(value)


def _leaks(
    values: list[str], outputs: Mapping[str, Any], lines: list[Line], error: NodeError | None
) -> Iterable[str]:
    forms = [form for value in values for form in _forms(value)]
    places = [(f"output {name}", value) for name, value in outputs.items()]
    places += [(f"log line {number}", line) for number, line in enumerate(lines, start=1)]
    if error is not None:
        places.append(("error", [error.code, error.message, error.remedy]))
    for place, found in places:
        texts = (repr(found), json.dumps(found, default=repr, ensure_ascii=False))
        if any(form in text for form in forms for text in texts):
            yield place


def _forms(value: str) -> Iterable[str]:
    """Yield the forms that a careless component would leave: plain, URL, hex, base64."""
    data = value.encode()
    yield from {
        value,
        json.dumps(value)[1:-1],
        quote(value, safe=""),
        data.hex(),
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
    }
