"""``secret.fetch``: one stored secret, handed to the nodes it is wired into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example
from app.components.fields import ComponentConfig, field, output_format_field
from app.components.ports import Port, PortType


class SecretFetchConfig(ComponentConfig):
    """Which secret, which version, and whether its text is JSON."""

    secret_name: str = field(
        alias="secretName",
        label="Secret",
        kind="secret_name",
        help="The stored secret to use. Its value is fetched by the worker, when a node needs it.",
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
    output_format: Literal["raw", "json"] = output_format_field(
        "JSON for secrets with several fields. A JSON secret can't go where text is needed."
    )


class SecretFetch(Component):
    """Fetches one secret for the nodes that its value is wired into."""

    name = "secret.fetch"
    title = "Secret Fetch"
    help = (
        "Hands a stored secret to the nodes it is wired into. The value goes over secret wires "
        "only and never shows in logs, outputs or pages."
    )
    category = "secret"
    icon = "key-round"
    summary = "{secretName}"
    handles_secrets = True
    retries = True
    examples = (
        Example("The active version of a stored secret", {"secretName": "api/token"}),
    )
    Config = SecretFetchConfig
    outputs = (Port("value", PortType.SECRET, "Value", help="Goes into secret inputs."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the granted secret, checked to be JSON where the format says so."""
        secret = context.fetch_secret()
        if context.config.output_format == "json":
            secret = secret.as_structured()
        return {"value": secret}
