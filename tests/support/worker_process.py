"""A real worker process over a real Valkey server, for the worker's tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from rq import Queue

from app.cli import embedded
from tests.support.runtime_standin import PlannedRun, RuntimeStandin

ROOT = Path(__file__).parents[2]


@contextmanager
def queue_server() -> Iterator[tuple[str, Redis]]:
    """Start Valkey as ``tacit up`` does; yields the worker's URL and a client of the server's."""
    with tempfile.TemporaryDirectory(prefix="tq") as folder:
        socket, listed = Path(folder) / "q.sock", Path(folder) / "users.acl"
        users = embedded.Users()
        users.write(listed)
        process = subprocess.Popen(
            embedded.arguments(socket, Path(folder), shared=False, users=listed),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 10
            while not embedded.answers(socket, password=users.server):
                assert time.monotonic() < until
                time.sleep(0.02)
            with Redis.from_url(embedded.url(socket, embedded.SERVER, users.server)) as client:
                yield embedded.url(socket, embedded.WORKER, users.worker), client
        finally:
            process.kill()
            process.wait()


class WorkerProcess:
    """``python -m worker.main``, as an operator starts it."""

    def __init__(self, standin: RuntimeStandin, redis_url: str, redis: Redis, folder: Path) -> None:
        key = folder / "worker.key"
        key.write_text(json.dumps(standin.key_document()))
        key.chmod(0o600)
        self.key = key
        # Below /tmp itself: pytest's folders are closed to the user that runs get under root.
        self.scratch = Path(tempfile.mkdtemp(prefix="tacit-test-scratch-"))
        self.scratch.chmod(0o711)
        self.log = folder / "worker.log"
        self.redis = redis
        self.queue = Queue("runs:default", connection=redis, serializer="json")
        self.environ = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT),
            "TACIT_RUNTIME_URL": standin.url, "TACIT_CA": str(standin.ca),
            "TACIT_REDIS_URL": redis_url, "TACIT_WORKER_KEY_FILE": str(key),
            "TACIT_WORKER_SCRATCH": str(self.scratch), "CANARY_IN_ENV": "must-not-be-inherited",
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.left_behind: list[Path] = []

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker.main"], env=self.environ, stdout=log, stderr=log)

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.left_behind = list(self.scratch.iterdir()) if self.scratch.exists() else []
        shutil.rmtree(self.scratch, ignore_errors=True)
        return self.process.returncode

    def words(self) -> str:
        return self.log.read_text("utf-8")

    def enqueue(self, run: PlannedRun) -> PlannedRun:
        self.queue.enqueue_call(
            "worker.main.execute", args=[run.id], job_id=f"{run.id}-1",
            description=f"run {run.id}", result_ttl=0, failure_ttl=3600)
        return run
