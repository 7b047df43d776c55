"""What a declaration says beside ports and settings: examples, failures, and what it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Use = Literal["network", "files", "worker_secrets"]

USES: Final[Mapping[str, str]] = {
    "network": "Connects to other machines, through the egress guard.",
    "files": "Reads or writes files in folders that the workers list.",
    "worker_secrets": "Can use secrets of the worker's machine that the environment grants.",
}
"""What a component may reach outside of its node, in the catalogue's words."""


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
