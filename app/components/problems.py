"""Findings about a flow or a run, as values: what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Remedy:
    """The next step, as a button would offer it.

    :param action: stable snake_case name, for programs: ``remap_secret``, ``add_node``…
    :param label: the words on the button.
    :param data: what the action needs (a component's name, a secret's name). Never a value.
    """

    action: str
    label: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return ``{"action", "label", …data}``."""
        return {"action": self.action, "label": self.label, **self.data}


def and_more(problems: Sequence[object]) -> str:
    """Return what a refusal adds to the first of its findings: how many there are beside it."""
    more = len(problems) - 1
    if more < 1:
        return ""
    return " There is 1 more." if more == 1 else f" There are {more} more."


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    :param code: stable snake_case name.
    :param severity: ``error`` blocks activation and running, ``warning`` doesn't.
    :param message: whole sentences for people. Never quotes a submitted value.
    :param node: id of the node at fault; ``port``, ``field`` and ``edge`` narrow it down.
    :param masks: of a run: which secret stood where in the message, as in events.
    """

    code: str
    severity: Severity
    message: str
    node: str | None = None
    port: str | None = None
    field: str | None = None
    edge: str | None = None
    remedy: Remedy | None = None
    masks: tuple[Mapping[str, Any], ...] = ()

    def at(self, node: str) -> Problem:
        """Return the same finding, placed on ``node``."""
        # Written out: dataclasses.replace costs four times as much, and a check makes thousands.
        return Problem(
            self.code, self.severity, self.message, node, self.port, self.field, self.edge,
            self.remedy, self.masks,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the finding as the API writes it; every key is always there, but for ``masks``."""
        masks = {"masks": [dict(mask) for mask in self.masks]} if self.masks else {}
        return {
            "code": self.code,
            "severity": self.severity,
            "node": self.node,
            "port": self.port,
            "field": self.field,
            "edge": self.edge,
            "message": self.message,
            "remedy": self.remedy.to_json() if self.remedy else None,
            **masks,
        }
