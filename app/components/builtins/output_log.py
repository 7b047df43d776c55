"""``output.log``: a line in the run's log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from app.components.context import Context
from app.components.cutting import beginning
from app.components.declaration import Component
from app.components.examples import Example
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType

_NOTE: Final = "is written to the run log, so it takes no secrets"
_DATA_AS_TEXT: Final = 2_000


class LogConfig(ComponentConfig):
    """What to write, and how loud."""

    message: str = field(
        "",
        label="Message",
        kind="multiline",
        help="The text of the line. Left empty, the data is written as text.",
        placeholder="What happened",
        note=_NOTE,
    )
    level: Literal["debug", "info", "warning", "error"] = field(
        "info",
        label="Level",
        kind="select",
        choices=(("debug", "Debug"), ("info", "Info"), ("warning", "Warning"), ("error", "Error")),
        help="How loud the line is. An error line doesn't fail the node.",
        note=_NOTE,
    )


class Log(Component):
    """Writes one line to the run's log."""

    name = "output.log"
    title = "Log"
    help = "Writes a line to the run's log. Values of secrets are masked before it is stored."
    category = "output"
    icon = "scroll-text"
    summary = "{message}"
    examples = (
        Example("A line with data", {"message": "Order received"}, wires={"data": {"id": 7}}),
    )
    Config = LogConfig
    inputs = (
        Port("data", PortType.ANY, "Data", help="Anything to keep beside the line.", note=_NOTE),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Write the line."""
        data = context.inputs.get("data")
        text = context.config.message
        if not text and "data" in context.inputs:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            text = beginning(context, text, _DATA_AS_TEXT)
        write = getattr(context.log, context.config.level)
        write(text, data)
        return {}
