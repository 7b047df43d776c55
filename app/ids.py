"""Identifiers and times: UUIDv7 (RFC 9562) and UTC."""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import UTC, datetime

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a UUIDv7 as 36 characters, increasing within a process.

    48 bits of Unix milliseconds, then a 12-bit fraction of the millisecond (RFC 9562, section
    6.2, method 3) so that ids made in one process sort in the order they were made, then 62
    random bits.
    """
    global _last
    with _lock:
        # 1/4096 of a millisecond is the unit; two ids in one unit move on by one.
        ticks = time.time_ns() * 4096 // 1_000_000
        _last = ticks = max(ticks, _last + 1)
    milliseconds, fraction = divmod(ticks, 4096)
    random = int.from_bytes(os.urandom(8)) >> 2
    value = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random
    return str(uuid.UUID(int=value))


def is_id(text: str) -> bool:
    """Say whether ``text`` is a canonical lower-case UUID, as :func:`new_id` writes them."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def utcnow() -> datetime:
    """Return the present time, aware, in UTC, with microseconds."""
    return datetime.now(UTC)


def iso(moment: datetime | None) -> str | None:
    """Write a time as ISO 8601 in UTC with microseconds and ``Z``; None stays None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
