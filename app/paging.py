"""Pages of a list: items, and a cursor that says where to go on."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import Invalid

T = TypeVar("T")
MAX_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list; ``next_cursor`` is None on the last one."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(*position: str | None) -> str:
    """Write the position of a page's last item; opaque to clients."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, length: int) -> list[str]:
    """Read a position of ``length`` texts.

    :raises Invalid: ``cursor_invalid``: not one that this list gave out.
    """
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        position = None
    if (
        not isinstance(position, list)
        or len(position) != length
        or not all(isinstance(part, str) and _is_text(part) for part in position)
    ):
        raise _not_ours()
    return position


def decode_number(cursor: str) -> int:
    """Read a position that is a number.

    :raises Invalid: ``cursor_invalid``: not one that this list gave out.
    """
    (text,) = decode_cursor(cursor, 1)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _not_ours()
    return int(text)


def _not_ours() -> Invalid:
    return Invalid(
        "cursor_invalid",
        "This cursor is not one that this list gave out. Start again without it.",
        field="cursor",
    )


def _is_text(part: str) -> bool:
    """Say whether a database takes the text: no NUL, no half of a surrogate pair."""
    return "\0" not in part and not any("\ud800" <= character <= "\udfff" for character in part)


def check_limit(limit: int) -> int:
    """Return the limit if it is from 1 to 200.

    :raises Invalid: ``limit_invalid``.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(
            "limit_invalid", f"A page holds from 1 to {MAX_LIMIT} items.", field="limit"
        )
    return limit


def like_pattern(text: str) -> str:
    """Return a LIKE pattern for “contains”, with ``\\`` as its escape character."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
