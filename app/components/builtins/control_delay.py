"""``control.delay``: waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType


class DelayConfig(ComponentConfig):
    """How long."""

    seconds: float = field(
        1.0,
        label="Seconds",
        kind="number",
        help="How long to wait. The run's own time limit goes on counting.",
        ge=0,
        le=86_400,
    )


class Delay(Component):
    """Waits, and passes on what it got."""

    name = "control.delay"
    title = "Delay"
    help = (
        "Waits some seconds, then passes on its data. Cancelling the run ends the wait. Example: "
        "5 seconds between two calls of a service that allows no more."
    )
    category = "logic"
    icon = "timer"
    summary = "{seconds} s"
    examples = (
        Example("Wait a moment", {"seconds": 0.2}, wires={"data": {"order": 7}}),
    )
    Config = DelayConfig
    inputs = (Port("data", PortType.ANY, "Data", help="Passed on unchanged after the wait."),)
    outputs = (Port("data", PortType.JSON, "Data", help="What was wired in; null if nothing."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Wait; returns the data.

        :raises NodeCancelled: the run was cancelled meanwhile.
        """
        context.cancelled.wait(context.config.seconds)
        context.cancelled.raise_if_set()
        return {"data": context.inputs.get("data")}
