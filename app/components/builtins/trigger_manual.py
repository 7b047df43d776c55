"""``trigger.manual``: a person, or a program, starts the flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.components.context import Context
from app.components.declaration import Component
from app.components.ports import Port, PortType


class ManualTrigger(Component):
    """Starts when someone presses Run, and passes on what the run was started with."""

    name = "trigger.manual"
    title = "Manual Trigger"
    help = "Starts the flow when someone presses Run. Passes on the inputs of the run."
    category = "trigger"
    icon = "play"
    outputs = (
        Port("payload", PortType.JSON, "Payload", help="The inputs that the run was started with."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the run's inputs."""
        return {"payload": dict(context.run_inputs)}
