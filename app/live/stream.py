"""One stream: what was missed, then what happens, until the run or the right to watch it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from typing import Any

from app.accounts.actor import Actor
from app.errors import TacitError
from app.live import frames
from app.live.admission import Visitor, admit
from app.live.feeds import Feeds, Viewer
from app.live.limits import Limits
from app.live.reading import Frame, Reader

_log = logging.getLogger("tacit.live")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Stream:
    """A run's events on their way to one viewer, who has been admitted.

    :param send: of the request, whose response has been started.
    """

    def __init__(
        self, visitor: Visitor, actor: Actor, send: Send, *, feeds: Feeds, reader: Reader,
        limits: Limits,
    ) -> None:
        self._visitor = visitor
        self._key = actor.environment_id, visitor.run_id
        self._send = send
        self._feeds = feeds
        self._reader = reader
        self._limits = limits
        self._viewer = Viewer(limits.held_bytes)
        self._seq = visitor.after

    async def serve(self, receive: Receive) -> None:
        """Stream until the run is over, the viewer leaves, is too slow, or may no longer watch."""
        try:
            await _first_of(
                self._pump(), _until_gone(receive), self._while_admitted(), self._until_cut()
            )
        finally:
            self._feeds.part(self._key, self._viewer)
        # Ends the response in form, also where it is cut: a browser comes back by itself.
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self) -> None:
        try:
            await self._write(frames.OPENING)
            state = await self._catch_up() or await self._follow()
            await self._write(frames.end_frame(state))
        except TimeoutError:
            self._log_cut()

    async def _until_cut(self) -> None:
        await self._viewer.until_cut()
        self._log_cut()

    def _log_cut(self) -> None:
        _log.info("viewer_cut run=%s after=%s", self._visitor.run_id, self._seq)

    async def _catch_up(self) -> str | None:
        """Send what has happened so far, at the viewer's pace; return the state of a run over."""
        joined = False
        while True:
            look = await self._reader.look(*self._key, self._seq)
            await self._deliver(look.frames)
            if look.over:
                return look.state
            if not look.more:
                if joined:
                    return None
                self._feeds.join(self._key, self._viewer, self._seq)
                joined = True

    async def _follow(self) -> str:
        """Send what happens until the run is over; return its last state."""
        viewer = self._viewer
        while True:
            waiting = await viewer.take(self._limits.heartbeat)
            if waiting:
                await self._deliver(waiting)
            elif viewer.ended is None:
                await self._write(frames.HEARTBEAT)
            if viewer.ended is not None:
                return viewer.ended

    async def _deliver(self, found: Sequence[Frame]) -> None:
        """Send what the viewer doesn't have yet, in pieces that a slow line can take in time."""
        piece = bytearray()
        last = self._seq
        for frame in found:
            if frame.seq <= last:
                continue
            last = frame.seq
            piece += frame.data
            if len(piece) >= self._limits.piece:
                await self._write(bytes(piece))
                self._seq = last
                piece.clear()
        if piece:
            await self._write(bytes(piece))
            self._seq = last

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(self._limits.send):
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _while_admitted(self) -> None:
        while True:
            await asyncio.sleep(self._limits.recheck)
            try:
                await self._reader.do(
                    lambda: admit(self._reader.db, self._visitor, opening=False)
                )
            except TacitError as error:
                _log.info("stream_ended run=%s code=%s", self._visitor.run_id, error.code)
                return
            except Exception as error:
                # Who can't be checked isn't served; the browser tries again.
                _log.warning("recheck_failed %s", type(error).__name__)
                return


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Do all at once until the first one ends; pass on what it raises."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
