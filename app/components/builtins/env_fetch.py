"""``env.fetch``: a secret that the worker's machine has in a variable or a mounted file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from app.components.context import Context
from app.components.declaration import ComponentConfig, field
from app.components.external import ExternalFetch

if TYPE_CHECKING:
    from app.providers.egress import Stop
    from app.providers.managers.machine import Machine


class EnvFetchConfig(ComponentConfig):
    """Which variable or file."""

    reference: str = field(
        label="Secret",
        kind="text",
        help="env:NAME for a variable of the worker, file:/run/secrets/name for a mounted file. "
        "The environment and the worker have to grant it.",
        placeholder="file:/run/secrets/stripe",
        wirable=False,
        min_length=5,
        max_length=1024,
        pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$",
    )
    output_format: Literal["raw", "json"] = field(
        "raw",
        alias="outputFormat",
        label="Output format",
        kind="select",
        choices=(("raw", "Raw text"), ("json", "JSON")),
        help="JSON for secrets with several fields.",
        wirable=False,
    )
    timeout: float = field(
        10.0,
        label="Time limit (s)",
        kind="number",
        help="Seconds to wait for the worker.",
        wirable=False,
        gt=0,
        le=60,
    )


class EnvFetch(ExternalFetch):
    """Fetches a secret of the worker's machine."""

    name = "env.fetch"
    title = "Worker Secret Fetch"
    help = (
        "Hands over a secret that the worker's machine holds, as Docker and Kubernetes mount them: "
        "a variable or a file. Off until the environment grants the reference."
    )
    icon = "server"
    summary = "{reference}"
    provider = "worker"
    reference_field = "reference"
    Config = EnvFetchConfig

    def manager(self, context: Context, stop: Stop) -> Machine:
        """Return the worker's machine."""
        from app.providers.managers.machine import Machine

        return Machine(context.worker_value)
