"""``env.fetch``: a secret that the worker's machine has in a variable or a mounted file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from app.components.context import Context
from app.components.examples import Example, Failure
from app.components.external import ExternalFetch
from app.components.fields import ComponentConfig, field, output_format_field, time_limit_field

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
        min_length=1,
        max_length=1024,
        pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$",
    )
    output_format: Literal["raw", "json"] = output_format_field()
    timeout: float = time_limit_field(10.0, most=60, help="Seconds to wait for the worker.")


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
    uses = ("worker_secrets",)
    examples = (
        Example("A file that Kubernetes mounts", {"reference": "file:/run/secrets/stripe"}),
    )
    failures = (
        Failure("worker_secret_denied", "The environment or the worker doesn't grant it. Ask."),
        Failure("secret_missing", "The worker has no such variable or file. Mount it there."),
    )
    reference_field = "reference"
    Config = EnvFetchConfig

    def manager(self, context: Context, stop: Stop) -> Machine:
        """Return the worker's machine."""
        from app.providers.managers.machine import Machine

        return Machine(context.worker_value)
