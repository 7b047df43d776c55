"""The bars of a run's timeline, worked out on the server so that it needs no script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.ids import utcnow
from app.web.looks import span

_LOOKS = {
    "succeeded": ("circle-check", "c-ok", "g-ok"),
    "failed": ("circle-x", "c-bad", "g-bad"),
    "rejected": ("circle-x", "c-bad", "g-bad"),
    "running": ("loader-circle", "c-run", "g-run"),
    "skipped": ("skip-forward", "muted", "g-skip"),
    "cancelled": ("ban", "muted", "g-skip"),
}
_IDLE = ("circle-dashed", "muted", "g-wait")
_TICKS = 4
_THINNEST = 0.8


@dataclass(frozen=True, slots=True)
class Work:
    """What the timeline needs of a node."""

    label: str
    state: str
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in percent of the axis, with the class that colours it."""

    x: float
    width: float
    klass: str


@dataclass(frozen=True, slots=True)
class Row:
    """A node's line."""

    label: str
    state: str
    icon: str
    tone: str
    time: str
    bar: Bar | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the axis."""

    x: int
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole picture, and its summary in words."""

    unit: str
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]
    summary: str


def timeline(nodes: Sequence[Work], now: datetime | None = None) -> Timeline:
    """Lay the nodes of a run out over the time from the first start to the last end."""
    now = now or utcnow()
    starts = [node.started_at for node in nodes if node.started_at]
    ends = [node.finished_at or now for node in nodes if node.started_at]
    first = min(starts, default=now)
    total = max(((end - first).total_seconds() for end in ends), default=0.0)
    milliseconds = total < 2
    full = _round_up(max(total * (1000 if milliseconds else 1), 1))
    ticks = tuple(
        Tick(100 * index // _TICKS, f"{full * index / _TICKS:g}") for index in range(_TICKS + 1)
    )
    scale = full / (1000 if milliseconds else 1)
    rows = tuple(_row(node, first, scale, now) for node in nodes)
    return Timeline("milliseconds" if milliseconds else "seconds", ticks, rows, _summary(nodes))


def _row(node: Work, first: datetime, scale: float, now: datetime) -> Row:
    icon, tone, klass = _LOOKS.get(node.state, _IDLE)
    if node.started_at is None:
        word = {"idle": "not run", "pending": "not run"}.get(node.state, node.state)
        return Row(node.label, node.state, icon, tone, word, None)
    took = max(0.0, ((node.finished_at or now) - node.started_at).total_seconds())
    x = 100 * (node.started_at - first).total_seconds() / scale
    bar = Bar(round(min(x, 99.2), 2), round(max(100 * took / scale, _THINNEST), 2), klass)
    return Row(node.label, node.state, icon, tone, span(took), bar)


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 8, 10, 20, 40, 80, …: four even steps each."""
    step = 1.0
    while True:
        for factor in (1, 2, 4, 8):
            if value <= step * factor:
                return step * factor
        step *= 10


def _summary(nodes: Sequence[Work]) -> str:
    counts = Counter(node.state for node in nodes)
    parts = [f"{count} {state}" for state, count in sorted(counts.items(), key=lambda i: -i[1])]
    return ", ".join(parts) if parts else "No nodes"
