"""The queue: jobs that carry a run's id and nothing else. The only module that knows RQ.

The database is the truth. A job that can't be put in is put in later by the reaper, so an
accepted run is never lost with Redis.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import queue as queues
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from app.config import Config

JOB = "worker.main.execute"
"""The one function that a worker executes; named, never imported, on this side."""

CHANNEL = "tacit:runs"
FAILURE_TTL = 3600
MAX_RUN_SECONDS = 24 * 3600
NOTICES = 10_000

_log = logging.getLogger("tacit.queue")


def queue_name(environment: str) -> str:
    """Return the name of an environment's queue."""
    return f"runs:{environment}"


class RunQueue:
    """Jobs and notices about runs, over Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._notices: queues.Queue[tuple[str, int]] = queues.Queue(NOTICES)
        self._notifier: threading.Thread | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, config: Config) -> RunQueue:
        """Make the client; it connects when it is first used."""
        return cls(
            Redis.from_url(
                config.redis_url or "redis://localhost:6379/0",
                socket_connect_timeout=2,
                socket_timeout=5,
                retry=Retry(NoBackoff(), 1),
            )
        )

    def enqueue(self, run_id: str, environment: str = "default") -> bool:
        """Put a run's job into its environment's queue; say whether that worked.

        Call it after the commit of the run's row. Putting in a job twice is harmless: the second
        claim finds the run taken.
        """
        try:
            # Everything in one round trip, and all of it or nothing.
            with self._redis.pipeline() as pipe:
                Queue(
                    queue_name(environment), connection=self._redis, serializer=JSONSerializer
                ).enqueue_call(
                    JOB,
                    args=(run_id,),
                    timeout=MAX_RUN_SECONDS,
                    result_ttl=0,
                    failure_ttl=FAILURE_TTL,
                    description=f"run {run_id}",
                    job_id=f"run-{run_id}",
                    pipeline=pipe,
                )
                pipe.execute()
        except RedisError as error:
            _log.warning("enqueue_failed", extra={"run": run_id, "error": type(error).__name__})
            return False
        return True

    def holds(self, run_id: str, environment: str = "default") -> bool:
        """Say whether the run's job waits in the queue.

        :raises RedisError: the queue's server does not answer.
        """
        queue = Queue(queue_name(environment), connection=self._redis, serializer=JSONSerializer)
        return queue.get_job_position(f"run-{run_id}") is not None

    def depth(self, environment: str) -> float:
        """Return how many jobs wait for a worker; NaN while the queue's server is away."""
        try:
            name = queue_name(environment)
            return Queue(name, connection=self._redis, serializer=JSONSerializer).count
        except RedisError:
            return math.nan

    def publish(self, run_id: str, seq: int) -> None:
        """Tell waiting pages that a run has events up to ``seq``; they read the database.

        A thread tells them: a worker's request doesn't wait for it. What comes while
        :data:`NOTICES` of them wait, since the queue is away, is left out, as those will be.
        """
        with contextlib.suppress(queues.Full):
            self._notices.put_nowait((run_id, seq))
        if self._notifier is None:
            with self._lock:
                if self._notifier is None:
                    self._notifier = threading.Thread(
                        target=self._notify, name="notices", daemon=True
                    )
                    self._notifier.start()

    def _notify(self) -> None:
        while True:
            run_id, seq = self._notices.get()
            try:
                self._redis.publish(CHANNEL, json.dumps({"run": run_id, "seq": seq}))
            except Exception as error:  # the thread has to outlive it, whatever it was
                _log.warning(
                    "publish_failed", extra={"run": run_id, "error": type(error).__name__}
                )

    @contextmanager
    def listening(self) -> Iterator[Callable[[str, float], None]]:
        """Subscribe to the notices about runs.

        Gives ``heard(run_id, seconds)``: it returns once there is a notice about the run, or
        after the seconds; a queue that is away only makes it wait for them.
        """
        subscriber = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        with subscriber as channel:
            try:
                channel.subscribe(CHANNEL)
                # Confirmed: from here on nothing is missed.
                channel.get_message(ignore_subscribe_messages=False, timeout=5)
            except RedisError as error:
                _log.warning("listen_failed", extra={"error": type(error).__name__})
            yield lambda run_id, seconds: _hear(channel, run_id, seconds)

    def ping(self) -> bool:
        """Say whether the server answers."""
        try:
            return bool(self._redis.ping())
        except RedisError:
            return False


def _hear(channel: PubSub, run_id: str, seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while (left := give_up - time.monotonic()) > 0:
        try:
            message = channel.get_message(timeout=left) if channel.subscribed else None
        except RedisError:
            message = None
        if message is None:
            time.sleep(max(0.0, give_up - time.monotonic()))
        elif f'"{run_id}"'.encode() in message["data"]:
            return
