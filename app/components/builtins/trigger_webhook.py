"""``trigger.webhook``: another system starts the flow, over HTTPS, with a signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType

MAX_KIB = 256


class WebhookTriggerConfig(ComponentConfig):
    """Which secret signs, how old a delivery may be and how large."""

    secret_name: str = field(
        alias="secretName",
        label="Signing secret",
        kind="secret_name",
        help="The secret that the sender signs with. It only ever checks signatures: no node can "
        "fetch it while an active flow's webhook uses it.",
        wirable=False,
        min_length=1,
        max_length=128,
    )
    version: int | None = field(
        None,
        label="Version",
        kind="secret_version",
        help="The active version, or one that stays pinned through rotations.",
        wirable=False,
        ge=1,
    )
    tolerance_seconds: int = field(
        300,
        label="Replay window (seconds)",
        kind="number",
        help="How far the time of a delivery may be from ours. Within it, each is taken once.",
        wirable=False,
        ge=5,
        le=3600,
    )
    max_kib: int = field(
        64,
        label="Size limit (KiB)",
        kind="number",
        help="A larger body is refused.",
        wirable=False,
        ge=1,
        le=MAX_KIB,
    )


class WebhookTrigger(Component):
    """Starts when a signed request comes to the flow's own address."""

    name = "trigger.webhook"
    title = "Webhook"
    help = (
        "Starts the flow's active version when a signed JSON request comes to the flow's own "
        "address, which the flow's page shows. Runs act for whoever activated it."
    )
    category = "trigger"
    icon = "webhook"
    summary = "{secretName}"
    handles_secrets = True
    examples = (
        Example("Deliveries that a service signs", {"secretName": "webhooks/signing"}),
    )
    Config = WebhookTriggerConfig
    outputs = (Port("payload", PortType.JSON, "Payload", help="The JSON body of the request."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the body of the request."""
        return {"payload": dict(context.run_inputs)}
