"""``data.template``: a text made by a Jinja template, with conditions, loops and filters.

``text.template`` only substitutes, and costs no process; this one is for all that needs more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType


class TemplateConfig(ComponentConfig):
    """The template, and what it sees."""

    template: str = field(
        label="Template",
        kind="multiline",
        help="Jinja: {{ name }}, {% if … %}, {% for item in items %}, {{ total|round(2) }}. "
        "Values stand by their names, and all of them as values.",
        placeholder="{% for item in items %}- {{ item.name }}\n{% endfor %}",
        max_length=200_000,
        rare=True,
    )
    values: JsonValue = field(
        {},
        label="Values",
        kind="json",
        help="What the template sees: an object, a list, or a single value.",
        note="makes a plain text, so it takes no secrets",
    )


class Template(Component):
    """Renders a Jinja template."""

    name = "data.template"
    title = "Template"
    help = (
        "Makes a text by a Jinja template, with conditions, loops and filters, in a sandbox that "
        "sees its values and nothing else. Example: a list of orders as lines of a message. For "
        "plain {{name}} places, Text Template is quicker."
    )
    category = "logic"
    icon = "code"
    summary = "{template}"
    examples = (
        Example("A list of lines", {"template": "{% for one in values %}{{ one }}\n{% endfor %}"},
                wires={"values": ["first", "second"]}),
    )
    failures = (
        Failure("expression_not_valid", "The template isn't valid; the message names the line."),
        Failure("expression_value_missing", "The template names what isn't there. Add it."),
        Failure("expression_failed", "The template doesn't fit the values."),
    )
    Config = TemplateConfig
    outputs = (Port("text", PortType.TEXT, "Text", help="The rendered text."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the rendered text.

        :raises NodeError: ``expression_not_valid``, ``expression_value_missing``…
        """
        return {"text": context.evaluate("jinja", context.config.template, context.config.values)}
