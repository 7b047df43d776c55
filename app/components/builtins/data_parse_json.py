"""``data.parse_json``: a text read as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, NoReturn

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.parsing.limits import (
    DEPTH,
    LOOK,
    TEXT_CHARACTERS,
    depth_of,
    place,
    too_deep,
)
from app.components.ports import Port, PortType

#: What the parser found, in words of ours: its own may quote.
_WORDS: Final = (
    ("Expecting value", "a value is missing"),
    ("Expecting property name", "a name in double quotes is missing"),
    ("Expecting ':'", "a colon is missing"),
    ("Expecting ','", "a comma or closing bracket is missing"),
    ("Extra data", "something stands after its end"),
    ("Unterminated string", "a text in quotes has no end"),
    ("Invalid control character", "a text in quotes has a line break or control character"),
    ("Invalid \\", "a backslash stands before something it can't"),
)


class ParseJsonConfig(ComponentConfig):
    """What is read."""

    text: str = field(
        label="Text",
        kind="multiline",
        help="The text to read.",
        placeholder='{"id": 7}',
        max_length=TEXT_CHARACTERS,
    )
    form: Literal["one", "lines"] = field(
        "one",
        label="Form",
        kind="select",
        choices=(("one", "One value"), ("lines", "A value on each line")),
        help="A value on each line (JSON Lines) becomes a list; empty lines are left out.",
        rare=True,
    )


class ParseJson(Component):
    """Reads JSON."""

    name = "data.parse_json"
    title = "Parse JSON"
    help = (
        "Reads a text as JSON data. What can't be read fails the node, with line and column. "
        f"Up to 4 MiB and {DEPTH} levels. Example: a file's text, or a field that holds JSON."
    )
    category = "logic"
    icon = "braces"
    summary = "{text}"
    examples = (
        Example("An answer's body", wires={"text": "{\"id\": 7}"}),
    )
    failures = (
        Failure("json_not_valid", "The text isn't JSON; the message names line and column."),
        Failure("json_too_deep", "It is nested deeper than 100 levels. Make it flatter."),
    )
    Config = ParseJsonConfig
    outputs = (Port("data", PortType.JSON, "Data", help="What the text says."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the data.

        :raises NodeError: ``json_not_valid``, ``json_too_deep``; nothing of the text is quoted.
        """
        text = context.config.text.removeprefix("\ufeff")
        if context.config.form == "one":
            return {"data": _read(text)}
        values = []
        for number, line in enumerate(text.split("\n"), start=1):
            if number % LOOK == 0:
                context.cancelled.raise_if_set()
            if line.strip():
                values.append(_read(line, number))
        return {"data": values}


def _read(text: str, first_line: int = 1) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        words = next((words for head, words in _WORDS if error.msg.startswith(head)), "")
        where = place(error.lineno + first_line - 1, error.colno)
        raise NodeError(
            "json_not_valid",
            f"The text isn't JSON in {where}{f': {words}' if words else ''}. Correct it.",
        ) from None
    except RecursionError:
        raise too_deep("JSON") from None
    except ValueError:
        # NaN and Infinity, half a character written as an escape, a number of 4,300 digits.
        where = f" in {place(first_line)}" if first_line > 1 else ""
        raise NodeError(
            "json_not_valid",
            f"The text{where} holds a number or character that JSON has no place for. Correct it.",
        ) from None
    if depth_of(value) > DEPTH:
        raise too_deep("JSON")
    return value


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("not JSON")
