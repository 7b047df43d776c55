"""The scheduler: fails runs whose worker fell silent, puts lost jobs back, lets held runs go,
starts what is due, purges, writes checkpoints of the audit.

Holds the database and Redis, never the master key.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from redis.exceptions import RedisError
from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.accounts.freeze import is_frozen
from app.accounts.idempotency import purge_idempotency_keys
from app.accounts.models import Environment
from app.audit import Who
from app.audit.checkpoints import CheckpointFile
from app.audit.retention import purge_all_before
from app.db import Database
from app.errors import TacitError
from app.ids import utcnow
from app.keys.sealed import Tampered
from app.runs.concurrency import release
from app.runs.hooks import purge_hooks
from app.runs.leases import lose, time_out
from app.runs.models import Run, RunEnded
from app.runs.notices import Sender, keep_sending, purge_notices
from app.runs.queue import RunQueue
from app.runs.retention import purge_kept_drafts, purge_runs, purge_untaken
from app.runs.schedules import fire_due
from app.runs.states import CLAIMED, TERMINAL, RunState
from app.vault.grants import purge_spent_tokens
from app.vault.purge import purge_due

TICK = 1.0
"""Seconds between two looks."""

OVERDUE_AFTER = timedelta(seconds=15)
"""How long after its deadline a run is ended for its worker, which does it by itself."""

LOST_AFTER = timedelta(seconds=5)
"""A queued run that is older, and has no job waiting, is put into the queue again."""

BATCH = 100
PURGE_EVERY = 60
FORGET_EVERY = 3600
_log = logging.getLogger("tacit.scheduler")


class HasSettings(Protocol):
    """What the scheduler needs of the configuration."""

    @property
    def audit_checkpoints(self) -> Path: ...

    @property
    def audit_days(self) -> int: ...


class HasParts(Protocol):
    """What the scheduler needs of the process's services."""

    @property
    def config(self) -> HasSettings: ...

    @property
    def db(self) -> Database: ...

    @property
    def queue(self) -> RunQueue: ...


def run_forever(
    services: HasParts,
    stop: threading.Event | None = None,
    *,
    post: Sender | None = None,
    public_url: str = "",
) -> None:
    """Look every second until SIGTERM or SIGINT, or until ``stop`` is set.

    A database or queue that is away is waited for.

    :param post: carries notices of failed runs out; None leaves them.
    :param public_url: the web listener, for the links in them.
    """
    ended = stop or threading.Event()
    if stop is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
    checkpoints = CheckpointFile(services.config.audit_checkpoints)
    if post is not None:
        # Of its own: a slow receiver must not keep lost runs waiting.
        threading.Thread(
            target=keep_sending, args=(services.db, post, public_url, ended), daemon=True,
            name="notices",
        ).start()
    ticks = 0
    while not ended.wait(TICK):
        for duty in _duties(services, checkpoints, ticks):
            try:
                duty()
            except (OSError, SQLAlchemyError, RedisError, TacitError) as error:
                # Where the queue is away, say, times come and checkpoints are written all the same.
                _log.warning("tick_failed", extra={"error": type(error).__name__})
                if isinstance(error, OperationalError | InterfaceError):
                    break  # the database is away, and the others need it too
        ticks += 1


def _duties(
    services: HasParts, checkpoints: CheckpointFile, ticks: int
) -> Iterator[Callable[[], object]]:
    """Yield what is due in a look; none of it waits for another to succeed."""
    db, queue = services.db, services.queue
    yield lambda: reap(db, queue)
    yield lambda: end_overdue(db, queue)
    yield lambda: requeue(db, queue)
    yield lambda: let_held_go(db, queue)
    yield lambda: fire_due(db, queue)
    if ticks % PURGE_EVERY == 0:
        yield lambda: _purge(db)
        yield lambda: _append(db, checkpoints)
        yield lambda: purge_runs(db)
        yield lambda: purge_kept_drafts(db)
    if services.config.audit_days and ticks % FORGET_EVERY == 0:
        before = utcnow() - timedelta(days=services.config.audit_days)
        yield lambda: purge_all_before(db, before)


def _purge(db: Database) -> None:
    with db.begin() as session:
        purge_spent_tokens(session)
        purge_idempotency_keys(session)
        purge_hooks(session)
        purge_notices(session)
        purge_due(session)
        purge_untaken(session)


def _append(db: Database, checkpoints: CheckpointFile) -> None:
    with db.read() as session:
        checkpoints.append(session)


def reap(db: Database, queue: RunQueue) -> int:
    """End the runs whose lease ran out; returns how many."""
    return _end_each(
        db, queue, _silent(), lambda session, run, who: lose(
            session, run, who, "it sent no sign of life"
        ),
    )


def end_overdue(db: Database, queue: RunQueue) -> int:
    """Fail the runs that are past their deadline though their worker renews; returns how many."""
    where = (Run.state.in_(CLAIMED), Run.deadline < utcnow() - OVERDUE_AFTER)
    return _end_each(db, queue, where, time_out)


def _end_each(
    db: Database,
    queue: RunQueue,
    where: tuple[ColumnElement[bool], ...],
    end: Callable[[Session, Run, Who], bool],
) -> int:
    with db.read() as session:
        ids = list(session.scalars(select(Run.id).where(*where).limit(BATCH)))
    lost = 0
    for run_id in ids:
        try:
            with db.begin() as session:
                run = session.scalar(
                    select(Run).where(Run.id == run_id, *where).with_for_update(skip_locked=True)
                )
                if run is None:
                    continue
                lost += end(session, run, Who("system", None, "scheduler", run.environment_id))
                if run.state in TERMINAL:
                    session.add(RunEnded(run_id=run.id))
                seq = run.last_seq
        except Tampered:
            # Logged where it was found; the other runs must not wait for its repair.
            continue
        queue.publish(run_id, seq)
    return lost


def requeue(db: Database, queue: RunQueue) -> int:
    """Put queued runs whose job was lost into the queue again; returns how many.

    Runs that no worker could claim, frozen or changed outside Tacit, are left alone: they would
    come back each second.
    """
    waiting = (
        Run.state == RunState.QUEUED, Run.held.is_(False), Run.created_at < utcnow() - LOST_AFTER,
    )
    rows: list[tuple[str, str]] = []
    with db.read() as session:
        places = session.execute(select(Environment.id, Environment.name)).all()
        for place, name in places:
            if not is_frozen(session, place):
                # Each has its own share: the backlog of one without a worker hides no other's.
                ids = session.scalars(
                    select(Run.id).where(Run.environment_id == place, *waiting)
                    .order_by(Run.id).limit(BATCH)
                )
                rows += ((run_id, name) for run_id in ids)
    count = 0
    for run_id, environment in rows:
        if not queue.holds(run_id, environment) and _is_sound(db, run_id):
            count += queue.enqueue(run_id, environment)
    return count


def let_held_go(db: Database, queue: RunQueue) -> int:
    """Put held runs into the queue where there is a place for them now; returns how many."""
    with db.read() as session:
        if session.scalar(
            select(Run.id).where(Run.state == RunState.QUEUED, Run.held).limit(1)
        ) is None:
            return 0
    with db.begin() as session:
        let_go = release(session)
    for run_id, environment in let_go:
        queue.enqueue(run_id, environment)
    return len(let_go)


def _is_sound(db: Database, run_id: str) -> bool:
    try:
        with db.read() as session:
            return session.get(Run, run_id) is not None
    except Tampered:
        return False


def _silent() -> tuple[ColumnElement[bool], ...]:
    return Run.state.in_(CLAIMED), Run.lease_expires_at < utcnow()
