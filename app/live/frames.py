"""The text of server-sent events (HTML standard, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from app.ids import iso
from app.runs.service import EventView

OPENING = b"retry: 1000\n: the run's events follow\n\n"
"""Sent at once: the browser knows that the stream is open, and when to try again if it breaks."""

HEARTBEAT = b":\n\n"


def event_frame(event: EventView) -> bytes:
    """Write an event of a run: the same JSON as an item of ``GET /api/v1/runs/{id}/events``."""
    item = {
        "seq": event.seq,
        "at": iso(event.at),
        "node": event.node,
        "attempt": event.attempt,
        "type": event.type,
        "level": event.level,
        "text": event.text,
        "data": event.data,
        "masks": event.masks,
    }
    return b"id: %d\nevent: event\ndata: %s\n\n" % (event.seq, _json(item))


def end_frame(state: str) -> bytes:
    """Write the last event of a stream: the run is over, and in which state."""
    return b"event: end\ndata: %s\n\n" % _json({"state": state})


def _json(value: Mapping[str, Any]) -> bytes:
    # JSON escapes line breaks, so the data is always one line.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "backslashreplace"
    )
