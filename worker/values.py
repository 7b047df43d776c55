"""What comes into a node and what leaves it, port by port: secrets on secret ports, data on others.

The server has checked the wires; here it is the values, whatever a component hands over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.components.binding import convert
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.ports import Port, PortType
from app.components.secret import Secret
from worker.plan import Step

_DEPTH = 500
_NOTHING: Mapping[str, Any] = {}
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a node is started with: values of its settings, plain inputs and secrets, by port."""

    fields: dict[str, Any]
    plain: dict[str, Any]
    secrets: dict[str, Secret]


def gather(
    component: Component,
    step: Step,
    ended: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Any],
) -> Inputs:
    """Return what a node is started with, each value of the kind its port says.

    :param ended: exact outputs of the nodes before it, by node and port.
    :param given: values by port for what no wire brings, of a node that runs alone.
    :raises NodeError: a secret on a plain port or the other way round, or something is missing.
    """
    label = step.label
    shape, fields = component.shape(step.node.config), component.fields()
    ports = shape.into
    found = Inputs({}, {}, {})
    for edge in step.into:
        port = ports.get(edge.target.port)
        if port is None:
            raise NodeError("port_missing", f"{label} has no input {edge.target.port}.")
        if port.type is PortType.ORDER:
            continue
        where = f"{label}.{port.name}"
        came = ended.get(edge.source.node, _NOTHING)
        if edge.source.port not in came:
            continue  # left out, which only a node that joins branches gets to see
        value = came[edge.source.port]
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
        _take(found, port, port.name in fields, value, where)
    for name, value in given.items():
        port = ports.get(name)
        if port is None or port.type in (PortType.SECRET, PortType.ORDER):
            continue
        several = value if port.multiple and isinstance(value, list) else [value]
        for each in several:
            _take(found, port, name in fields, each, f"{label}.{name}")
    for port in shape.inputs:
        if port.required and port.name not in found.plain and port.name not in found.secrets:
            raise NodeError("required_input_missing", f"{label} needs {port.label}. Wire it.")
    return found


def check_outputs(
    step: Step, component: Component, outputs: Mapping[str, Any], most: int
) -> Mapping[str, Any]:
    """Return the outputs of declared ports, each of the kind its port says.

    :param most: bytes of one output, as JSON.
    :raises NodeError: a secret on a plain port or the other way round, or no JSON, or too
        much of it.
    """
    kept: dict[str, Any] = {}
    label = step.label
    for port in component.shape(step.node.config).outputs:
        if port.name not in outputs:
            continue
        value = outputs[port.name]
        where = f"{label}.{port.name}"
        if port.type is PortType.ORDER:
            value = None
        elif port.type is PortType.SECRET:
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
            _measure(where, value, most)
        kept[port.name] = value
    return kept


def _measure(where: str, value: Any, most: int) -> None:
    try:
        size = len(_encode(value).encode("utf-8", "replace"))
    except (TypeError, ValueError, RecursionError):
        raise NodeError(
            "output_not_json", f"{where} isn't JSON data, so it can't be passed on."
        ) from None
    if size > most:
        raise NodeError(
            "output_too_large",
            f"{where} is {size // 1024} KiB long; the limit is {most // 1024} KiB. "
            "Ask for less, or in pages.",
        )


def _take(found: Inputs, port: Port, is_field: bool, value: Any, where: str) -> None:
    if is_field:
        found.fields[port.name] = value
    elif port.multiple:
        found.plain.setdefault(port.name, []).append(convert(value, port.type, where))
    else:
        found.plain[port.name] = convert(value, port.type, where)


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
