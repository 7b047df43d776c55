"""Waiting for a run's end: who waits listens before the job is in the queue.

A run may be over a millisecond after its job was put in. Subscribing afterwards would miss the
notice, so the subscription stands first; and since a notice is only a hint (Redis may lose it, or
be away), the database is asked now and then whatever was heard.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import select

from app.db import Database
from app.runs.models import Run
from app.runs.queue import RunQueue
from app.runs.states import TERMINAL

MOST = 16
"""How many wait at once in a process: each holds a thread that others need too."""

ASK_EVERY = 0.5
"""Seconds after which the database is asked without a notice."""

UntilOver = Callable[[str], bool]


class RunWaiters:
    """The waiting clients of a process.

    :param most: how many may wait at once; the others are answered without waiting.
    """

    def __init__(self, db: Database, queue: RunQueue, most: int = MOST) -> None:
        self._db = db
        self._queue = queue
        self._room = threading.BoundedSemaphore(most)

    @contextmanager
    def listening(self, seconds: float) -> Iterator[UntilOver]:
        """Listen to all runs' notices before one's own run is started.

        Gives a function that waits until a run is over, for ``seconds`` at most, and says
        whether it is.
        """
        if seconds <= 0 or not self._room.acquire(blocking=False):
            yield lambda _run_id: False
            return
        try:
            with self._queue.listening() as heard:
                yield lambda run_id: self._wait(run_id, heard, time.monotonic() + seconds)
        finally:
            self._room.release()

    def _wait(self, run_id: str, heard: Callable[[str, float], None], give_up: float) -> bool:
        while not self._is_over(run_id):
            left = give_up - time.monotonic()
            if left <= 0:
                return False
            heard(run_id, min(left, ASK_EVERY))
        return True

    def _is_over(self, run_id: str) -> bool:
        with self._db.read() as session:
            return session.scalar(select(Run.state).where(Run.id == run_id)) in TERMINAL
