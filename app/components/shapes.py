"""The ports that a node has, which may follow from its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from app.components.ports import Port


class Ports(NamedTuple):
    """The ports of a node, beside its wirable fields and ``start`` and ``done``."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """All ports of a node.

    :param inputs: the declared ones, in order; ``outputs`` likewise.
    :param into: every input by name, wirable fields and ``start`` among them; ``out_of`` every
        output, ``done`` among them.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    into: Mapping[str, Port]
    out_of: Mapping[str, Port]
