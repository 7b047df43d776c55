"""Reads of the database, in a few threads beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from app.accounts.actor import system_actor
from app.db import Database
from app.live.frames import event_frame
from app.runs import service as runs
from app.runs.states import TERMINAL

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Frame:
    """An event as it goes to viewers; all of them share its bytes."""

    seq: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a run found.

    :param more: there are more events to be read.
    :param over: the run has ended and these are its last events.
    """

    frames: tuple[Frame, ...]
    state: str
    more: bool
    over: bool


class Reader:
    """Reads for all streams of the process.

    :param threads: how many reads go on at a time; the others wait their turn.
    """

    def __init__(self, db: Database, *, threads: int, page: int) -> None:
        self.db = db
        self._page = page
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="live-read")

    async def do(self, work: Callable[[], T]) -> T:
        """Do something that waits for the database, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def look(self, environment_id: str, run_id: str, after: int) -> Look:
        """Read what happened in a run after a sequence number.

        The caller has checked who asks. One look serves every viewer of the run, so it is made
        in the name of the listener.

        :raises NotFound: there is no such run in the environment.
        """
        return await self.do(lambda: self._look(environment_id, run_id, after))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look(self, environment_id: str, run_id: str, after: int) -> Look:
        actor = system_actor(environment_id, "live")
        with self.db.read() as session:
            # The state first: where each statement sees the database anew (PostgreSQL), a run
            # that was over then has all its events in the second one.
            state = runs.get_state(session, actor, run_id)
            events = runs.list_events(session, actor, run_id, after=after, limit=self._page)
        more = len(events) == self._page
        frames = tuple(Frame(event.seq, event_frame(event)) for event in events)
        return Look(frames, state.value, more, state in TERMINAL and not more)
