"""What a running component is given: the one object between it and the rest of the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from app.components.expressions import Language
from app.components.secret import Secret

if TYPE_CHECKING:  # a run that connects nowhere doesn't load the guard
    from app.components.folders import Folder
    from app.providers.egress import EgressGuard


class NodeLog(Protocol):
    """The node's log. Lines pass through the masker before anything stores them."""

    def debug(self, text: str, data: Any = None) -> None:
        """Write a line for those who look closely."""

    def info(self, text: str, data: Any = None) -> None:
        """Write a line."""

    def warning(self, text: str, data: Any = None) -> None:
        """Write a line that someone should look at."""

    def error(self, text: str, data: Any = None) -> None:
        """Write a line about something that went wrong."""


class Cancellation(Protocol):
    """Whether the run was cancelled, or the node's time is over."""

    def is_set(self) -> bool:
        """Say whether to stop."""

    def wait(self, seconds: float) -> bool:
        """Sleep up to ``seconds``; return at once, and True, when it is time to stop."""

    def raise_if_set(self) -> None:
        """Stop here when it is time to.

        :raises NodeCancelled: the run was cancelled.
        :raises NodeTimeout: the node's or the run's deadline passed.
        """


class Context(Protocol):
    """One attempt of one node of one run."""

    @property
    def run_id(self) -> str:
        """Id of the run."""

    @property
    def node_id(self) -> str:
        """Id of the node in the flow."""

    @property
    def attempt(self) -> int:
        """1 for the first try."""

    @property
    def config(self) -> Any:
        """The component's ``Config``, validated, wired values merged in (a wire wins)."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Values of the declared inputs that aren't secret, by port; unwired ones are absent."""

    @property
    def run_inputs(self) -> Mapping[str, Any]:
        """What the run was started with."""

    @property
    def log(self) -> NodeLog:
        """The node's log."""

    @property
    def cancelled(self) -> Cancellation:
        """Look at it in every loop; within two seconds a cancelled node has to be gone."""

    @property
    def scratch(self) -> Path:
        """The run's own folder: the only place for files. Gone after the run."""

    @property
    def folders(self) -> tuple[Folder, ...]:
        """Other folders that the run may use; see :mod:`app.components.files`.

        :raises NodeError: ``use_not_declared``: the component's ``uses`` lacks ``files``.
        """

    def holds_secret(self, text: str) -> bool:
        """Say whether a value of the run's secrets stands in a text, in any form that is masked.

        For data that is about to be kept where nothing masks it.
        """

    @property
    def egress(self) -> EgressGuard:
        """The way out: every connection is made through it.

        :raises NodeError: ``use_not_declared``: the component's ``uses`` lacks ``network``.
        """

    def span(self, name: str, **attributes: Any) -> AbstractContextManager[dict[str, Any]]:
        """Time a step of the node: a span of the run's timeline and trace.

        Name and attributes are masked like everything else; what is put into the yielded mapping
        meanwhile counts too. An exception marks the span as failed and goes on.
        """

    def evaluate(self, language: Language, source: str, data: Any) -> Any:
        """Return what an expression that a user wrote makes of plain data.

        It is evaluated in a limited process that holds no secret, and ended after a few seconds.

        :raises NodeError: ``expression_not_valid``, ``expression_failed``, ``expression_timeout``…
            Their messages name lines and never quote data.
        """

    def has_secret(self, port: str) -> bool:
        """Say whether a secret is wired into ``port``."""

    def reveal(self, port: str, destination: str | Callable[[str], str]) -> str:
        """Return the plaintext of the secret on ``port``, for one destination only.

        :param destination: ``https://host:port`` that it is about to be sent to, or ``local``.
            Ask again after every redirect. For a secret that names its own place (a database's
            address), a function that reads the place out of it.
        :raises NodeError: ``secret_host_denied``; ``secret_not_wired``.
        """

    def reveal_address(self, port: str) -> str:
        """Return the plaintext of a secret that is an http or https address, for the place that
        it names itself. The masker knows its parts too, as they may be told back alone.

        :raises NodeError: ``secret_not_usable``, where it is no address; as :meth:`reveal`.
        """

    def fetch_secret(self) -> Secret:
        """Return the stored secret that the plan grants to this node (Secret Fetch only)."""

    @property
    def checked_version(self) -> str:
        """The version that the pre-run check found of the node's external secret; may be empty."""

    def fetch_external(self, fetch: Callable[[], tuple[str, str]]) -> Secret:
        """Return the secret that ``fetch`` gets from an external manager (ExternalFetch only).

        The masker knows it and the audit has its access before it is returned. A value that
        this run fetched already, with the same settings and credentials, isn't fetched again.

        :param fetch: returns the value and its version.
        :raises NodeError: what ``fetch`` raises, which is audited too; or the server's refusal.
        """

    def describe_external(self, describe: Callable[[], str]) -> str:
        """Return what ``describe`` says, and audit that the manager was asked."""

    def worker_value(self, reference: str) -> str:
        """Return a secret of the worker's machine: ``env:NAME``, ``file:/path``, ``role:aws``.

        :raises NodeError: ``worker_secret_denied``, when environment or worker don't grant it;
            ``secret_missing``, when it isn't there; ``use_not_declared``.
        """

    def derive(self, value: str, *ports: str) -> Secret:
        """Make a secret of a value built from the secrets on ``ports``.

        The masker knows it from here on; it may go only where all of its parents may.
        """

    def combine(self, make: Callable[[Mapping[str, str]], str], *ports: str) -> Secret:
        """Make a secret of what ``make`` returns for the plaintexts on ``ports``.

        They go nowhere, so no destination is asked for: the result is bound to where all of its
        parents may go, and the masker knows it before anything else does. ``make`` keeps nothing,
        logs nothing and quotes nothing in what it raises.

        :param make: gets the plaintexts by port.
        """
