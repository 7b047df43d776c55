"""Masking structures: any depth, keys too, and nothing in the copy but JSON types."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from worker.masking.stream import WITHHELD, MaskedText

ITEM_LIMIT = 1_000_000
PLACES_MOST = 200
"""Masks of one structure whose places are told; all are counted."""
_PATH_MOST = 32
_PLAIN_DEPTH = 40
_CYCLE = "<cycle>"

# Where a value stands: its container's link and its own key. None for the root.
_Link = tuple[Any, str | int] | None


@dataclass(frozen=True, slots=True)
class PathMask:
    """Which secret stood where in a structure.

    :param path: keys and indices in the copy, from its root; empty where the copy is a text.
    :param offset: index of the ``***`` in the text there.
    :param key: whether it is the last key of the path itself that holds the ``***``.
    """

    path: tuple[str | int, ...]
    offset: int
    secret: str
    version: int | None
    key: bool = False

    def to_json(self) -> dict[str, object]:
        """The mask as an event carries it."""
        shown: dict[str, object] = {
            "path": list(self.path), "offset": self.offset, "secret": self.secret,
            "version": self.version,
        }
        return {**shown, "key": True} if self.key else shown


@dataclass(frozen=True, slots=True)
class MaskedObject:
    """A copy that may leave.

    :param count: how many ``***`` stand in it.
    :param secrets: ``(name, version)`` of the secrets that were found.
    :param masks: where they stand; the first :data:`PLACES_MOST`.
    """

    value: Any
    count: int = 0
    secrets: frozenset[tuple[str, int | None]] = frozenset()
    masks: tuple[PathMask, ...] = ()


@dataclass(slots=True)
class _Frame:
    """An open container: its id, what is left of it, and its copy."""

    identity: int
    items: Iterator[tuple[Any, Any]]
    made: dict[str, Any] | list[Any]
    link: _Link


class _Walk:
    """One walk over one structure. Depth is bounded by memory, not by Python's stack."""

    def __init__(self, mask: Callable[[str], MaskedText]) -> None:
        self._mask = mask
        self.count = 0
        self.secrets: set[tuple[str, int | None]] = set()
        self.masks: list[PathMask] = []

    def text(self, text: str, link: _Link) -> str:
        masked = self._mask(text)
        if masked.masks:
            self._note(masked, link)
        return masked.text

    def _note(self, masked: MaskedText, link: _Link, key: str | None = None) -> None:
        self.count += len(masked.masks)
        self.secrets.update((mask.secret, mask.version) for mask in masked.masks)
        path = _path(link if key is None else (link, key))
        if len(path) <= _PATH_MOST:
            for mask in masked.masks[: PLACES_MOST - len(self.masks)]:
                self.masks.append(
                    PathMask(path, mask.offset, mask.secret, mask.version, key is not None)
                )

    def copy(self, root: Any) -> Any:
        box: list[Any] = []
        frames = [_Frame(0, iter([(0, root)]), box, None)]
        on_path: set[int] = set()
        seen = 0
        while frames:
            frame = frames[-1]
            entry = next(frame.items, None)
            if entry is None:
                frames.pop()
                on_path.discard(frame.identity)
                continue
            key, value = entry
            seen += 1
            if seen > ITEM_LIMIT:
                raise ValueError("too many items to mask")
            name = key if isinstance(frame.made, list) else self._name(frame.made, key, frame.link)
            link = None if frame.made is box else (frame.link, name)
            opened = _open(value)
            if opened is None:
                copy = self._leaf(value, link)
            elif id(value) in on_path:
                copy = _CYCLE
            else:
                on_path.add(id(value))
                copy, pairs = opened
                frames.append(_Frame(id(value), iter(pairs), copy, link))
            if isinstance(frame.made, list):
                frame.made.append(copy)
            else:
                frame.made[name] = copy
        return box[0]

    def _name(self, made: dict[str, Any], key: Any, link: _Link) -> str:
        masked = self._mask(key if isinstance(key, str) else str(key))
        name, number = masked.text, 1
        while name in made:  # two keys can look alike once they are masked
            number += 1
            name = f"{masked.text} ({number})"
        if masked.masks:
            self._note(masked, link, name)
        return name

    def _leaf(self, value: Any, link: _Link) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            # As JSON writes it, whatever a subclass says of itself.
            written = (int if isinstance(value, int) else float).__repr__(value)
            shown = self.text(written, link)
            # JSON has no NaN and no infinity.
            kept = isinstance(value, int) or math.isfinite(value)
            return value if kept and shown == written else shown
        if isinstance(value, str):
            return self.text(value, link)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"), link)
        return self.text(str(value), link)


def _path(link: _Link) -> tuple[str | int, ...]:
    keys: list[str | int] = []
    while link is not None and len(keys) <= _PATH_MOST:
        link, key = link
        keys.append(key)
    return tuple(reversed(keys))


def _open(value: Any) -> tuple[Any, Iterable[tuple[Any, Any]]] | None:
    """Return the empty copy of a container and its ``(key, item)`` pairs, or None for a leaf."""
    if isinstance(value, Mapping):
        return {}, list(value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [], enumerate(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {}, [(field.name, getattr(value, field.name)) for field in fields(value)]
    return None


def copy_plain(value: Any) -> tuple[Any, list[str]] | None:
    """Copy what consists of nothing but JSON's own types, and gather every text that it shows.

    Most of what leaves is such, and holds no secret: its texts can be searched at once.

    :returns: the copy and its texts, keys and numbers among them; None for anything unusual.
    """
    texts: list[str] = []
    try:
        return _copied(value, texts, _PLAIN_DEPTH), texts
    except _UnusualError:
        return None


class _UnusualError(Exception):
    """Something for the whole walk."""


def _copied(value: Any, texts: list[str], depth: int) -> Any:
    kind = type(value)
    if kind is str:
        texts.append(value)
        return value
    if value is None or kind is bool:
        return value
    if kind is int or (kind is float and math.isfinite(value)):
        texts.append(repr(value))
        return value
    if not depth:
        raise _UnusualError
    if kind is dict:
        made = {}
        for key, item in value.items():
            if type(key) is not str:
                raise _UnusualError
            texts.append(key)
            made[key] = _copied(item, texts, depth - 1)
        return made
    if kind is list:
        return [_copied(item, texts, depth - 1) for item in value]
    raise _UnusualError


def mask_structure(mask: Callable[[str], MaskedText], value: Any) -> MaskedObject:
    """Copy ``value`` with every text, key and number masked by ``mask``.

    Mappings become dicts with text keys, other collections lists, other objects their ``str``.
    If anything fails the copy is withheld whole.
    """
    walk = _Walk(mask)
    try:
        copy = walk.copy(value)
        return MaskedObject(copy, walk.count, frozenset(walk.secrets), tuple(walk.masks))
    except Exception:  # nothing unmasked may leave, whatever went wrong
        return MaskedObject(WITHHELD, 1)
