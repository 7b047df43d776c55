"""What a declaration says beside ports and settings: examples, failures, and what it reaches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from app.components.errors import NodeError

Use = Literal["network", "files", "worker_secrets"]

USES: Final[Mapping[str, str]] = {
    "network": "Connects to other machines, through the egress guard.",
    "files": "Reads or writes files in folders that the workers list.",
    "worker_secrets": "Can use secrets of the worker's machine that the environment grants.",
}
"""What a component may reach outside of its node, in the catalogue's words."""

_REACHES: Final[Mapping[str, str]] = {
    "network": "connect to the network",
    "files": "use files outside of the run's own folder",
    "worker_secrets": "ask for secrets of the worker's machine",
}


def require_use(declared: Collection[str], use: Use) -> None:
    """Hold a component to what it declares: its context opens nothing else to it.

    :param declared: its ``uses``.
    :raises NodeError: ``use_not_declared``.
    """
    if use not in declared:
        raise NodeError(
            "use_not_declared",
            f"This component doesn't declare that it may {_REACHES[use]}, so it can't. Its author "
            f"has to add {use} to what it uses.",
        )


@dataclass(frozen=True, slots=True)
class Example:
    """A node as people would set it up: shown by the catalogue, and run by the contract suite.

    :param config: what is typed.
    :param wires: what comes over plain wires, by input.
    :param secrets: names of stored secrets that are wired in, by input.
    :param help: a sentence on what it does, where the title doesn't say it all.
    """

    title: str
    config: Mapping[str, Any] = field(default_factory=dict)
    wires: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    help: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the example as the catalogue shows it."""
        return {
            "title": self.title,
            "help": self.help,
            "config": dict(self.config),
            "wires": dict(self.wires),
            "secrets": dict(self.secrets),
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """A way in which a node of the component fails.

    :param code: the code of its :class:`~app.components.errors.NodeError`.
    :param when: whole sentences: when it happens and what to do.
    """

    code: str
    when: str
