"""From what was typed and what came over wires to a validated config: one way for all nodes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.fields import ComponentConfig, ConfigField
from app.components.ports import PortType
from app.components.problems import Problem

_WORDS: Final[Mapping[str, str]] = {
    "string_type": "has to be text",
    "string_too_short": "can't be empty",
    "string_too_long": "is too long: at most {max_length} characters",
    "int_type": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "float_type": "has to be a number",
    "finite_number": "has to be a finite number",
    "bool_type": "has to be true or false",
    "literal_error": "has to be one of {expected}",
    "dict_type": "has to be names with values",
    "list_type": "has to be a list",
    "greater_than": "has to be more than {gt}",
    "greater_than_equal": "has to be {ge} or more",
    "less_than": "has to be less than {lt}",
    "less_than_equal": "has to be {le} or less",
    "string_pattern_mismatch": "isn't written as it has to be",
    "extra_forbidden": "isn't a field of this component",
    "missing": "is needed",
    "config_words": "{words}",
}

_TYPED: Final = frozenset({"text", "multiline", "number"})
"""Kinds of fields that one types into."""


def find_config_problems(
    component: Component,
    config: Mapping[str, Any],
    wired: Iterable[str] = (),
    label: str = "",
) -> list[Problem]:
    """Check typed settings; never echoes a value.

    A required field that is wired may be missing; what is typed beside a wire is checked too.

    :param wired: names of the inputs that have a wire.
    :param label: what messages call the node; the component's title by default.
    :returns: problems with ``field``; ``required_input_missing`` also with ``port``.
    """
    node = label or component.title
    wires = frozenset(wired)
    # Empty is unfinished rather than wrong, and nothing at all where a wire brings the value.
    empty = {
        name: field
        for name, field in component.required_fields().items()
        if config.get(name) in (None, "")
    }
    problems = {name: _missing(field, node) for name, field in empty.items() if name not in wires}
    try:
        component.Config.model_validate(config)
    except ValidationError as error:
        for one in error.errors(include_input=False, include_url=False):
            name = _name(one)
            if name not in empty:
                problems.setdefault(name, _wrong(component, one, node))
    for name, field in component.choosing_fields().items():
        if name not in problems:
            found = _not_a_choice(component, field, config, node)
            if found is not None:
                problems[name] = found
    return list(problems.values())


def _not_a_choice(
    component: Component, field: ConfigField, config: Mapping[str, Any], node: str
) -> Problem | None:
    """Return the finding that a field holds what its choices, as the settings are, don't have."""
    typed = config.get(field.name)
    choices = [value for value, _ in component.choices_of(field.name, config)]
    if typed in (None, "", field.default) or typed in choices:
        return None
    what = f"one of {', '.join(choices[:20])}" if choices else "left empty as things are"
    message = f"{field.shown['label']} of {node} has to be {what}."
    return Problem("config_invalid", "error", message, field=field.name)


def bind(
    component: Component, config: Mapping[str, Any], wired: Mapping[str, Any] | None = None
) -> ComponentConfig:
    """Return the config with wired values merged in; the wire wins over what was typed.

    :param wired: values of the node's wired inputs by port; names that are no config field
        are left out.
    :raises NodeError: ``config_invalid``, or ``value_mismatch`` for a wired value of a kind
        that the field doesn't take.
    """
    fields = component.fields()
    merged = dict(config)
    for name, value in (wired or {}).items():
        field = fields.get(name)
        if field is not None and field.port is not None:
            merged[name] = convert(value, field.port.type, f"{component.title}.{name}")
    try:
        return component.Config.model_validate(merged)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        messages = (_wrong(component, one, component.title).message for one in found)
        raise NodeError("config_invalid", " ".join(dict.fromkeys(messages))) from None


def convert(value: Any, kind: PortType, where: str) -> Any:
    """Return ``value`` as an input of type ``kind`` takes it: numbers and booleans become text.

    :param where: ``Label.port``, for the message.
    :raises NodeError: ``value_mismatch``; never quotes the value.
    """
    if kind is PortType.TEXT:
        if isinstance(value, bool | int | float):
            return json.dumps(value)
        fits = isinstance(value, str)
    elif kind is PortType.NUMBER:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        # A whole number may be larger than any float, which isfinite makes of it.
        fits = fits and (isinstance(value, int) or math.isfinite(value))
    elif kind is PortType.BOOLEAN:
        fits = isinstance(value, bool)
    elif kind is PortType.LIST:
        fits = isinstance(value, list)
    else:
        fits = kind in (PortType.JSON, PortType.ANY)
    if not fits:
        raise NodeError("value_mismatch", f"{where} takes {kind}, and got {_kind(value)}.")
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kinds = {bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")


def _name(error: ErrorDetails) -> str:
    # A validator of the whole config stands nowhere; it says itself which field it means.
    return str(error["loc"][0] if error["loc"] else error.get("ctx", {}).get("field", ""))


def _missing(field: ConfigField, node: str) -> Problem:
    port = field.name if field.port else None
    if port:
        how = "Type it or wire it."
    elif field.shown["kind"] in _TYPED:
        how = "Type it in the inspector."
    else:
        how = "Choose it in the inspector."
    message = f"{node} needs {field.shown['label']}. {how}"
    return Problem("required_input_missing", "error", message, port=port, field=field.name)


def _wrong(component: Component, error: ErrorDetails, node: str) -> Problem:
    name = _name(error)
    field = component.fields().get(name)
    if field is None:
        shown = name if name.isidentifier() and len(name) <= 40 else "A field"
        message = f"{shown} isn't a setting of {node}. Remove it."
        return Problem("config_unknown_field", "error", message, field=name[:100])
    # Only limits that were declared are filled in; what was submitted is in none of them.
    words = _WORDS.get(error["type"], "isn't of the right kind")
    words = words.format_map({key: _limit(value) for key, value in error.get("ctx", {}).items()})
    if error["type"] == "string_pattern_mismatch" and field.shown["placeholder"]:
        words += f", such as {field.shown['placeholder']}"
    inside = " (one of its entries)" if len(error["loc"]) > 1 else ""
    message = f"{field.shown['label']}{inside} of {node} {words}."
    return Problem("config_invalid", "error", message, field=name)


def _limit(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
