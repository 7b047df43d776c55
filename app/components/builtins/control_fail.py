"""``control.fail``: ends a branch as a failure, on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field


class FailConfig(ComponentConfig):
    """What to say."""

    message: str = field(
        "The flow ended here on purpose.",
        label="Message",
        kind="multiline",
        help="What the run shows as its reason. Values of secrets in it are masked.",
        max_length=2_000,
        note="is shown as the run's reason, so it takes no secrets",
    )


class Fail(Component):
    """Fails the run."""

    name = "control.fail"
    title = "Fail"
    help = (
        "Fails the run with a message of your own. Example: behind the True of a Condition that "
        "finds an answer without an order number."
    )
    category = "logic"
    icon = "octagon-alert"
    summary = "{message}"
    examples = (
        Example("Stop on purpose", {"message": "The order is too large for this flow."}),
    )
    failures = (
        Failure("failed_on_purpose", "Always: that is what it is for."),
    )
    Config = FailConfig

    def run(self, context: Context) -> Mapping[str, Any]:
        """Fail.

        :raises NodeError: ``failed_on_purpose``, always.
        """
        message = context.config.message.strip() or "The flow ended here on purpose."
        raise NodeError("failed_on_purpose", message)
