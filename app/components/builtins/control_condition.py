"""``control.condition``: one of two ways, by comparing a value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType

Operator = Literal[
    "is_true", "equals", "not_equals", "contains", "starts_with", "ends_with", "greater",
    "at_least", "less", "at_most", "is_empty", "is_not_empty",
]  # fmt: skip
_CHOICES: Final = (
    ("is_true", "is true"),
    ("equals", "equals"),
    ("not_equals", "doesn't equal"),
    ("contains", "contains"),
    ("starts_with", "starts with"),
    ("ends_with", "ends with"),
    ("greater", "is greater than"),
    ("at_least", "is at least"),
    ("less", "is less than"),
    ("at_most", "is at most"),
    ("is_empty", "is empty"),
    ("is_not_empty", "isn't empty"),
)
_ALONE: Final = frozenset({"is_true", "is_empty", "is_not_empty"})
_COMPARING: Final = tuple(name for name, _ in _CHOICES if name not in _ALONE)
_FALSE_WORDS: Final = frozenset({"", "0", "false", "no", "off", "null"})
_NOTE: Final = "decides which way the run goes, and so would tell something about a secret"


class ConditionConfig(ComponentConfig):
    """What is compared with what."""

    value: JsonValue = field(
        None,
        label="Value",
        kind="text",
        port_type=PortType.ANY,
        help="What to look at. Usually wired.",
        note=_NOTE,
    )
    operator: Operator = field(
        "is_true",
        label="Check",
        kind="select",
        choices=_CHOICES,
        rare=True,
        help="Is true: everything is but false, 0, nothing, and the texts false, no, off and 0.",
    )
    compare_to: JsonValue = field(
        "",
        label="Compare to",
        kind="text",
        port_type=PortType.ANY,
        visible_when=("operator", _COMPARING),
        help="Numbers are compared as numbers, on both sides.",
        note=_NOTE,
    )
    ignore_case: bool = field(
        False,
        label="Ignore case",
        kind="boolean",
        visible_when=("operator", ("equals", "not_equals", "contains", "starts_with", "ends_with")),
        rare=True,
        help="Treat A and a as the same.",
    )


class Condition(Component):
    """Takes one of two ways."""

    name = "control.condition"
    title = "Condition"
    help = (
        "Compares a value and goes one of two ways: wire True and False into the Start of what "
        "comes next. The way not taken is skipped, which isn't a failure. Example: Value is an "
        "HTTP status, Check is at least, Compare to is 400, True leads to an alert."
    )
    category = "logic"
    icon = "split"
    summary = "{operator} {compare_to}"
    examples = (
        Example("Large orders", {"operator": "greater", "compare_to": "100"}, wires={"value": 250}),
    )
    failures = (
        Failure("not_comparable", "The two can't be compared that way. Choose another comparison."),
    )
    Config = ConditionConfig
    outputs = (
        Port("true", PortType.ORDER, "True", help="The way when the check holds."),
        Port("false", PortType.ORDER, "False", help="The way when it doesn't."),
        Port("result", PortType.BOOLEAN, "Result", help="Whether the check holds."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the way that is taken.

        :raises NodeError: ``not_comparable``.
        """
        config = context.config
        result = _holds(config.value, config.operator, config.compare_to, config.ignore_case)
        return {"true" if result else "false": None, "result": result}


def _holds(value: Any, operator: Operator, other: Any, ignore_case: bool) -> bool:
    if operator == "is_true":
        return _is_true(value)
    if operator in ("is_empty", "is_not_empty"):
        empty = value is None or (isinstance(value, str | list | dict) and not value)
        return empty is (operator == "is_empty")
    if operator in ("equals", "not_equals"):
        return _equal(value, other, ignore_case) is (operator == "equals")
    if operator == "contains" and isinstance(value, list | dict):
        return any(_equal(one, other, ignore_case) for one in value)
    if operator in ("contains", "starts_with", "ends_with"):
        text, part = _text(value, ignore_case), _text(other, ignore_case)
        if operator == "contains":
            return part in text
        return text.startswith(part) if operator == "starts_with" else text.endswith(part)
    return _ordered(value, operator, other)


def _is_true(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in _FALSE_WORDS
    return bool(value)


def _equal(one: Any, other: Any, ignore_case: bool) -> bool:
    numbers = _number(one), _number(other)
    if None not in numbers:
        return numbers[0] == numbers[1]
    # What was typed is a text; what is wired may be true or false.
    if isinstance(one, bool) and isinstance(other, str):
        return other.strip().lower() == ("true" if one else "false")
    if isinstance(other, bool) and isinstance(one, str):
        return _equal(other, one, ignore_case)
    if isinstance(one, str) and isinstance(other, str) and ignore_case:
        return one.casefold() == other.casefold()
    return type(one) is type(other) and bool(one == other)


def _ordered(value: Any, operator: Operator, other: Any) -> bool:
    one: Any = _number(value)
    two: Any = _number(other)
    if one is None or two is None:
        # Dates in ISO 8601 are ordered as texts are.
        if not (isinstance(value, str) and isinstance(other, str)):
            raise NodeError(
                "not_comparable",
                "Value and Compare to can't be ordered: both have to be numbers, or both texts. "
                "Check what is wired into them.",
            )
        one, two = value, other
    if operator == "greater":
        return bool(one > two)
    if operator == "at_least":
        return bool(one >= two)
    return bool(one < two) if operator == "less" else bool(one <= two)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) > 40:
        return None
    try:
        number = float(value) if isinstance(value, float | str) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Any, ignore_case: bool) -> str:
    if value is None:
        value = ""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise NodeError(
            "not_comparable",
            "Value and Compare to have to be texts or numbers for this check, or Value a list for "
            "contains. Check what is wired into them.",
        )
    text = str(value)
    return text.casefold() if ignore_case else text
