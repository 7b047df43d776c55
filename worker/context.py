"""What a node is given while it runs: the worker's :class:`~app.components.context.Context`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from app.components.errors import NodeError
from app.components.examples import require_use
from app.components.expressions import Language
from app.components.problems import Remedy
from app.components.secret import Secret, SecretRef, expose, open_address, open_for
from app.ids import iso, utcnow
from worker.cancellation import AttemptCancellation, RunCancellation
from worker.errors import RuntimeRefused, RuntimeUnreachable
from worker.external import External, ExternalDoor, Purpose, key_of
from worker.masking import WITHHELD, MaskedText, Masker, MaskerFull

if TYPE_CHECKING:
    from app.components.folders import Folder
    from app.providers.egress import EgressGuard
    from worker.expressions import Expressions


ANSWER_LOST: Final = "secret_answer_lost"
"""A value was given out and didn't arrive: the engine tries again whatever the node's policy is,
since the node has done nothing yet, and an attempt of its own may have the value once more."""

LOST_AGAIN: Final = 2
LOST_PAUSE: Final = 0.2
"""How often, and after how many seconds, a value is asked for again whose answer was lost."""

_MAX_VALUE: Final = 64 * 1024
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Grant:
    """The right of one node to one version of one secret, as the claim named it."""

    node: str
    secret_id: str
    name: str
    version: int
    allowed_hosts: tuple[str, ...] | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Grant:
        """Read a grant of a claim."""
        hosts = document.get("allowed_hosts")
        return cls(
            str(document["node"]), str(document["secret_id"]), str(document["name"]),
            int(document["version"]), None if hosts is None else tuple(map(str, hosts)),
        )


class Emit(Protocol):
    """How events get out (:meth:`worker.telemetry.Telemetry.emit`)."""

    def __call__(
        self,
        kind: str,
        text: str | MaskedText,
        *,
        level: str = "info",
        data: Mapping[str, Any] | None = None,
        node: str | None = None,
        attempt: int = 1,
    ) -> None: ...


@dataclass(frozen=True)
class RunScope:
    """What all nodes of a run share.

    :param fetch_value: ``(grant, attempt, purpose)`` to the plaintext; raises what the client
        raises.
    :param guard: makes the egress guard when the first node asks for it.
    :param expressions: evaluates what users wrote.
    :param values: of inputs that no wire brings, where a node runs alone: by node and input.
    :param folders: what the environment grants of the worker's folders.
    :param leaks_fail: whether a node fails whose outputs held secrets, which are masked anyway.
    """

    run_id: str
    inputs: Mapping[str, Any]
    grants: Mapping[str, Grant]
    masker: Masker
    cancellation: RunCancellation
    emit: Emit
    fetch_value: Callable[[Grant, int, Purpose], str]
    guard: Callable[[], EgressGuard]
    scratch: Path
    external: ExternalDoor
    expressions: Expressions | None = None
    leaks_fail: bool = False
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folders: tuple[Folder, ...] = ()


class WorkerLog:
    """A node's log: masked, then sent as events."""

    def __init__(self, emit: Emit, node: str, attempt: int) -> None:
        self._emit, self._node, self._attempt = emit, node, attempt

    def debug(self, text: str, data: Any = None) -> None:
        """Write a line for those who look closely."""
        self._write("debug", text, data)

    def info(self, text: str, data: Any = None) -> None:
        """Write a line."""
        self._write("info", text, data)

    def warning(self, text: str, data: Any = None) -> None:
        """Write a line that someone should look at."""
        self._write("warning", text, data)

    def error(self, text: str, data: Any = None) -> None:
        """Write a line about something that went wrong."""
        self._write("error", text, data)

    def _write(self, level: str, text: str, data: Any) -> None:
        if data is None:
            shown: Mapping[str, Any] = {}
        else:
            shown = data if isinstance(data, Mapping) else {"value": data}
        self._emit(
            "log", str(text), level=level, data=shown, node=self._node, attempt=self._attempt
        )


class NodeContext:
    """One attempt of one node."""

    def __init__(
        self,
        scope: RunScope,
        node_id: str,
        *,
        config: Any,
        inputs: Mapping[str, Any],
        secrets: Mapping[str, Secret],
        attempt: int = 1,
        cancelled: AttemptCancellation | RunCancellation | None = None,
        purpose: Purpose = "use",
        external: External | None = None,
        uses: Collection[str] = (),
    ) -> None:
        self._scope = scope
        self._uses = uses
        self._secrets = secrets
        self._purpose: Purpose = purpose
        self._external = external
        self.run_id = scope.run_id
        self.node_id = node_id
        self.attempt = attempt
        self.config = config
        self.inputs = inputs
        self.run_inputs = scope.inputs
        self.log = WorkerLog(scope.emit, node_id, attempt)
        self.cancelled = cancelled or scope.cancellation
        self.scratch = scope.scratch

    @property
    def folders(self) -> tuple[Folder, ...]:
        """Other folders that the run may use.

        :raises NodeError: ``use_not_declared``.
        """
        require_use(self._uses, "files")
        return self._scope.folders

    @property
    def egress(self) -> EgressGuard:
        """The way out: every connection is made through it.

        :raises NodeError: ``use_not_declared``.
        """
        require_use(self._uses, "network")
        return self._scope.guard()

    def holds_secret(self, text: str) -> bool:
        """Say whether a registered value stands in a text, in any of its forms."""
        masked = self._scope.masker.mask_text(text)
        return masked.text == WITHHELD or bool(masked.masks)

    @contextmanager
    def span(self, name: str, **attributes: Any) -> Iterator[dict[str, Any]]:
        """Time a step of the node; its end is sent as an event, masked like all others."""
        began, state = utcnow(), "failed"
        try:
            yield attributes
            state = "succeeded"
        finally:
            self._scope.emit(
                "span", name,
                data={"started_at": iso(began), "state": state, "attributes": attributes},
                node=self.node_id, attempt=self.attempt,
            )

    def evaluate(self, language: Language, source: str, data: Any) -> Any:
        """Return what an expression that a user wrote makes of plain data.

        :raises NodeError: ``expression_not_valid``, ``expression_failed``…; never quotes data.
        """
        if self._scope.expressions is None:
            raise NodeError("expressions_missing", "This worker can't evaluate expressions.")
        return self._scope.expressions.evaluate(
            language, source, data, self.cancelled.raise_if_set
        )

    def has_secret(self, port: str) -> bool:
        """Say whether a secret is wired into ``port``."""
        return port in self._secrets

    def reveal(self, port: str, destination: str | Callable[[str], str]) -> str:
        """Return the plaintext of the secret on ``port``, for one destination only.

        :raises NodeError: ``secret_host_denied``; ``secret_not_wired``.
        """
        return open_for(self._secret(port), port, destination)

    def reveal_address(self, port: str) -> str:
        """Return the plaintext of a secret that is an address, for the place that it names.

        :raises NodeError: ``secret_not_usable``; ``secret_host_denied``; ``secret_not_wired``.
        """
        address, parts = open_address(self._secret(port), port)
        for part in parts:
            self.derive(part, port)
        return address

    def fetch_secret(self) -> Secret:
        """Return the stored secret that the plan grants to this node.

        :raises NodeError: ``secret_not_granted``, ``secret_too_weak``, or the server's refusal.
        """
        grant = self._scope.grants.get(self.node_id)
        if grant is None:
            raise NodeError(
                "secret_not_granted",
                "The pre-run check granted no secret to this node. Choose a secret in it and run "
                "the flow again.",
            )
        self.cancelled.raise_if_set()
        try:
            with self.span("secret.fetch", secret=grant.name, version=grant.version):
                value = self._scope.fetch_value(grant, self.attempt, self._purpose)
        except RuntimeRefused as error:
            if error.code == "token_spent":
                raise _answer_lost(grant) from None
            raise _refused(error, grant) from None
        except RuntimeUnreachable as error:
            raise NodeError(
                "secret_unreachable",
                f"Secret {grant.name} couldn't be fetched: {error}", retryable=True,
            ) from None
        # Before anything else can see it.
        self._register(value, grant.name, grant.version)
        reference = SecretRef(grant.name, grant.version, grant.secret_id)
        return Secret(value, (reference,), grant.allowed_hosts)

    @property
    def checked_version(self) -> str:
        """The version that the pre-run check found of the node's external secret."""
        return self._scope.external.versions.get(self.node_id, "")

    def fetch_external(self, fetch: Callable[[], tuple[str, str]]) -> Secret:
        """Return the secret that ``fetch`` gets from an external manager.

        :raises NodeError: what ``fetch`` raises; the server's refusal; ``secret_too_long``.
        """
        named, door = self._named(), self._scope.external
        key = key_of(named, self.config, self._secrets)
        self.cancelled.raise_if_set()
        found = door.find(key)
        if found is None:
            found = self._asking(fetch)
            self._register(found[0], named.reference, None)
            if len(found[0].encode("utf-8", "surrogatepass")) > _MAX_VALUE:
                raise NodeError(
                    "secret_too_long", f"Secret {named.reference} is longer than 64 KiB."
                )
        value, version = found
        if self._scope.masker.mask_text(version).masks:
            # A manager that answers with the value here; the audit holds what it is told.
            version = ""
        door.report(self.node_id, self.attempt, self._purpose, version=version)
        door.keep(key, found)
        return Secret(value, (SecretRef(named.reference, None, "", version),))

    def describe_external(self, describe: Callable[[], str]) -> str:
        """Return what ``describe`` says, and have the access audited."""
        self._named()
        version = self._asking(describe)
        self._scope.external.report(self.node_id, self.attempt, self._purpose, version=version)
        return version

    def worker_value(self, reference: str) -> str:
        """Return a secret of the worker's machine.

        :raises NodeError: ``use_not_declared``, ``worker_secret_denied``, ``secret_missing``.
        """
        require_use(self._uses, "worker_secrets")
        value = self._scope.external.worker_value(reference)
        self._register(value, reference, None)
        return value

    def _asking(self, call: Callable[[], _Answer]) -> _Answer:
        try:
            return call()
        except NodeError as error:
            # That it was tried is written down where that is possible; the failure stands.
            with contextlib.suppress(NodeError):
                self._scope.external.report(
                    self.node_id, self.attempt, self._purpose, code=error.code
                )
            raise

    def _named(self) -> External:
        if self._external is None:
            raise NodeError("secret_not_chosen", "The node names no external secret. Choose one.")
        return self._external

    def derive(self, value: str, *ports: str) -> Secret:
        """Make a secret of a value built from the secrets on ``ports``.

        :raises NodeError: ``secret_not_wired``; ``secret_too_weak`` where it can't be masked.
        """
        parents = [self._secret(port) for port in ports]
        made = Secret.derived(value, parents)
        self._register(value, made.names, made.refs[0].version if made.refs else None)
        return made

    def combine(self, make: Callable[[Mapping[str, str]], str], *ports: str) -> Secret:
        """Make a secret of what ``make`` returns for the plaintexts on ``ports``.

        :raises NodeError: what ``make`` raises, and :meth:`derive`; ``secret_too_long``.
        """
        value = make({port: expose(self._secret(port)) for port in ports})
        if len(value.encode("utf-8", "surrogatepass")) > _MAX_VALUE:
            raise NodeError("secret_too_long", "The secret that was made is longer than 64 KiB.")
        return self.derive(value, *ports)

    def _secret(self, port: str) -> Secret:
        secret = self._secrets.get(port)
        if secret is None:
            raise NodeError(
                "secret_not_wired", f"No secret is wired into {port}. Wire a Secret Fetch into it."
            )
        return secret

    def _register(self, value: str, name: str, version: int | None) -> None:
        try:
            masked = self._scope.masker.register(value, name, version)
        except MaskerFull as error:
            raise NodeError("masker_full", f"{error} Use fewer or smaller secrets.") from None
        if not masked:
            raise NodeError(
                "secret_too_weak",
                f"The value from secret {name} has fewer than 4 characters and can't be masked, "
                "so it isn't used. Store a longer one.",
            )


def _answer_lost(grant: Grant) -> NodeError:
    """A node asks once in an attempt: what had its value already was an answer that never came."""
    return NodeError(
        ANSWER_LOST,
        f"The value of secret {grant.name} was given out, and the answer with it was lost on its "
        "way to this worker. Each attempt gets a value once. Look at the network between the "
        "worker and the runtime listener if this goes on.",
        retryable=True,
    )


def _refused(error: RuntimeRefused, grant: Grant) -> NodeError:
    remedy = None
    if error.status in (403, 404, 409, 410):
        remedy = Remedy("remap_secret", "Choose another secret", {"secret": grant.name})
    return NodeError(error.code, error.detail, retryable=error.status >= 500, remedy=remedy)
