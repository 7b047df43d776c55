"""Template filters: how times, lengths, ids and people are written on pages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.ids import is_id, iso, utcnow
from app.web.masked import mask_parts

_DAY = timedelta(days=1)


def exact(moment: datetime) -> str:
    """Write a time to the second, for hovering: ``2026-11-23 09:41:07 UTC``."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def is_recent(moment: datetime) -> bool:
    """Say whether a time is written relative to now: within a day."""
    return abs(utcnow() - moment) < _DAY


def ago(moment: datetime, now: datetime | None = None) -> str:
    """Write a time relative to now up to a day, then as a date; times.js has the same steps."""
    now = now or utcnow()
    seconds = round((now - moment).total_seconds())
    gap = abs(seconds)
    if gap >= 86400:
        return f"{moment.day} {moment:%b}" + ("" if moment.year == now.year else f" {moment.year}")
    if gap < 5:
        return "just now"
    if gap < 60:
        text = f"{gap} s"
    elif gap < 3600:
        text = f"{gap // 60} min"
    else:
        text = f"{gap // 3600} hour" + ("" if gap // 3600 == 1 else "s")
    return f"{text} ago" if seconds >= 0 else f"in {text}"


def clock(moment: datetime) -> str:
    """Write the time of day to the millisecond, for log lines."""
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def day_clock(moment: datetime) -> str:
    """Write the time of day, with the date where it isn't today (UTC)."""
    if moment.date() == utcnow().date():
        return f"{moment:%H:%M:%S}"
    return f"{moment.day} {moment:%b %H:%M:%S}"


def span(seconds: float) -> str:
    """Write a length of time: ``310 ms``, ``3.8 s``, ``1 m 04 s``, ``2 h 05 m``."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} m"


def duration(started: datetime | None, finished: datetime | None = None) -> str:
    """Write how long something took, or has taken so far; ``–`` where it never started."""
    if started is None:
        return "–"
    return span(max(0.0, ((finished or utcnow()) - started).total_seconds()))


def short_id(identifier: str) -> str:
    """Return the last eight characters of a UUIDv7: its random end tells ids apart best."""
    return identifier[-8:]


def first_sentence(text: str) -> str:
    """Return the first sentence: enough for a row of a table."""
    head, stop, _ = text.partition(". ")
    return head + "." if stop else text


_STARTS = {"check": "connection test", "node": "one node", "to": "up to one node"}
"""What is said of runs that aren't of a whole flow."""


def trigger_words(trigger: Any) -> str:
    """Say what started a run, in words."""
    if not isinstance(trigger, Mapping):
        return str(trigger)
    kind = str(trigger.get("type") or trigger.get("kind") or "manual")
    if kind in ("schedule", "webhook"):
        return str(trigger.get("by") or kind)
    kind = _STARTS.get(kind, kind)
    by = trigger.get("by") or trigger.get("name") or trigger.get("actor")
    return f"{kind} by {by}" if by else kind


def initials(name: str) -> str:
    """Return up to two letters for an avatar."""
    words = [word for word in re.split(r"[\s._+-]+", name.split("@")[0]) if word]
    letters = words[0][:1] + words[1][:1] if len(words) > 1 else (words[0][:2] if words else "?")
    return letters.upper()


def avatar_hue(name: str) -> str:
    """Return one of five avatar colours, the same for a name every time."""
    return "abcde"[hashlib.sha256(name.encode()).digest()[0] % 5]


@dataclass(frozen=True, slots=True)
class Due:
    """When a rotation is due, in words, with the class that colours them."""

    text: str
    tone: str
    late: bool


def due(moment: datetime) -> Due:
    """Say how far away a due date is."""
    gap = moment - utcnow()
    days = round(gap / _DAY)
    if gap < timedelta(0):
        count = max(1, -days)
        return Due(f"{count} {'day' if count == 1 else 'days'} overdue", "c-bad", True)
    words = "due today" if days == 0 else f"due in {days} {'day' if days == 1 else 'days'}"
    return Due(words, "c-warn" if days < 7 else "muted", False)


def spoken(action: str) -> str:
    """Turn an audit action such as ``secret.rotate`` into words for a sentence."""
    return _SPOKEN.get(action, action.replace(".", " ").replace("_", " "))


_SPOKEN = {
    "secret.create": "created it",
    "secret.read": "viewed its metadata",
    "secret.list": "listed secrets",
    "secret.rotate": "rotated it",
    "secret.delete": "deleted it",
    "secret.update": "changed it",
    "secret.restore": "restored it",
    "secret.version": "changed a version",
    "worker.deny": "was refused it",
    "secret.reveal": "read its value",
    "secret.use": "fetched it",
    "secret.grant": "was granted it",
}

FILTERS: dict[str, Callable[..., Any]] = {
    "iso": iso,
    "is_id": is_id,
    "exact": exact,
    "is_recent": is_recent,
    "ago": ago,
    "clock": clock,
    "day_clock": day_clock,
    "duration": duration,
    "short_id": short_id,
    "first_sentence": first_sentence,
    "initials": initials,
    "avatar_hue": avatar_hue,
    "due": due,
    "spoken": spoken,
    "trigger_words": trigger_words,
    "mask_parts": mask_parts,
}
