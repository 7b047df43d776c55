"""The scheduler over a real queue: silent workers, lost jobs, spent tokens."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select, text, update

from app.accounts.freeze import freeze, unfreeze
from app.db import Database
from app.ids import new_id, utcnow
from app.runs import scheduler
from app.runs.models import Run
from app.runs.queue import CHANNEL, JOB, RunQueue
from app.runs.scheduler import end_overdue, reap, requeue, run_forever
from app.vault.grants import purge_spent_tokens
from app.vault.models import SpentToken
from tests.support.installation import Installation
from tests.support.queue_server import queue_server
from tests.support.runs import Workshop


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A queue server for the module."""
    with queue_server() as url:
        yield url


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Workshop]:
    """An installation with a real queue."""
    home = tmp_path_factory.mktemp("queued") / "home"
    made = Installation.make(home, redis_url=redis_url)
    yield Workshop.open(made)
    made.services.close()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """The queue server, emptied."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The database; runs of earlier tests are out of the way."""
    database = workshop.installation.services.db
    with database.begin() as session:
        session.execute(
            text("update runs set state = 'cancelled' where state in ('queued', 'running')")
        )
    return database


@pytest.fixture
def queue(workshop: Workshop, redis: Redis) -> RunQueue:
    """The queue's client."""
    return workshop.installation.services.queue


def _set(db: Database, run_id: str, **values: Any) -> None:
    with db.begin() as session:
        session.execute(
            update(Run).where(Run.id == run_id).values(**values),
            execution_options={"synchronize_session": False},
        )


def _age(db: Database, run_id: str) -> None:
    _set(db, run_id, created_at=utcnow() - timedelta(seconds=60))


def test_a_job_holds_the_runs_id_and_nothing_else(
    workshop: Workshop, queue: RunQueue, redis: Redis
) -> None:
    run = workshop.run(workshop.flow(), inputs={"a": "CANARY-input"})
    assert not queue.holds(run.id)
    assert queue.enqueue(run.id)
    assert queue.holds(run.id)
    job: dict[Any, Any] = redis.hgetall(f"rq:job:run-{run.id}")
    # RQ compresses the JSON; nothing is pickled.
    assert json.loads(zlib.decompress(job[b"data"])) == [JOB, None, [run.id], {}]
    assert job[b"description"] == f"run {run.id}".encode()
    for key in redis.scan_iter("*"):
        assert b"CANARY" not in (redis.dump(key) or b"")


def test_notices_carry_ids_alone(queue: RunQueue, redis: Redis) -> None:
    listener: Any = redis.pubsub()  # type: ignore[no-untyped-call]
    listener.subscribe(CHANNEL)
    assert listener.get_message(timeout=5)["type"] == "subscribe"
    queue.publish("some-run", 7)
    message = listener.get_message(timeout=5)
    assert message["data"] == b'{"run": "some-run", "seq": 7}'
    listener.close()


class Slow:
    """A queue's server that answers when it is told to, and the first time with nonsense."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.told: list[str] = []

    def publish(self, _channel: str, notice: str) -> None:
        assert self.answer.wait(20)
        self.told.append(json.loads(notice)["run"])
        if len(self.told) == 1:
            raise ValueError("not what a client of Redis expects")


@pytest.mark.parametrize(("room", "told"), [(9, ["one", "two", "three", "four"]),
                                            (2, ["one", "two", "three"])])
def test_a_notice_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, room: int, told: list[str]
) -> None:
    """Neither a slow server nor a full list of notices; what has no room is left out."""
    monkeypatch.setattr("app.runs.queue.NOTICES", room)
    slow: Any = Slow()
    queue = RunQueue(slow)
    queue.publish("one", 1)
    until = time.monotonic() + 20
    while queue._notices.qsize():  # on its way
        assert time.monotonic() < until
        time.sleep(0.01)
    for run in ("two", "three", "four"):
        queue.publish(run, 1)
    assert not slow.told
    slow.answer.set()
    while len(slow.told) < len(told):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert slow.told == told


def test_a_queue_that_is_away_is_no_error(workshop: Workshop) -> None:
    from dataclasses import replace

    away = RunQueue.open(
        replace(workshop.installation.config, redis_url="unix:///nonexistent/socket")
    )
    assert away.enqueue("x") is False
    assert away.ping() is False
    away.publish("x", 1)


def test_what_was_lost_before_any_node_says_so(
    workshop: Workshop, db: Database, queue: RunQueue
) -> None:
    words = []
    for state in ("checking", "running"):
        silent = workshop.claimed()
        _set(db, silent.id, state=state, lease_expires_at=utcnow() - timedelta(seconds=1))
        assert reap(db, queue) == 1
        words.append(workshop.show(silent.id).problems[0]["message"].partition("). ")[2])
    assert words == [
        "No node had started: run the flow again.",
        "What its nodes had done until then is done; look at them before you run the flow again.",
    ]


def test_a_silent_worker_loses_its_run(
    workshop: Workshop, db: Database, queue: RunQueue
) -> None:
    silent, alive = workshop.claimed(), workshop.claimed()
    assert reap(db, queue) == 0
    _set(db, silent.id, lease_expires_at=utcnow() - timedelta(seconds=1))
    assert reap(db, queue) == 1
    shown = workshop.show(silent.id)
    assert shown.state == "failed"
    assert [item["code"] for item in shown.problems] == ["worker_lost"]
    assert workshop.show(alive.id).state == "running"
    assert reap(db, queue) == 0
    # What the worker still says is refused: it must not go on.
    late = workshop.runtime.post(f"/runs/{silent.id}/heartbeat", silent.token())
    assert (late.status_code, late.json["code"]) == (409, "claim_lost")
    # Its end has been decided, and the answer says how.
    ended = workshop.runtime.post(
        f"/runs/{silent.id}/finish", silent.token(), {"state": "succeeded"}
    )
    assert ended.json == {"state": "failed"}
    assert workshop.show(silent.id).state == "failed"


def test_a_row_changed_in_sql_holds_up_no_other_run(
    workshop: Workshop, db: Database, queue: RunQueue
) -> None:
    edited, silent = workshop.claimed(), workshop.claimed()
    past = utcnow() - timedelta(seconds=1)
    _set(db, edited.id, lease_expires_at=past, token_id=new_id())
    _set(db, silent.id, lease_expires_at=past)
    assert reap(db, queue) == 1
    assert workshop.show(silent.id).state == "failed"
    _set(db, edited.id, token_id=None)
    assert reap(db, queue) == 1


def test_a_lost_job_is_put_back(
    workshop: Workshop, db: Database, queue: RunQueue, redis: Redis
) -> None:
    fresh, lost, waiting = (workshop.run(workshop.flow()) for _ in range(3))
    _set(db, fresh.id, created_at=utcnow() + timedelta(minutes=5))  # however slow the machine is
    for run in (lost, waiting):
        _age(db, run.id)
    queue.enqueue(waiting.id)
    assert requeue(db, queue) == 1
    assert queue.holds(lost.id)
    assert not queue.holds(fresh.id)
    assert requeue(db, queue) == 0
    # Redis loses everything: the database is the truth.
    redis.flushall()
    assert requeue(db, queue) == 2
    held = workshop.runtime.claim(workshop.worker, lost.id)
    assert held.plan["state"] == "running"
    redis.flushall()
    assert requeue(db, queue) == 1


def test_the_backlog_of_one_environment_hides_no_lost_job_of_another(
    workshop: Workshop, db: Database, queue: RunQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "BATCH", 2)
    backlog = [workshop.run(workshop.flow()) for _ in range(3)]
    there = workshop.actor(environment_id=workshop.installation.environment(f"e{new_id()}"))
    lost = workshop.run(workshop.flow(actor=there), there)
    for run in (*backlog, lost):
        _age(db, run.id)
    for run in backlog:
        queue.enqueue(run.id)
    assert requeue(db, queue) == 1


def test_a_freeze_that_was_changed_in_sql_stops_its_own_environment_only(
    workshop: Workshop, db: Database, queue: RunQueue
) -> None:
    there = workshop.actor(environment_id=workshop.installation.environment(f"e{new_id()}"))
    frozen, lost = workshop.run(workshop.flow(actor=there), there), workshop.run(workshop.flow())
    for run in (frozen, lost):
        _age(db, run.id)
    with db.begin() as session:
        freeze(session, there, everywhere=False, reason="leak")
    with db.begin() as session:
        session.execute(
            text("update freezes set reason = 'none' where place = :place"),
            {"place": there.environment_id},
        )
    assert requeue(db, queue) == 1
    assert queue.holds(lost.id)
    with db.begin() as session:
        session.execute(
            text("delete from freezes where place = :place"), {"place": there.environment_id}
        )


def test_runs_that_nobody_could_claim_are_left_alone(
    workshop: Workshop, db: Database, queue: RunQueue
) -> None:
    run = workshop.run(workshop.flow())
    _age(db, run.id)
    operator = workshop.installation.operator()
    with db.begin() as session:
        freeze(session, operator, everywhere=True, reason="leak")
    try:
        assert requeue(db, queue) == 0
    finally:
        with db.begin() as session:
            unfreeze(session, operator, everywhere=True)
    _set(db, run.id, token_id=new_id())
    assert requeue(db, queue) == 0
    _set(db, run.id, token_id=None)
    assert requeue(db, queue) == 1


def test_spent_tokens_are_forgotten_after_their_end(db: Database) -> None:
    with db.begin() as session:
        session.execute(text("delete from spent_tokens"))
        for jti, seconds in (("old-token", -1), ("new-token", 30)):
            session.add(SpentToken(jti=jti, expires_at=utcnow() + timedelta(seconds=seconds)))
    with db.begin() as session:
        assert purge_spent_tokens(session) == 1
        assert session.scalar(select(func.count()).select_from(SpentToken)) == 1
        assert session.get(SpentToken, "new-token") is not None


def test_the_loop_goes_on_when_the_queue_is_away(
    workshop: Workshop, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs no master key: the services it gets hold no vault."""
    from dataclasses import replace

    monkeypatch.setattr(scheduler, "TICK", 0.02)
    services = replace(workshop.installation.services, vault=None)
    away = replace(
        services,
        queue=RunQueue.open(replace(services.config, redis_url="unix:///nonexistent/socket")),
    )
    run = workshop.run(workshop.flow())
    silent = workshop.claimed()
    _age(db, run.id)
    _set(db, silent.id, lease_expires_at=utcnow() - timedelta(seconds=1))
    stop, fired = threading.Event(), threading.Event()
    monkeypatch.setattr(scheduler, "fire_due", lambda *_: fired.set())
    thread = threading.Thread(target=run_forever, args=(away, stop))
    thread.start()
    try:
        for _ in range(200):
            if workshop.show(silent.id).state == "failed":
                break
            stop.wait(0.02)
        assert fired.wait(10)  # schedules wait for no queue
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(10)
    assert workshop.show(silent.id).state == "failed"
    assert not thread.is_alive()


def test_a_worker_cant_keep_a_run_past_its_deadline(
    workshop: Workshop, db: Database, queue: RunQueue
) -> None:
    held = workshop.runtime.claim(workshop.worker, workshop.run(workshop.flow()).id)
    assert end_overdue(db, queue) == 0
    _set(db, held.id, deadline=utcnow() - timedelta(seconds=20))
    assert workshop.runtime.post(f"/runs/{held.id}/heartbeat", held.token()).status_code == 200
    assert end_overdue(db, queue) == 1
    shown = workshop.show(held.id)
    assert (shown.state, shown.problems[0]["code"]) == ("failed", "run_timeout")
    late = workshop.runtime.post(f"/runs/{held.id}/finish", held.token(), {"state": "succeeded"})
    assert late.status_code in (200, 409)
    assert workshop.show(held.id).state == "failed"
