"""``data.set``: makes or changes an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType

_NOTE = "makes a plain object, so it takes no secrets"


class SetConfig(ComponentConfig):
    """What to set, and what to take away."""

    values: dict[str, JsonValue] = field(
        {},
        label="Set",
        kind="key_value",
        help="Fields and their values. A dot goes inside: customer.name.",
        note=_NOTE,
    )
    remove: str = field(
        "",
        label="Remove",
        kind="text",
        help="Fields to take away first, separated by commas. A dot goes inside.",
        max_length=4_000,
        rare=True,
    )
    keep_others: bool = field(
        True,
        label="Keep other fields",
        kind="boolean",
        help="Off: only what is set here is passed on.",
        rare=True,
    )


class Set(Component):
    """Sets fields of an object."""

    name = "data.set"
    title = "Set"
    help = (
        "Makes an object, or sets and removes fields of the one that is wired in. Example: set "
        "status to new and customer.country to DE, remove internal_id."
    )
    category = "logic"
    icon = "pencil"
    summary = "{values}"
    examples = (
        Example("Change an order", {"values": {"status": "new", "customer.country": "DE"},
                                    "remove": "internal_id"},
                wires={"object": {"id": 7, "internal_id": "x"}}),
    )
    failures = (
        Failure("not_an_object", "What is wired in is no object. Wire an object."),
    )
    Config = SetConfig
    inputs = (
        Port("object", PortType.JSON, "Object", help="The object to change; none makes a new one."),
    )
    outputs = (Port("object", PortType.JSON, "Object", help="The object with its changes."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the changed object.

        :raises NodeError: ``not_an_object``.
        """
        given = context.inputs.get("object")
        if given is not None and not isinstance(given, dict):
            raise NodeError(
                "not_an_object",
                "What is wired into Object is a list, text or number. Wire an object, or take one "
                "out of it with JSON Query.",
            )
        config = context.config
        made: dict[str, Any] = _copied(given) if given and config.keep_others else {}
        for path in config.remove.split(","):
            _remove(made, path.strip())
        for path, value in config.values.items():
            _set(made, path, value)
        return {"object": made}


def _copied(value: Any) -> Any:
    """Copy the objects: what came over a wire belongs to other nodes too."""
    return {key: _copied(one) for key, one in value.items()} if isinstance(value, dict) else value


def _remove(made: dict[str, Any], path: str) -> None:
    *steps, last = path.split(".")
    inside: Any = made
    for step in steps:
        inside = inside.get(step) if isinstance(inside, dict) else None
    if isinstance(inside, dict):
        inside.pop(last, None)


def _set(made: dict[str, Any], path: str, value: Any) -> None:
    *steps, last = path.split(".")
    inside = made
    for step in steps:
        found = inside.get(step)
        if not isinstance(found, dict):
            found = inside[step] = {}
        inside = found
    inside[last] = value
