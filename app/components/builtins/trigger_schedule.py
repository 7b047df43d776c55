"""``trigger.schedule``: the clock starts the flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator

from app.components.context import Context
from app.components.cron import find_zone, is_expression
from app.components.declaration import Component
from app.components.examples import Example
from app.components.fields import ComponentConfig, config_words, field
from app.components.ports import Port, PortType


class ScheduleTriggerConfig(ComponentConfig):
    """When, and what becomes of times that were missed or come too early."""

    cron: str = field(
        label="Cron expression",
        kind="text",
        help="Minute, hour, day of month, month, day of week: “30 6 * * 1-5” is half past six on "
        "working days.",
        placeholder="30 6 * * 1-5",
        wirable=False,
        max_length=200,
    )
    timezone: str = field(
        "UTC",
        label="Time zone",
        kind="text",
        help="An IANA name, such as Europe/Berlin.",
        wirable=False,
        max_length=100,
    )
    missed: Literal["skip", "run_once", "run_all"] = field(
        "run_once",
        label="Missed times",
        kind="select",
        choices=(("skip", "Skip them"), ("run_once", "Run once"), ("run_all", "Run all")),
        help="What becomes of times that passed while the installation was down or frozen. All "
        "means the last 24.",
        wirable=False,
    )
    overlap: Literal["allow", "skip", "cancel_older"] = field(
        "allow",
        label="Overlap",
        kind="select",
        choices=(
            ("allow", "Start all the same"), ("skip", "Skip this time"),
            ("cancel_older", "Cancel the older run"),
        ),
        help="What to do when the run of the time before is still going on.",
        wirable=False,
    )
    inputs: dict[str, Any] = field(
        {},
        label="Inputs",
        kind="json",
        help="What the run is started with, as Run would ask for it.",
        wirable=False,
    )

    @field_validator("cron")
    @classmethod
    def _is_expression(cls, text: str) -> str:
        if not is_expression(text):
            raise config_words(
                "has to be five fields: minute, hour, day of month, month and day of week, such "
                "as “30 6 * * 1-5”"
            )
        return text

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        if find_zone(name) is None:
            raise config_words("has to be the IANA name of a time zone, such as Europe/Berlin")
        return name


class ScheduleTrigger(Component):
    """Starts at the times of a cron expression, once the flow is active."""

    name = "trigger.schedule"
    title = "Schedule"
    help = (
        "Starts the flow's active version at the times of a cron expression. Runs act for whoever "
        "activated it."
    )
    category = "trigger"
    icon = "clock"
    summary = "{cron}"
    examples = (
        Example("Every weekday at six in Berlin",
                {"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"}),
    )
    Config = ScheduleTriggerConfig
    outputs = (
        Port(
            "payload", PortType.JSON, "Payload",
            help="The inputs of the run, and scheduled_for, the time that it is for.",
        ),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the run's inputs."""
        return {"payload": dict(context.run_inputs)}
