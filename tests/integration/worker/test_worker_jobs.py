"""The worker's books in the queue: beside its runs, never in their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as QueueAway
from rq.executions import Execution

from app.ids import new_id
from app.runs.queue import RunQueue, queue_name
from tests.support.worker_process import queue_server
from worker.jobs import RunJob, RunWorker, Waiting

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    with queue_server() as (_, redis):
        yield redis


class Worker(RunWorker):
    """Says what it does, in order; the books can't be written where it is told so."""

    def __init__(self, redis: Redis, *, away: bool = False) -> None:
        self.done: list[str] = []
        self.away = away
        super().__init__([queue_name("default")], self.give, lambda: None, connection=redis,
                         name=new_id())

    def give(self, run: str) -> Waiting:
        self.done.append(f"handed over {run}")
        return self.see_through

    def see_through(self, tick: Callable[[], None]) -> None:
        tick()
        self.done.append("seen through")

    def prepare_execution(self, job: Any) -> Execution:
        self.done.append("books")
        if self.away:
            raise QueueAway
        return super().prepare_execution(job)

    def work_on(self, run: str) -> RunJob:
        """Perform the run's job as RQ's loop would; return it."""
        found = self.queue_class.dequeue_any(
            self.queues, None, connection=self.connection, job_class=RunJob, serializer="json")
        assert found is not None
        job, queue = found
        assert isinstance(job, RunJob)
        assert job.id == f"run-{run}"
        self.execute_job(job, queue)
        return job


def queued(redis: Redis) -> str:
    run = new_id()
    assert RunQueue(redis).enqueue(run)
    return run


def test_a_run_does_not_wait_for_the_books(redis: Redis) -> None:
    worker, run = Worker(redis), queued(redis)
    worker.work_on(run)
    assert worker.done == [f"handed over {run}", "books", "seen through"]
    assert not redis.exists(f"rq:job:run-{run}")  # done, and nothing of it kept


def test_a_run_whose_books_can_not_be_written_is_seen_through(redis: Redis) -> None:
    worker, run = Worker(redis, away=True), queued(redis)
    with pytest.raises(QueueAway):
        worker.work_on(run)
    assert worker.done == [f"handed over {run}", "books", "seen through"]


def test_a_run_is_seen_through_when_rq_stops_between_the_two(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, run = Worker(redis), queued(redis)

    def broken(_self: Any, *_more: Any, **_named: Any) -> None:
        if worker.done:
            raise QueueAway

    monkeypatch.setattr(RunWorker, "heartbeat", broken)
    monkeypatch.setattr(RunWorker, "_install_signal_handlers", lambda _self: None)
    worker.work(logging_level="CRITICAL")
    assert worker.done == [f"handed over {run}", "seen through"]


def test_what_can_not_be_handed_over_fails_its_job(redis: Redis) -> None:
    worker, run = Worker(redis), queued(redis)

    def nobody(_run: str) -> Waiting:
        raise OSError("no process to be had")

    worker._hand_over = nobody
    job = worker.work_on(run)
    assert worker.done == ["books"]
    assert job.get_status(refresh=True) == "failed"


def test_a_job_that_was_not_handed_over_does_nothing(redis: Redis) -> None:
    run = queued(redis)
    job = RunJob.fetch(f"run-{run}", connection=redis, serializer="json")
    with pytest.raises(Exception, match="handed over"):
        job.perform()
