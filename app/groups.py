"""Group commit: small writing transactions that arrive together share one commit.

SQLite has one writer, and a durable commit waits for the disk. Eight threads that each take the
lock, commit and wait are slower than one that does the work of all eight and waits once
(Helland et al., "Group commit timers and high volume transaction systems", 1987). Nothing is
given up: an answer leaves only after the commit that holds its work.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from app.prepared import driver_cursor

T = TypeVar("T")
MOST = 32
"""Works in one commit, at most: a bound on how long the first of them waits."""


@dataclass
class _Work(Generic[T]):
    do: Callable[[Session], T]
    done: threading.Event = field(default_factory=threading.Event)
    result: T | None = None
    error: BaseException | None = None


class GroupCommit:
    """Runs works in shared transactions, each behind a savepoint of its own.

    :param begin: opens a writing transaction, as ``Database.begin`` does.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Session]]) -> None:
        self._begin = begin
        self._waiting: deque[_Work[Any]] = deque()
        self._leader = threading.Lock()

    def run(self, do: Callable[[Session], T]) -> T:
        """Do a work in a transaction, committed when this returns.

        What the work raises undoes the work alone, and is raised here. Where the commit itself
        fails, every work of the group is undone and told so.
        """
        work: _Work[T] = _Work(do)
        self._waiting.append(work)
        while not work.done.is_set():
            # Whoever gets the lock leads: it does what waits by then, its own work included.
            with self._leader:
                if not work.done.is_set():
                    self._lead()
        if work.error is not None:
            raise work.error
        return work.result  # type: ignore[return-value]

    def _lead(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
        try:
            with self._begin() as session:
                if len(group) == 1:
                    # Alone, it needs no savepoint: what it raises undoes the transaction.
                    group[0].result = group[0].do(session)
                else:
                    for work in group:
                        _do(session, work)
        except BaseException as error:
            for work in group:
                work.error = work.error or error
        finally:
            for work in group:
                work.done.set()


def _do(session: Session, work: _Work[Any]) -> None:
    # Lists in the session's info (events for the audit, say) are undone with the savepoint: as
    # they were, item by item, since a work may put something in front of another's.
    before = {
        key: list(value) for key, value in session.info.items() if isinstance(value, list)
    }
    # By hand: the session's own savepoint takes a picture of every object that it knows.
    session.flush()
    cursor = driver_cursor(session)
    cursor.execute("SAVEPOINT work")
    try:
        work.result = work.do(session)
        session.flush()
    except Exception as error:
        work.error = error
        cursor.execute("ROLLBACK TO work")
        # What it made or changed is gone, and so is what others may have read meanwhile.
        session.expunge_all()
        for key, value in session.info.items():
            if isinstance(value, list):
                value[:] = before.get(key, [])
    cursor.execute("RELEASE work")
