"""Runs a second with two workers, beside two stock RQ workers that do the bare job."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from app.accounts.service import actor_for_token
from app.http.services import Services
from app.runs.service import start_run
from bench import bare
from bench.installation import Installation, helper

ROOT = Path(__file__).resolve().parent.parent
_LEFT = "select count(*) from runs where id between ? and ? and finished_at is null"
_ENDED = "select max(finished_at) from runs where id between ? and ?"


def measure(
    installation: Installation, flow: str, echo_port: int, count: int
) -> tuple[float, float]:
    """Return runs a second and bare jobs a second: all enqueued at once, until all have ended."""
    redis_url = installation.running["redis_url"]
    with helper("bench.bare", redis_url), helper("bench.bare", redis_url):
        queue = bare.queue(redis_url)
        arguments = {"port": echo_port, **bare.seal(secrets.token_urlsafe(24))}
        warm = [queue.enqueue(bare.work, kwargs=arguments, result_ttl=60) for _ in range(4)]
        while not all(job.is_finished for job in warm):
            time.sleep(0.05)
        began = datetime.now(UTC)
        jobs = [queue.enqueue(bare.work, kwargs=arguments, result_ttl=60) for _ in range(count)]
        while not all(job.is_finished for job in jobs):
            time.sleep(0.05)
        for job in jobs:
            job.refresh()
        ended = max(job.ended_at for job in jobs if job.ended_at is not None)
        jobs_rate = count / (ended - began).total_seconds()
    with _second_worker(installation), installation.services() as services:
        _burst(services, installation, flow, 10)
        return _burst(services, installation, flow, count), jobs_rate


def _burst(services: Services, installation: Installation, flow: str, count: int) -> float:
    with services.db.begin() as session:
        actor = actor_for_token(session, installation.token)
        runs = [start_run(session, actor, flow) for _ in range(count)]
        ids = [run.id for run in runs]
    began = datetime.now(UTC)
    for run in ids:
        services.queue.enqueue(run)
    # Asked of the database: who asks the API takes processor time from what is measured.
    with closing(sqlite3.connect(installation.home / "tacit.db")) as connection:
        while connection.execute(_LEFT, [ids[0], ids[-1]]).fetchone()[0]:
            time.sleep(0.05)
        ended = connection.execute(_ENDED, [ids[0], ids[-1]]).fetchone()[0]
    return count / (datetime.fromisoformat(ended).replace(tzinfo=UTC) - began).total_seconds()


@contextmanager
def _second_worker(installation: Installation) -> Iterator[None]:
    """Start another worker, with a copy of the first one's key."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tacit-bench-w-")))
        place.chmod(0o755)
        for source in ("keys/worker-local.json", "tls/ca.pem"):
            shutil.copy(installation.home / source, place)
        (place / "worker-local.json").chmod(0o600)
        (place / "ca.pem").chmod(0o644)
        (place / "scratch").mkdir()
        (place / "scratch").chmod(0o755)
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.main"], cwd=ROOT, stderr=subprocess.DEVNULL,
            env={
                "PATH": os.environ["PATH"],
                "TACIT_RUNTIME_URL": installation.running["runtime_url"],
                "TACIT_CA": str(place / "ca.pem"),
                "TACIT_REDIS_URL": installation.running["redis_url"],
                "TACIT_WORKER_KEY_FILE": str(place / "worker-local.json"),
                "TACIT_WORKER_SCRATCH": str(place / "scratch"),
                "TACIT_QUEUE": "runs:default",
            },
        )
        try:
            time.sleep(3)  # it has its spare by then
            yield
        finally:
            process.terminate()
            process.wait(20)
