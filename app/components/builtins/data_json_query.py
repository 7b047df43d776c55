"""``data.json_query``: takes something out of JSON data, by a JMESPath query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType


class JsonQueryConfig(ComponentConfig):
    """What to take out."""

    query: str = field(
        label="Query",
        kind="multiline",
        help="A JMESPath query, such as items[?price > `10`].name. See jmespath.org.",
        placeholder="items[0].id",
        min_length=1,
        max_length=20_000,
        rare=True,
    )


class JsonQuery(Component):
    """Queries JSON data."""

    name = "data.json_query"
    title = "JSON Query"
    help = (
        "Takes something out of JSON data, or gives it another shape, by a JMESPath query. "
        "Example: orders[?total > `100`].{id: id, who: customer.name}. What isn't there is null."
    )
    category = "logic"
    icon = "filter"
    summary = "{query}"
    examples = (
        Example("Names of active people", {"query": "people[?active].name"},
                wires={"data": {"people": [{"name": "Ada", "active": True}]}}),
    )
    failures = (
        Failure("expression_not_valid", "The query isn't JMESPath. Correct it."),
        Failure("expression_failed", "The query doesn't fit the data. Correct one of the two."),
    )
    Config = JsonQueryConfig
    inputs = (
        Port(
            "data",
            PortType.JSON,
            "Data",
            required=True,
            help="What to query: an object or a list.",
        ),
    )
    outputs = (Port("result", PortType.JSON, "Result", help="What the query found."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return what the query finds.

        :raises NodeError: ``expression_not_valid``, ``expression_failed``…
        """
        found = context.evaluate("jmespath", context.config.query, context.inputs.get("data"))
        return {"result": found}
