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
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from redis import Redis
from rq import Queue

from app.cli import embedded
from app.runs.models import Run
from app.runs.states import TERMINAL
from app.runs.workers import enroll_local
from tests.support.installation import Installation
from tests.support.runtime_process import runtime_process
from tests.support.runtime_standin import PlannedRun

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


class Server(Protocol):
    """What a worker needs to know of its server."""

    @property
    def url(self) -> str: ...

    @property
    def ca(self) -> Path: ...

    def key_document(self) -> dict[str, str]:
        """What the worker's key file holds."""
        ...


class WorkerProcess:
    """``python -m worker.main``, as an operator starts it."""

    def __init__(self, standin: Server, redis_url: str, redis: Redis, folder: Path) -> None:
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
        self.python = Path(sys.executable)
        self.process: subprocess.Popen[bytes] | None = None
        self.left_behind: list[Path] = []

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.python), "-m", "worker.main"], env=self.environ, stdout=log, stderr=log)

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
        self.put(run.id)
        return run

    def put(self, run_id: str) -> None:
        """Put a run's job into the queue."""
        self.queue.enqueue_call(
            "worker.main.execute", args=[run_id], job_id=f"{run_id}-1",
            description=f"run {run_id}", result_ttl=0, failure_ttl=3600)


@dataclass(frozen=True)
class _Runtime:
    """The real runtime listener of an installation."""

    url: str
    ca: Path
    document: dict[str, str]

    def key_document(self) -> dict[str, str]:
        return self.document


def work_off(installation: Installation, run_id: str, folder: Path) -> str:
    """Have a run done by a real worker over the real runtime listener; returns its last state."""
    with installation.services.db.begin() as session:
        document = enroll_local(session, "bench")
    with queue_server() as (url, redis), runtime_process(installation, folder) as runtime:
        ca = installation.config.home / "tls" / "ca.pem"
        server = _Runtime(f"https://localhost:{runtime.port}", ca, document)
        worker = WorkerProcess(server, url, redis, folder)
        worker.start()
        try:
            worker.put(run_id)
            until = time.monotonic() + 60
            while (state := _state(installation, run_id)) not in TERMINAL:
                assert time.monotonic() < until, (state, worker.words())
                time.sleep(0.1)
            return state
        finally:
            worker.stop()


def _state(installation: Installation, run_id: str) -> str:
    with installation.services.db.read() as session:
        return session.get_one(Run, run_id).state
