"""The queue's side: RQ's bookkeeping, and nothing that a job could name is ever imported.

RQ imports whatever function a job names, its callbacks too. A :class:`RunJob` has no callbacks,
dependencies, retries or webhooks, whatever Redis says, and performs one function only.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final

from rq import Worker
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.timeouts import BaseDeathPenalty

from app.ids import is_id, new_id

FUNCTION: Final = "worker.main.execute"
_DROPPED: Final = (
    "success_callback_name", "failure_callback_name", "stopped_callback_name", "webhooks",
    "dependency_ids", "dependency_id", "retries_left", "retry_intervals", "number_of_retries",
    "repeats_left", "repeat_intervals", "group_id", "rate_limit_key", "rate_limit_concurrency",
    "enqueue_at_front_on_retry", "result", "exc_info",
)

Waiting = Callable[[Callable[[], None]], None]
"""Waits for the end of what was handed over, and calls its argument in between."""

log = logging.getLogger("tacit.worker")


class JobRefused(Exception):
    """The job isn't one that this worker performs."""


class RunJob(Job):
    """A job that can only be a run."""

    wait: Callable[[], None] | None = None
    """Returns when the run, which was handed over, has ended."""

    def restore(self, raw_data: Mapping[Any, Any]) -> Any:
        """Take over what Redis holds, without what would make RQ import or call something."""
        kept, dropped = {}, []
        for key, value in raw_data.items():
            name = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
            if name in _DROPPED:
                if value and value not in (b"[]", "[]"):
                    dropped.append(name)
            else:
                kept[key] = value
        if dropped:
            log.warning("Job %s: dropped %s", _safe(self.id), ", ".join(sorted(dropped)))
        super().restore(kept)
        # Dependents stand in a key of their own; nothing of theirs is started from here.
        self._dependency_ids = []
        return None

    def run_id(self) -> str:
        """Return the run that the job names; imports nothing.

        :raises JobRefused: it names another function, or other arguments.
        """
        try:
            function, instance = self.func_name, self.instance
            arguments, named = self.args, self.kwargs
        except Exception:
            raise JobRefused("its data can't be read") from None
        if function != FUNCTION or instance is not None:
            raise JobRefused("it names another function")
        values = [*arguments, *named.values()]
        if len(values) != 1 or set(named) - {"run_id"} or not isinstance(values[0], str):
            raise JobRefused("its arguments aren't one run")
        if not is_id(values[0]):
            raise JobRefused("its argument isn't the id of a run")
        return values[0]

    def _execute(self) -> None:
        if self.wait is None:
            raise JobRefused("it wasn't handed over")
        self.wait()


class NoDeathPenalty(BaseDeathPenalty):
    """The run's own deadline counts; no alarm interrupts the parent."""

    def setup_death_penalty(self) -> None:
        """Do nothing."""

    def cancel_death_penalty(self) -> None:
        """Do nothing."""


class RunWorker(Worker):
    """RQ's worker, which hands each job's run over and keeps the books.

    :param hand_over: gives a run, by its id, to a process; what it returns waits until that has
        ended, and calls its argument in between, so that RQ knows the job is alive.
    :param kill: ends the run's process.
    :param stopping: called once, when an end was asked for while a run may be under way.
    """

    job_class = RunJob
    death_penalty_class = NoDeathPenalty

    def __init__(
        self,
        queues: list[str],
        hand_over: Callable[[str], Waiting],
        kill: Callable[[], None],
        stopping: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        super().__init__(
            queues, serializer="json", log_job_description=False, job_class=RunJob,
            queue_class=_announcing(self._begin), **options,
        )
        self._hand_over = hand_over
        self._kill = kill
        self._stopping = stopping
        self._under_way: Waiting | None = None

    def work(self, *arguments: Any, **named: Any) -> bool:
        """Work until told to stop; a run that was begun is seen through, whatever ends this."""
        try:
            return super().work(*arguments, **named)
        finally:
            self._see_off()

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Perform one job: its work happens in the run's own process, beside RQ's books."""
        execution: Execution | None = None

        def tick() -> None:
            with contextlib.suppress(Exception):  # the queue may be away; the lease decides
                if execution is not None:
                    self.maintain_heartbeats(job, execution)

        if isinstance(job, RunJob):
            job.wait = lambda: self._see_through(tick)
        try:
            execution = self.prepare_execution(job)
            self.perform_job(job, queue, execution)
        finally:
            self._see_off()
        self.set_state("idle")

    def _begin(self, job: Job) -> None:
        """Hand the job's run over; where that fails, waiting for it says why."""
        try:
            if not isinstance(job, RunJob):
                raise JobRefused("it is of another kind")
            self._under_way = self._hand_over(job.run_id())
        except Exception as error:
            self._under_way = _raising(error)

    def _see_through(self, tick: Callable[[], None]) -> None:
        waiting, self._under_way = self._under_way, None
        if waiting is None:
            raise JobRefused("it wasn't handed over")
        waiting(tick)

    def _see_off(self) -> None:
        """Wait for a run that RQ doesn't wait for: the queue is away, or this worker is to stop."""
        if self._under_way is not None:
            with contextlib.suppress(Exception):
                self._see_through(lambda: None)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """Seconds until RQ may take the job for lost; RQ's own timeout of a job doesn't count."""
        return int(self.job_monitoring_interval) + 60

    def handle_warm_shutdown_request(self) -> None:
        """The first signal: no more jobs; the one under way gets its time."""
        self._stopping()

    def kill_horse(self, sig: Any = None) -> None:
        """End the run's process: a cold shutdown, or a stop command of the queue."""
        self._kill()

    def wait_for_horse(self) -> tuple[None, None, None]:
        """The process belongs to the zygote, which waits for it."""
        return None, None, None

    @property
    def horse_pid(self) -> int:
        """Whether there is something to kill is the runner's to know."""
        return 1

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log the kind of error and no more: its text could hold anything."""
        log.error("Job %s failed: %s", _safe(job.id), _kind(exc_info))

    def _finalize_failure(
        self,
        job: Job,
        queue: Queue,
        execution: Execution,
        exc_info: tuple[type[BaseException] | None, BaseException | None, TracebackType | None],
    ) -> None:
        reference = new_id()
        error = exc_info[1]
        if isinstance(error, JobRefused):
            log.error("Job %s was refused: %s (%s)", _safe(job.id), error, reference)
        else:
            log.error("Job %s failed: %s (%s)", _safe(job.id), _kind(exc_info), reference)
        job._status = JobStatus.FAILED
        self.handle_execution_ended(job, queue, 60)
        self.handle_job_failure(
            job=job, queue=queue, started_job_registry=queue.started_job_registry,
            exc_string=f"{_kind(exc_info)} (withheld; reference {reference})",
            execution=execution,
        )

    def _enqueue_dependents_safely(self, queue: Queue, job: Job) -> None:
        """Start nothing: this worker's jobs have no dependents."""


def _announcing(begin: Callable[[Job], None]) -> type[Queue]:
    """Return RQ's queue, which announces a job as soon as it has one: RQ's worker sends a sign of
    life before it returns what it took."""

    class Announcing(Queue):
        @classmethod
        def dequeue_any(cls, *arguments: Any, **named: Any) -> Any:
            found = super().dequeue_any(*arguments, **named)
            if found is not None:
                begin(found[0])
            return found

    return Announcing


def _raising(error: Exception) -> Waiting:
    def wait(_tick: Callable[[], None]) -> None:
        raise error

    return wait


def _kind(exc_info: Any) -> str:
    kind = exc_info[0]
    return kind.__name__ if isinstance(kind, type) else "error"


def _safe(text: object) -> str:
    return "".join(c if c.isalnum() or c in "-_.:" else "?" for c in str(text)[:80])
