"""One feed per run that is watched: its events are read once and handed to all its viewers."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable

from app.errors import Throttled, Unavailable
from app.live.limits import Limits
from app.live.reading import Frame, Reader

_log = logging.getLogger("tacit.live")

Key = tuple[str, str]
"""Environment and run."""


class Viewer:
    """What waits for one connection: bounded, so that a slow one costs nothing but itself."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: list[Frame] = []
        self._held = 0
        self._wake = asyncio.Event()
        self._cut = asyncio.Event()
        self.ended: str | None = None
        """The run's last state, once all its events are here."""

    def offer(self, frames: Iterable[Frame]) -> None:
        """Put events in line."""
        for frame in frames:
            self._frames.append(frame)
            self._held += len(frame.data)
        if self._held > self._limit:
            self._frames.clear()
            self._cut.set()
        self._wake.set()

    def end(self, state: str) -> None:
        """Say that nothing will follow."""
        self.ended = state
        self._wake.set()

    async def until_cut(self) -> None:
        """Wait until it fell too far behind: it is to come back and go on from where it was."""
        await self._cut.wait()

    async def take(self, patience: float) -> list[Frame]:
        """Return what is there, waiting up to ``patience`` seconds for it."""
        try:
            async with asyncio.timeout(patience):
                await self._wake.wait()
        except TimeoutError:
            return []
        self._wake.clear()
        frames, self._frames, self._held = self._frames, [], 0
        return frames


class Feed:
    """Follows one run as long as somebody watches it.

    :param position: the sequence number after which to read.
    """

    def __init__(self, key: Key, position: int, reader: Reader, limits: Limits) -> None:
        self._key = key
        self._position = position
        self._reader = reader
        self._limits = limits
        self._notice = asyncio.Event()
        self.viewers: set[Viewer] = set()

    def notify(self) -> None:
        """Say that there may be something new."""
        self._notice.set()

    async def follow(self) -> None:
        """Hand on what happens, until the run is over."""
        while True:
            try:
                async with asyncio.timeout(self._limits.poll):
                    await self._notice.wait()
            except TimeoutError:
                pass
            self._notice.clear()
            if await self._look():
                return
            await asyncio.sleep(self._limits.settle)

    async def _look(self) -> bool:
        try:
            look = await self._reader.look(*self._key, self._position)
        except Exception as error:
            # Its text may quote a statement with its values; the next look may go well.
            _log.warning("look_failed %s", type(error).__name__)
            return False
        if look.frames:
            self._position = look.frames[-1].seq
            for viewer in self.viewers:
                viewer.offer(look.frames)
        if look.more:
            self._notice.set()
        if look.over:
            for viewer in self.viewers:
                viewer.end(look.state)
        return look.over


class Feeds:
    """All feeds and viewers of the process."""

    def __init__(self, reader: Reader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._feeds: dict[Key, tuple[Feed, asyncio.Task[None]]] = {}
        self._people: Counter[str] = Counter()

    def enter(self, person: str) -> None:
        """Count a stream of a person in.

        :raises Throttled: ``streams_of_person``: they have too many open.
        :raises Unavailable: ``streams_full``: all of them together are too many.
        """
        if self._people.total() >= self._limits.streams:
            raise Unavailable(
                "streams_full",
                "Too many pages follow runs at the moment. This one can still ask for events at "
                "/api/v1/runs/{id}/events.",
            )
        if self._people[person] >= self._limits.streams_of_a_person:
            raise Throttled(
                "streams_of_person",
                f"You follow {self._limits.streams_of_a_person} runs at once, the most that is "
                "allowed. Close one of the pages.",
            )
        self._people[person] += 1

    def leave(self, person: str) -> None:
        """Count a stream out again."""
        self._people[person] -= 1
        if not self._people[person]:
            del self._people[person]

    def join(self, key: Key, viewer: Viewer, position: int) -> None:
        """Let a viewer have what happens from now on.

        It may miss what happened between its own position and the feed's, and must read that
        itself afterwards; it may also be offered what it has.
        """
        if key not in self._feeds:
            feed = Feed(key, position, self._reader, self._limits)
            self._feeds[key] = feed, asyncio.create_task(self._run(key, feed))
        self._feeds[key][0].viewers.add(viewer)

    def part(self, key: Key, viewer: Viewer) -> None:
        """Let a viewer go; the feed ends with its last one."""
        if key not in self._feeds:
            return
        feed, task = self._feeds[key]
        feed.viewers.discard(viewer)
        if not feed.viewers:
            del self._feeds[key]
            task.cancel()

    def notify(self, run_id: str | None) -> None:
        """Pass on that a run has news; None for any of them."""
        for (_, run), (feed, _) in self._feeds.items():
            if run_id in (None, run):
                feed.notify()

    async def _run(self, key: Key, feed: Feed) -> None:
        await feed.follow()
        if key in self._feeds and self._feeds[key][0] is feed:
            del self._feeds[key]
