"""Masking structures: any depth, keys too, and nothing in the copy but JSON types."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from worker.masking.stream import WITHHELD, MaskedText

ITEM_LIMIT = 1_000_000
_CYCLE = "<cycle>"


@dataclass(frozen=True, slots=True)
class MaskedObject:
    """A copy that may leave.

    :param count: how many ``***`` stand in it.
    :param secrets: ``(name, version)`` of the secrets that were found.
    """

    value: Any
    count: int = 0
    secrets: frozenset[tuple[str, int | None]] = frozenset()


class _Walk:
    """One walk over one structure. Depth is bounded by memory, not by Python's stack."""

    def __init__(self, mask: Callable[[str], MaskedText]) -> None:
        self._mask = mask
        self.count = 0
        self.secrets: set[tuple[str, int | None]] = set()

    def text(self, text: str) -> str:
        masked = self._mask(text)
        self.count += len(masked.masks)
        self.secrets.update((mask.secret, mask.version) for mask in masked.masks)
        return masked.text

    def copy(self, root: Any) -> Any:
        box: list[Any] = []
        # A frame: the open container's id, what is left of it, and where the copies go.
        frames: list[tuple[int, Iterator[tuple[Any, Any]], Callable[[Any, Any], None]]] = [
            (0, iter([(None, root)]), lambda _key, value: box.append(value))
        ]
        on_path: set[int] = set()
        seen = 0
        while frames:
            identity, items, put = frames[-1]
            entry = next(items, None)
            if entry is None:
                frames.pop()
                on_path.discard(identity)
                continue
            key, value = entry
            seen += 1
            if seen > ITEM_LIMIT:
                raise ValueError("too many items to mask")
            opened = _open(value)
            if opened is None:
                put(key, self._leaf(value))
            elif id(value) in on_path:
                put(key, _CYCLE)
            else:
                on_path.add(id(value))
                made, pairs = opened
                put(key, made)
                frames.append((id(value), iter(pairs), self._writer(made)))
        return box[0]

    def _writer(self, made: dict[str, Any] | list[Any]) -> Callable[[Any, Any], None]:
        if isinstance(made, list):
            return lambda _key, value: made.append(value)

        def put(key: Any, value: Any) -> None:
            name = plain = self.text(key if isinstance(key, str) else str(key))
            number = 1
            while name in made:  # two keys can look alike once they are masked
                number += 1
                name = f"{plain} ({number})"
            made[name] = value

        return put

    def _leaf(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            shown = self.text(repr(value))
            # JSON has no NaN and no infinity.
            kept = isinstance(value, int) or math.isfinite(value)
            return value if kept and shown == repr(value) else shown
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"))
        return self.text(str(value))


def _open(value: Any) -> tuple[Any, Iterable[tuple[Any, Any]]] | None:
    """Return the empty copy of a container and its ``(key, item)`` pairs, or None for a leaf."""
    if isinstance(value, Mapping):
        return {}, list(value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [], [(None, item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {}, [(field.name, getattr(value, field.name)) for field in fields(value)]
    return None


def mask_structure(mask: Callable[[str], MaskedText], value: Any) -> MaskedObject:
    """Copy ``value`` with every text, key and number masked by ``mask``.

    Mappings become dicts with text keys, other collections lists, other objects their ``str``.
    If anything fails the copy is withheld whole.
    """
    walk = _Walk(mask)
    try:
        return MaskedObject(walk.copy(value), walk.count, frozenset(walk.secrets))
    except Exception:  # nothing unmasked may leave, whatever went wrong
        return MaskedObject(WITHHELD, 1)
