"""``trigger.manual``: a person, or a program, starts the flow."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.components.context import Context
from app.components.declaration import Component
from app.components.examples import Example
from app.components.fields import ComponentConfig, config_words, field
from app.components.ports import Port, PortType

MAX_INPUTS = 50
MAX_TEXT = 64 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


class RunInput(BaseModel):
    """Something that a run is started with. Never a secret: what is typed is stored and shown.

    :ivar default: what stands for it when nothing is given; None for none.
    :ivar choices: what a ``choice`` may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    name: str
    type: Literal["text", "number", "boolean", "choice", "json"] = "text"
    label: str = Field(default="", max_length=200)
    help: str = Field(default="", max_length=500)
    default: Any = None
    required: bool = False
    choices: list[str] = Field(default_factory=list, max_length=100)

    @model_validator(mode="after")
    def _sound(self) -> RunInput:
        if not _NAME.fullmatch(self.name):
            raise config_words(
                "needs a name of letters, digits and “_”: at most 64, and no digit first"
            )
        if self.type == "choice" and not self.choices:
            raise config_words("is a choice and needs choices")
        if len(set(self.choices)) < len(self.choices) or any(not one for one in self.choices):
            raise config_words("has choices that are empty or come twice")
        if self.default is not None and not self.takes(self.default):
            raise config_words("has a default that isn't of its own type")
        return self

    def takes(self, value: object) -> bool:
        """Say whether a value is of the declared type."""
        if self.type == "text":
            return isinstance(value, str) and len(value) <= MAX_TEXT
        if self.type == "number":
            numeric = isinstance(value, int | float) and not isinstance(value, bool)
            return numeric and math.isfinite(value)  # type: ignore[arg-type]
        if self.type == "boolean":
            return isinstance(value, bool)
        if self.type == "choice":
            return isinstance(value, str) and value in self.choices
        return True


class ManualTriggerConfig(ComponentConfig):
    """What a run is started with."""

    inputs: list[RunInput] = field(
        [],
        label="Inputs",
        kind="run_inputs",
        help="What Run asks for. Inputs are stored with the run and shown on its page, so they "
        "are no place for passwords or keys: those come from Secret Fetch.",
        wirable=False,
        max_length=MAX_INPUTS,
    )

    @model_validator(mode="after")
    def _distinct(self) -> ManualTriggerConfig:
        names = [one.name for one in self.inputs]
        if len(set(names)) < len(names):
            raise config_words("has a name that comes twice", "inputs")
        return self


class ManualTrigger(Component):
    """Starts when someone presses Run, and passes on what the run was started with."""

    name = "trigger.manual"
    title = "Manual Trigger"
    help = "Starts the flow when someone presses Run. Passes on the inputs of the run."
    category = "trigger"
    icon = "play"
    examples = (
        Example("Start with one input", {"inputs": [{"name": "customer", "required": False}]}),
    )
    Config = ManualTriggerConfig
    outputs = (
        Port("payload", PortType.JSON, "Payload", help="The inputs that the run was started with."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the run's inputs."""
        return {"payload": dict(context.run_inputs)}
