"""Masked text, taken apart so that a page can draw a named chip where ``***`` stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

STARS = "***"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of text, or (``secret`` set) a mask with what it hides."""

    text: str = ""
    secret: str | None = None
    version: int | None = None


def mask_parts(text: str, masks: Iterable[Mapping[str, Any]]) -> list[Part]:
    """Split a stored line at its masks.

    :param masks: ``{offset, secret, version}``; ``offset`` is where the stars begin in ``text``.
        One that doesn't point at stars is left out: the text stays as it is stored.
    """
    parts: list[Part] = []
    at = 0
    for mask in sorted(masks, key=lambda one: int(one["offset"])):
        offset = int(mask["offset"])
        if offset < at or text[offset : offset + len(STARS)] != STARS:
            continue
        if offset > at:
            parts.append(Part(text[at:offset]))
        parts.append(Part(STARS, str(mask["secret"]), mask.get("version")))
        at = offset + len(STARS)
    if at < len(text) or not parts:
        parts.append(Part(text[at:]))
    return parts
