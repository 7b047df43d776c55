"""``text.template``: a text with places to fill. Substitutes, and does nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.paths import walk
from app.components.ports import Port, PortType

_PLACE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_MAX_TEXT: Final = 1024 * 1024


class TextTemplateConfig(ComponentConfig):
    """The text, and what fills its places."""

    template: str = field(
        label="Template",
        kind="multiline",
        help="Text with places such as {{name}} or {{order.items.0.id}}, filled from Values. "
        "{{values}} stands for all of them.",
        placeholder="Hello {{name}}",
        max_length=200_000,
        note="makes a plain text, so it takes no secrets",
    )
    values: JsonValue = field(
        {},
        label="Values",
        kind="json",
        help="What fills the places: an object, a list, or a single value.",
        note="makes a plain text, so it takes no secrets",
    )


class TextTemplate(Component):
    """Fills the places of a text."""

    name = "text.template"
    title = "Text Template"
    help = "Makes a text from a template and values: {{name}} is replaced by the value of name."
    category = "logic"
    icon = "braces"
    summary = "{template}"
    examples = (
        Example("A greeting", {"template": "Hello {{name}}!"}, wires={"values": {"name": "Ada"}}),
    )
    failures = (
        Failure("template_value_missing", "The template names what isn't there. Wire or set it."),
        Failure("template_too_long", "The text would be too long. Put in less."),
    )
    Config = TextTemplateConfig
    outputs = (Port("text", PortType.TEXT, "Text", help="The filled text."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the filled text.

        :raises NodeError: ``template_value_missing``, ``template_too_long``.
        """
        values = context.config.values
        parts: list[str] = []
        size = end = 0
        for place in _PLACE.finditer(context.config.template):
            context.cancelled.raise_if_set()
            text = _as_text(_look_up(values, place[1]))
            parts += (context.config.template[end : place.start()], text)
            size += len(parts[-1]) + len(parts[-2])
            if size > _MAX_TEXT:
                raise NodeError(
                    "template_too_long", "The filled text is over a million characters. Use less."
                )
            end = place.end()
        return {"text": "".join((*parts, context.config.template[end:]))}


def _look_up(values: Any, path: str) -> Any:
    """Return the value at a dotted path; list places are numbers, from 0."""
    if path == "values" and not (isinstance(values, dict) and "values" in values):
        return values
    if isinstance(values, dict) and path in values:
        return values[path]
    try:
        return walk(values, path.split("."))
    except KeyError as error:
        raise NodeError(
            "template_value_missing",
            f"The template names {{{{{path}}}}}, and the values have no {error.args[0]}. "
            "Add it to Values, or take it out of the template.",
        ) from None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
