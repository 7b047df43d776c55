"""Shapes of what follows from a node's settings, and of upgrades."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from app.api.bodies import Body
from app.api.shapes import Answer


class NodeSettings(Body):
    """A node's settings, as typed. Nothing of them is kept."""

    config: dict[str, Any] = Field(default_factory=dict)
    version: int | None = Field(
        None, ge=1, description="The component's version that the node was made with."
    )


class NodeShape(Answer):
    """The ports that a node has with its settings, and the choices of its fields."""

    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    choices: dict[str, list[dict[str, str]]] = Field(description="By field.")


class NodeUpgrade(Answer):
    """A node's settings in the component's own version."""

    version: int
    config: dict[str, Any]
    inputs: dict[str, str] = Field(description="New names of inputs, by the old ones.")
    outputs: dict[str, str] = Field(description="New names of outputs, by the old ones.")
    says: list[str] = Field(description="What is different, a sentence for each version.")
