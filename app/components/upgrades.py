"""Versions of components: which a node may keep, and how its settings become those of the next.

A node names the version it was made with. It goes on as that version while the component
declares it (``older``); otherwise it has to be upgraded in the draft, where people see it. What
an active version of a flow runs is never changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from app.errors import Invalid

if TYPE_CHECKING:
    from app.components.declaration import Component

Standing = Literal["missing", "current", "older", "outdated", "newer"]
"""What a node's version is here: not installed at all; the current one; an older one that still
runs; one that doesn't any more; one that isn't here yet."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How a node's settings become those of the next version.

    :param change: a pure function of the settings as typed, which may be unfinished.
    :param says: a sentence on what is different; pages show it.
    :param inputs: inputs with another name, by the old one; ``outputs`` likewise.
    """

    change: Callable[[dict[str, Any]], Mapping[str, Any]]
    says: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A node's settings after an upgrade, and what has to follow.

    :param inputs: new names of inputs by the old ones, for the wires; ``outputs`` likewise.
    """

    version: int
    config: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str]
    says: tuple[str, ...]


def can_upgrade(component: Component, version: int) -> bool:
    """Say whether there is a way from ``version`` to the component's own."""
    return all(step in component.upgrades for step in range(version, component.version))


def upgrade(component: Component, config: Mapping[str, Any], version: int) -> Upgraded:
    """Return what a node's settings are in the component's own version.

    :raises Invalid: ``upgrade_missing``; ``upgrade_failed`` where the component's function did.
    """
    if version > component.version or not can_upgrade(component, version):
        raise Invalid(
            "upgrade_missing",
            f"{component.title} has no way from version {version} to version {component.version}. "
            "Replace the node.",
        )
    settings: dict[str, Any] = dict(config)
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    said = []
    for step in range(version, component.version):
        one = component.upgrades[step]
        try:
            settings = dict(one.change(json.loads(json.dumps(settings))))
            json.dumps(settings, allow_nan=False)
        except Exception:
            # A package's own code; its text may quote what was typed.
            raise Invalid(
                "upgrade_failed",
                f"{component.title} can't take over these settings from version {step} to "
                f"{step + 1}. Correct them, or replace the node.",
            ) from None
        inputs = _renamed(inputs, one.inputs)
        outputs = _renamed(outputs, one.outputs)
        said.append(one.says)
    return Upgraded(component.version, settings, inputs, outputs, tuple(said))


def _renamed(before: Mapping[str, str], step: Mapping[str, str]) -> dict[str, str]:
    names = {old: step.get(new, new) for old, new in before.items()}
    # A name that an earlier step gave is led on above; the others are new here.
    return names | {old: new for old, new in step.items() if old not in before.values()}
