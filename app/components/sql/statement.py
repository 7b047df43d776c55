"""One SQL statement with named places, ``:name``, that values are bound to.

The reader knows quotes, comments and casts, so that a place inside a text is left alone. Should it
and the database disagree about where a text ends, a place could be missed, and never a value be
read as SQL: values are sent apart from the statement, and the database refuses a second one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from app.components.errors import NodeError

Dialect = Literal["postgresql", "sqlite"]

_COMMON: Final = r"""
    (?P<line>--[^\n]*)
  | (?P<name>:(?P<word>[A-Za-z_][A-Za-z0-9_]*))
  | (?P<end>;)
"""
_POSTGRES: Final = re.compile(
    r"""
    (?P<escaped>(?<![A-Za-z0-9_$])[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
  | (?P<text>'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z))
  | (?P<dollar>(?<![A-Za-z0-9_$])\$(?P<tag>[A-Za-z_][A-Za-z0-9_]*)\$(?s:.)*?(?:\$(?P=tag)\$|\Z))
  | (?P<plain>(?<![A-Za-z0-9_$])\$\$(?s:.)*?(?:\$\$|\Z))
  | (?P<positional>(?<![A-Za-z0-9_$])\$[0-9]+)
  | (?P<block>/\*)
  | (?P<cast>::|:=)
  |"""
    + _COMMON,
    re.VERBOSE,
)
_SQLITE: Final = re.compile(
    r"""
    (?P<text>'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)|`[^`]*(?:`|\Z)|\[[^\]]*(?:\]|\Z))
  | (?P<comment>/\*(?s:.)*?(?:\*/|\Z))
  | (?P<positional>\?[0-9]*|[@$][A-Za-z_0-9]+)
  |"""
    + _COMMON,
    re.VERBOSE,
)
_COMMENT_MARK: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as its database takes it.

    :param text: with ``$1`` or ``:name`` for each place.
    :param names: of the places; in PostgreSQL the first is ``$1``.
    :param moved: ``(offset in text, offset in what was typed)`` after each place.
    """

    text: str
    names: tuple[str, ...]
    typed: str
    moved: tuple[tuple[int, int], ...]

    def line_at(self, offset: int) -> int:
        """Return the line, from 1, of what was typed for an offset in :attr:`text`."""
        sent, typed = 0, 0
        for after, original in self.moved:
            if after > offset:
                break
            sent, typed = after, original
        return self.typed.count("\n", 0, typed + offset - sent) + 1


def read_statement(typed: str, dialect: Dialect) -> Statement:
    """Read the one statement of a text.

    :raises NodeError: ``sql_empty``, ``sql_one_statement``, ``sql_parameter_positional``.
    """
    text = ""
    names: dict[str, int] = {}
    moved: list[tuple[int, int]] = []
    position = 0
    ended = False
    for kind, word, start, end in _tokens(typed, dialect):
        if ended and (kind not in ("line", "comment") or typed[position:start].strip()):
            raise _more_than_one()
        if kind == "positional":
            raise NodeError(
                "sql_parameter_positional",
                "The statement has a place without a name. Write :name, and fill it from "
                "Parameters.",
            )
        if kind == "end":
            text, position, ended = text + typed[position:start], end, True
        elif kind == "name":
            number = names.setdefault(word, len(names) + 1)
            place = f"${number}" if dialect == "postgresql" else f":{word}"
            text += typed[position:start] + place
            position = end
            moved.append((len(text), end))
        elif ended:
            position = end
    if ended and typed[position:].strip():
        raise _more_than_one()
    text += "" if ended else typed[position:]
    if not _without_comments(text, dialect).strip():
        raise NodeError("sql_empty", "There is no statement. Write one, such as select 1.")
    return Statement(text, tuple(names), typed, tuple(moved))


def _tokens(text: str, dialect: Dialect) -> Iterator[tuple[str, str, int, int]]:
    """Yield what isn't plain SQL: ``(kind, name, start, end)``."""
    pattern = _POSTGRES if dialect == "postgresql" else _SQLITE
    position = 0
    while found := pattern.search(text, position):
        kind, position = found.lastgroup or "", found.end()
        if found["name"]:
            kind = "name"
        if kind == "block":
            kind, position = "comment", _end_of_comment(text, found.start())
        yield kind, found["word"] or "", found.start(), position


def _end_of_comment(text: str, start: int) -> int:
    """PostgreSQL's comments stand in each other."""
    depth, position = 0, start
    while found := _COMMENT_MARK.search(text, position):
        depth += 1 if found[0] == "/*" else -1
        position = found.end()
        if not depth:
            return position
    return len(text)


def _without_comments(text: str, dialect: Dialect) -> str:
    parts, position = [], 0
    for kind, _, start, end in _tokens(text, dialect):
        if kind in ("line", "comment"):
            parts.append(text[position:start])
            position = end
    return "".join((*parts, text[position:]))


def _more_than_one() -> NodeError:
    return NodeError(
        "sql_one_statement",
        "There is more than one statement. Write one, and another node for the next.",
    )
