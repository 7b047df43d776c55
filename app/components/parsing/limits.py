"""What the parsers share: their limits, and the words of their failures."""

from __future__ import annotations

from typing import Any, Final

from app.components.errors import NodeError

TEXT_CHARACTERS: Final = 4 * 1024 * 1024
DEPTH: Final = 100
LOOK: Final = 5_000
"""Steps between two looks whether to stop."""


def place(line: int, column: int = 0) -> str:
    """Return ``line 3, column 5``; both count from 1, and a column of 0 isn't known."""
    return f"line {line}, column {column}" if column else f"line {line}"


def too_deep(what: str) -> NodeError:
    """Return the failure of a text that is nested too deeply."""
    return NodeError(
        f"{what.lower()}_too_deep",
        f"The {what} is nested deeper than {DEPTH} levels. Make it flatter.",
    )


def is_deep(value: Any, text: str, levels: int = DEPTH) -> bool:
    """Say whether a value, whose JSON is ``text``, is nested deeper than so many levels.

    Most have fewer brackets than that, and are not walked through.
    """
    return text.count("[") + text.count("{") > levels and depth_of(value) > levels


def depth_of(value: Any) -> int:
    """Return how deeply a value is nested; looks no deeper than one level too many."""
    deepest, pending = 0, [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if not isinstance(item, dict | list):
            continue
        deepest = max(deepest, depth)
        if deepest > DEPTH:
            break
        inner = item.values() if isinstance(item, dict) else item
        pending += ((one, depth + 1) for one in inner)
    return deepest
