"""YAML read as JSON data, from the events of PyYAML's parser.

No object is ever made from a tag. Plain words mean what YAML 1.2's core schema says: ``no`` is a
text, not false. An alias counts as often as it stands there, so that a small text can't grow into
a large value; merge keys (``<<``) are written out under the same limit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from app.components.errors import NodeError
from app.components.parsing.limits import DEPTH, LOOK, TEXT_CHARACTERS, place, too_deep

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE: Final = "tag:yaml.org,2002:"
_INT: Final = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Final = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "null": (type(None),), "bool": (bool,), "int": (int,), "float": (int, float),
}  # fmt: skip


@dataclass(slots=True)
class _Made:
    """A value that is complete, its size with every alias written out, and its depth."""

    value: Any
    size: int
    depth: int = 0
    text: str | None = None  # of a scalar, as it is written


@dataclass(slots=True)
class _Open:
    """A list or mapping that isn't complete yet."""

    value: list[Any] | dict[str, Any]
    anchor: str | None
    size: int = 2
    depth: int = 1
    key: str | None = None
    merge: bool = False
    merged: list[dict[str, Any]] = field(default_factory=list)


def read_documents(text: str, check: Callable[[], None]) -> list[Any]:
    """Return the documents of a text.

    :param check: raises where it is time to stop.
    :raises NodeError: ``yaml_not_valid``, ``yaml_too_deep``, ``yaml_too_large``,
        ``yaml_alias_recursive``, ``yaml_tag_not_allowed``, ``yaml_key_twice``,
        ``yaml_key_not_text``.
    """
    reader = _Reader()
    try:
        for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            if number % LOOK == 0:
                check()
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in {place(mark.line + 1, mark.column + 1)}" if mark else ""
        raise NodeError(
            "yaml_not_valid", f"The text can't be read as YAML{where}. Correct it."
        ) from None
    except (yaml.YAMLError, RecursionError):
        raise NodeError(
            "yaml_not_valid",
            "The text can't be read as YAML: it holds characters that YAML doesn't allow.",
        ) from None
    return reader.documents


class _Reader:
    def __init__(self) -> None:
        self.documents: list[Any] = []
        self._size = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, _Made | None] = {}
        self._event: Any = None

    def take(self, event: Any) -> None:
        self._event = event
        if isinstance(event, yaml.ScalarEvent):
            self._done(self._scalar(event), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._done(self._alias(event.anchor), None)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._done(*self._end())
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()

    def _begin(self, event: Any) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{_CORE}{'map' if mapping else 'seq'}"):
            raise self._wrong("yaml_tag_not_allowed", "has a tag that isn't plain data. Remove it.")
        if len(self._open) >= DEPTH:
            raise too_deep("YAML")
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(_Open({} if mapping else [], event.anchor))

    def _end(self) -> tuple[_Made, str | None]:
        done = self._open.pop()
        if isinstance(done.value, dict):
            for merged in done.merged:
                for key, value in merged.items():
                    done.value.setdefault(key, value)
        return _Made(done.value, done.size, done.depth), done.anchor

    def _alias(self, anchor: str) -> _Made:
        if anchor not in self._anchors:
            raise self._wrong("yaml_not_valid", "names an anchor that isn't there. Correct it.")
        made = self._anchors[anchor]
        if made is None:
            raise self._wrong("yaml_alias_recursive", "holds itself, which no data can. Remove it.")
        return made

    def _scalar(self, event: Any) -> _Made:
        text, tag = event.value, event.tag
        plain = not event.style
        if tag is None and plain:
            value = _plain(text)
        elif tag in (None, "!", f"{_CORE}str", f"{_CORE}timestamp"):
            value = text
        elif tag == f"{_CORE}binary":
            value = "".join(text.split())
        else:
            kind = _KINDS.get(tag.removeprefix(_CORE)) if tag.startswith(_CORE) else None
            value = _plain(text)
            if kind is None:
                raise self._wrong(
                    "yaml_tag_not_allowed", "has a tag that isn't plain data. Remove it."
                )
            if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind):
                raise self._wrong("yaml_not_valid", "isn't what its tag says. Correct it.")
        return _Made(value, len(text) + 4, text=text)

    def _done(self, made: _Made, anchor: str | None) -> None:
        """Put a complete value where it belongs."""
        if anchor:
            self._anchors[anchor] = made
        if not self._open:
            # Every document may repeat as much as one may: they are counted together.
            self._size += made.size
            if self.documents and self._size > TEXT_CHARACTERS:
                raise _too_large()
            self.documents.append(made.value)
            return
        parent = self._open[-1]
        parent.size += made.size
        parent.depth = max(parent.depth, made.depth + 1)
        if parent.size > TEXT_CHARACTERS:
            raise _too_large()
        if parent.depth + len(self._open) - 1 > DEPTH:
            raise too_deep("YAML")
        if isinstance(parent.value, list):
            parent.value.append(made.value)
        elif parent.merge:
            parent.merged += self._to_merge(made.value)
            parent.merge = False
        elif parent.key is None:
            self._name(parent, made)
        else:
            parent.value[parent.key] = made.value
            parent.key = None

    def _name(self, parent: _Open, made: _Made) -> None:
        if made.text is None:
            raise self._wrong("yaml_key_not_text", "has a list or mapping as a name. Use a text.")
        if made.text == "<<" and isinstance(self._event, yaml.ScalarEvent) and (
            not self._event.style
        ):
            parent.merge = True
            return
        if made.text in parent.value:
            raise self._wrong("yaml_key_twice", "has a name that stands there twice. Remove one.")
        parent.key = made.text

    def _to_merge(self, value: Any) -> Iterator[dict[str, Any]]:
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict):
                raise self._wrong("yaml_not_valid", "merges what is no mapping. Correct it.")
            yield one

    def _wrong(self, code: str, words: str) -> NodeError:
        mark = self._event.start_mark
        where = place(mark.line + 1, mark.column + 1)
        return NodeError(code, f"The YAML in {where} {words}")


def _too_large() -> NodeError:
    return NodeError(
        "yaml_too_large",
        "Written out, the YAML is larger than 4 MiB: its aliases repeat too much. Make it "
        "smaller.",
    )


def _plain(text: str) -> Any:
    """Return what an unquoted word means in YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)
    if len(text) < 400 and _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
