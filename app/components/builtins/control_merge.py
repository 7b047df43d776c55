"""``control.merge``: branches come together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example
from app.components.ports import Port, PortType


class Merge(Component):
    """Goes on when every branch has come or was left out."""

    name = "control.merge"
    title = "Merge"
    help = (
        "Brings branches together: waits until each has come or was skipped because another way "
        "was taken, and goes on with what came. Example: both ways of a Condition lead into it, "
        "and Value is the result of the one that was taken."
    )
    category = "logic"
    icon = "merge"
    joins = True
    examples = (
        Example("Whichever branch came", wires={"values": ["first"]}),
    )
    inputs = (
        Port(
            "values",
            PortType.ANY,
            "Values",
            multiple=True,
            help="The results of the branches, in the order of their wires.",
        ),
    )
    outputs = (
        Port("value", PortType.JSON, "Value", help="The first value that came; null if none did."),
        Port("values", PortType.LIST, "Values", help="All values that came."),
        Port("count", PortType.NUMBER, "Count", help="How many values came."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return what came."""
        values = list(context.inputs.get("values", ()))
        return {"value": values[0] if values else None, "values": values, "count": len(values)}
