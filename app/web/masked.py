"""Masked text, taken apart so that a page can draw a named chip where ``***`` stands."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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


def output_parts(value: Any, masks: Iterable[Mapping[str, Any]], *, longest: int) -> list[Part]:
    """Write a node's output in one line, split at its masks.

    :param masks: ``{path, offset, secret, version}``, and ``key`` where the last key of the path
        holds the stars; ``offset`` is where they begin in the text there.
    :param longest: characters after which the rest is left out.
    """
    found = list(masks)
    if isinstance(value, Mapping) and set(value) == {"preview", "characters", "truncated"}:
        value = f"{value['preview']}…"
        found = [{**mask, "path": []} for mask in found]
    if isinstance(value, str):
        whole = [mask for mask in found if not mask.get("path")]
        return _cut(mask_parts(value, whole), longest)
    return _cut(_json_parts(value, found), longest)


def _json_parts(value: Any, masks: list[Mapping[str, Any]]) -> list[Part]:
    """Write JSON with a sign that it doesn't hold in each mask's place, and take it apart there."""
    sign = "\ue000"
    plain = json.dumps(value, ensure_ascii=False)
    while sign in plain:
        sign += "\ue001"
    # The last place first, so that the offsets of those before it in a text still hold.
    signs = {
        (tuple(mask["path"]), bool(mask.get("key")), mask["offset"]): number
        for number, mask in enumerate(masks)
    }
    text = json.dumps(_signed(value, (), signs, sign), ensure_ascii=False)
    parts = []
    for index, piece in enumerate(text.split(sign)):
        if index % 2:
            mask = masks[int(piece)]
            parts.append(Part(STARS, str(mask["secret"]), mask.get("version")))
        elif piece:
            parts.append(Part(piece))
    return parts


def _signed(value: Any, path: tuple[Any, ...], signs: Mapping[Any, int], sign: str) -> Any:
    def put(text: str, where: tuple[Any, ...], *, key: bool) -> str:
        offsets = sorted((at[2] for at in signs if at[:2] == (where, key)), reverse=True)
        for offset in offsets:
            if text[offset : offset + len(STARS)] == STARS:
                number = signs[where, key, offset]
                text = f"{text[:offset]}{sign}{number}{sign}{text[offset + len(STARS) :]}"
        return text

    if isinstance(value, str):
        return put(value, path, key=False)
    if isinstance(value, Mapping):
        return {
            put(name, (*path, name), key=True): _signed(inner, (*path, name), signs, sign)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_signed(inner, (*path, at), signs, sign) for at, inner in enumerate(value)]
    return value


def _cut(parts: list[Part], longest: int) -> list[Part]:
    kept: list[Part] = []
    for part in parts:
        if longest <= 0:
            return [*kept, Part("…")]
        long = part.secret is None and len(part.text) > longest
        kept.append(replace(part, text=part.text[:longest] + "…") if long else part)
        longest -= len(part.text)
        if long:
            return kept
    return kept
