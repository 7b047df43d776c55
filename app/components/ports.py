"""Port types and the one table that says which output may be wired into which input.

The server decides by :func:`refusal`; the canvas receives :func:`port_rules` and fills the same
templates, so that both say the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.components.problems import Problem, Remedy


class PortType(StrEnum):
    """What a port carries. ``any`` is for inputs only; ``order`` carries no data."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"
    LIST = "list"
    ORDER = "order"
    SECRET = "secret"  # noqa: S105 - the name of a type, not a password
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a component.

    :param name: what edges refer to, snake_case.
    :param label: what the canvas writes beside the pin.
    :param required: (inputs) the node can't run without it.
    :param multiple: (inputs) takes several wires; the values arrive as a list.
    :param help: one or two sentences for the inspector.
    :param note: (inputs) why it takes no secret, following on the port's name:
        ``is written to the run log, so it takes no secrets``.
    :param structured: (secret inputs) takes a whole JSON secret, ``credentials`` say.
    :param rare: (inputs) waits behind “more” on a node with many inputs until it is wired.
    """

    name: str
    type: PortType
    label: str = ""
    required: bool = False
    multiple: bool = False
    help: str = ""
    note: str = ""
    structured: bool = False
    rare: bool = False


START: Final = Port(
    "start", PortType.ORDER, "Start", multiple=True, help="Waits until the wired nodes are done."
)
DONE: Final = Port("done", PortType.ORDER, "Done", help="Carries no data: the target waits.")

DEFAULT_NOTE: Final = "keeps what it gets in outputs and logs, so it takes no secrets"

_PLAIN: Final = frozenset(
    {PortType.TEXT, PortType.NUMBER, PortType.BOOLEAN, PortType.JSON, PortType.LIST}
)
_ACCEPTS: Final[Mapping[PortType, frozenset[PortType]]] = {
    PortType.TEXT: frozenset({PortType.TEXT, PortType.NUMBER, PortType.BOOLEAN}),
    PortType.NUMBER: frozenset({PortType.NUMBER}),
    PortType.BOOLEAN: frozenset({PortType.BOOLEAN}),
    PortType.JSON: _PLAIN,
    PortType.LIST: frozenset({PortType.LIST}),
    PortType.ANY: _PLAIN,
    PortType.ORDER: frozenset({PortType.ORDER}),
    PortType.SECRET: frozenset({PortType.SECRET}),
}
SOURCES: Final = tuple(kind for kind in PortType if kind is not PortType.ANY)

_WORDS: Final[Mapping[PortType, str]] = {
    PortType.TEXT: "text",
    PortType.NUMBER: "a number",
    PortType.BOOLEAN: "true or false",
    PortType.JSON: "JSON",
    PortType.LIST: "a list",
    PortType.ORDER: "order wires",
    PortType.SECRET: "secrets",
    PortType.ANY: "any data",
}
_NAMES: Final[Mapping[PortType, str]] = {
    **{kind: str(kind) for kind in PortType},
    PortType.JSON: "JSON",
    PortType.ANY: "any data",
}

USE_SECRET_FETCH: Final = Remedy("add_node", "Use Secret Fetch", {"component": "secret.fetch"})
USE_TEXT_TEMPLATE: Final = Remedy("add_node", "Use Text Template", {"component": "text.template"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One cell of the table. ``title`` and ``reason`` are templates, empty where it is allowed.

    Placeholders, filled by plain replacement: ``{source}`` and ``{target}`` are ``Label.port``,
    ``{note}`` is the target port's note (see :class:`Port`).
    """

    source: PortType
    target: PortType
    allowed: bool
    code: str = ""
    title: str = ""
    reason: str = ""
    remedy: Remedy | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the rule as the canvas receives it."""
        return {
            "source": str(self.source),
            "target": str(self.target),
            "allowed": self.allowed,
            "code": self.code,
            "title": self.title,
            "reason": self.reason,
            "remedy": self.remedy.to_json() if self.remedy else None,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a wire is refused: a title (no full stop), a reason (whole sentences), a way out."""

    code: str
    title: str
    reason: str
    remedy: Remedy | None = None

    @property
    def message(self) -> str:
        """Title and reason as one text, as problems carry it."""
        return f"{self.title}. {self.reason}"


def _words(source: PortType, target: PortType) -> tuple[str, str, Remedy | None]:
    """Return code, reason template and remedy of a refused pair."""
    if source is PortType.SECRET:
        if target is PortType.ORDER:
            return "order_mismatch", _ORDER_IN, None
        return "secret_into_plain", "{target} {note}.", None
    if target is PortType.SECRET:
        if source is PortType.ORDER:
            return "order_mismatch", _ORDER_OUT, None
        reason = (
            "{target} takes secrets only, so that its value is fetched late and never shown. "
            "Use Secret Fetch."
        )
        return "plain_into_secret", reason, USE_SECRET_FETCH
    if source is PortType.ORDER:
        return "order_mismatch", _ORDER_OUT, None
    if target is PortType.ORDER:
        return "order_mismatch", _ORDER_IN, None
    takes = f"{{target}} takes {_WORDS[target]}"
    if target is PortType.TEXT:
        reason = f"{takes}, and {{source}} carries {_WORDS[source]}. Use Text Template."
        return "type_mismatch", reason, USE_TEXT_TEMPLATE
    if source is PortType.JSON:
        return "type_mismatch", f"{takes}, and {{source}} can hold anything JSON can.", None
    return "type_mismatch", f"{takes}, and {{source}} carries {_WORDS[source]}.", None


_ORDER_IN: Final = "{target} only waits for another node. Wire the other node's done into it."
_ORDER_OUT: Final = "{source} carries no data. Wire it into a node's start."


def _rule(source: PortType, target: PortType) -> Rule:
    if source in _ACCEPTS[target]:
        return Rule(source, target, True)
    code, reason, remedy = _words(source, target)
    name = _NAMES[source]
    title = f"{name[0].upper()}{name[1:]} can't go into {_NAMES[target]}"
    return Rule(source, target, False, code, title, reason, remedy)


_TABLE: Final[Mapping[tuple[PortType, PortType], Rule]] = {
    (source, target): _rule(source, target) for source in SOURCES for target in PortType
}


def port_rules() -> list[dict[str, Any]]:
    """Return the whole table as data: one entry for every pair of source and target type."""
    return [rule.to_json() for rule in _TABLE.values()]


def accepts(source: PortType, target: PortType) -> bool:
    """Say whether an output of type ``source`` may be wired into an input of type ``target``."""
    return source in _ACCEPTS[target]


def refusal(
    source: PortType,
    target: PortType,
    *,
    source_name: str = "The source",
    target_name: str = "The target",
    note: str = "",
) -> Refusal | None:
    """Say why the wire is refused, or None where it is allowed.

    :param source_name: ``Label.port`` of the output; ``target_name`` likewise of the input.
    :param note: the target port's own reason for taking no secrets.
    """
    rule = _TABLE[source, target]
    if rule.allowed:
        return None
    # One pass, so that a label which itself holds "{target}" is left alone.
    values = {"source": source_name, "target": target_name, "note": note or DEFAULT_NOTE}
    return Refusal(rule.code, rule.title, _fill(rule.reason, values), rule.remedy)


def _fill(template: str, values: Mapping[str, str]) -> str:
    head, *rest = template.split("{")
    parts = [head]
    for piece in rest:
        key, _, tail = piece.partition("}")
        parts += (values[key], tail)
    return "".join(parts)


def check_edge(
    source_node: str,
    source_label: str,
    source_port: Port,
    target_node: str,
    target_label: str,
    target_port: Port,
    *,
    edge: str | None = None,
) -> Problem | None:
    """Check one wire against the table.

    :param source_node: id of the node; ``source_label`` is what the canvas calls it.
    :returns: the problem, placed on the target's port, or None.
    """
    if accepts(source_port.type, target_port.type):
        return None
    found = refusal(
        source_port.type,
        target_port.type,
        source_name=f"{source_label}.{source_port.name}",
        target_name=f"{target_label}.{target_port.name}",
        note=target_port.note,
    )
    if found is None:
        return None
    return Problem(
        found.code,
        "error",
        found.message,
        node=target_node,
        port=target_port.name,
        edge=edge,
        remedy=found.remedy,
    )
