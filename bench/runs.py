"""Enqueue to finished: a flow of three nodes beside a bare RQ job that does the same work."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any

from app.accounts.service import actor_for_token
from app.http.services import Services
from app.runs.service import start_run
from bench import bare
from bench.figures import percentile
from bench.installation import Installation, helper

WARM_UP = 10
ENDED = ("succeeded", "failed", "rejected", "cancelled", "skipped")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from enqueue to finished; and, of flows, their medians by step."""

    milliseconds: Sequence[float]
    steps: Mapping[str, float] = field(default_factory=dict)

    def share(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        return percentile(self.milliseconds, share)


def measure(
    installation: Installation, flow: str, echo_port: int, count: int
) -> tuple[Latency, Latency, Latency]:
    """Run all sides ``count`` times, taking turns so that noise hits them alike.

    None rests for long in between: on a machine that slept, the bare job takes twice its time,
    and a run a fifth more.

    Returns three latencies. First the flow's from the moment that its job is put into the queue,
    by this process, as it puts in the bare job, to its ``finished_at``, when its last event and
    its state are in the database. Then the flow's as the API is asked for it, from the run's
    ``created_at``: the row, its audit and their commit are in it. Then the bare job's, from RQ's
    ``enqueued_at`` to its ``ended_at``.
    """
    flows, asked, jobs, parts = [], [], [], []
    with helper("bench.bare", installation.running["redis_url"]), installation.services() as here:
        queue = bare.queue(installation.running["redis_url"])
        arguments = {"port": echo_port, **bare.seal(secrets.token_urlsafe(24))}
        for turn in range(WARM_UP + count):
            took, steps = _run_here(here, installation, flow)
            job = _run_job(queue, arguments)
            run = run_once(installation, flow)
            if turn >= WARM_UP:
                flows.append(took)
                parts.append(steps)
                jobs.append(job)
                asked.append(run["milliseconds"])
    steps = {name: median(part[name] for part in parts) for name in parts[0]}
    return Latency(flows, steps), Latency(asked), Latency(jobs)


def _run_here(
    services: Services, installation: Installation, flow: str
) -> tuple[float, dict[str, float]]:
    """Start a run and enqueue it here; return its milliseconds, whole and by step."""
    with services.db.begin() as session:
        actor = actor_for_token(session, installation.token)
        run = start_run(session, actor, flow)
    enqueued = datetime.now(UTC)
    services.queue.enqueue(run.id)
    give_up = time.monotonic() + 30
    with closing(sqlite3.connect(installation.home / "tacit.db")) as connection:
        while True:
            state, started, ended = connection.execute(
                "select state, started_at, finished_at from runs where id = ?", [run.id]
            ).fetchone()
            if ended is not None:
                break
            if time.monotonic() > give_up:
                raise RuntimeError(f"run {run.id} is still {state} after 30 s")
            time.sleep(0.05)
        nodes = {
            name: (_time(began), _time(over))
            for name, began, over in connection.execute(
                "select node, started_at, finished_at from run_nodes where run_id = ?", [run.id]
            )
        }
    if state != "succeeded":
        raise RuntimeError(f"run {run.id} ended as {state}")
    return _milliseconds(enqueued, _time(ended)), _steps(
        enqueued, _time(started), _time(ended), nodes
    )


def _steps(
    enqueued: datetime,
    started: datetime,
    finished: datetime,
    nodes: Mapping[str, tuple[datetime, datetime]],
) -> dict[str, float]:
    """Take a run's time apart: its row's times are the server's, those of nodes the worker's."""
    begun, ended = min(nodes.values())[0], max(end for _, end in nodes.values())
    steps = {
        "enqueue, pick-up, claim": _milliseconds(enqueued, started),
        "check, plan, first node": _milliseconds(started, begun),
        "value (fetch)": _milliseconds(*nodes["fetch"]),
        "HTTP (call)": _milliseconds(*nodes["call"]),
        "log": _milliseconds(*nodes["log"]),
        "last events, finish": _milliseconds(ended, finished),
    }
    between = _milliseconds(enqueued, finished) - sum(steps.values())
    return {**steps, "between nodes": between}


def make_flow(installation: Installation, echo_port: int) -> str:
    """Make the secret and the flow; return the flow's id."""
    value = secrets.token_urlsafe(24)
    installation.call("POST", "/secrets", {"name": "bench/echo", "value": value})
    graph = {
        "schema": 1,
        "nodes": [
            {"id": "fetch", "component": "secret.fetch", "label": "Fetch", "position": [0, 0],
             "config": {"secretName": "bench/echo", "version": None, "outputFormat": "raw"}},
            {"id": "call", "component": "http.request", "label": "Call", "position": [300, 0],
             "config": {"method": "GET", "url": f"http://127.0.0.1:{echo_port}/"}},
            {"id": "log", "component": "output.log", "label": "Log", "position": [600, 0],
             "config": {}},
        ],
        "edges": [
            {"id": "e1", "source": {"node": "fetch", "port": "value"},
             "target": {"node": "call", "port": "bearer_token"}},
            {"id": "e2", "source": {"node": "call", "port": "body"},
             "target": {"node": "log", "port": "message"}},
        ],
    }
    made = installation.call("POST", "/flows", {"name": "bench", "graph": graph})
    if made["problems"]:
        raise RuntimeError(f"the flow has problems: {made['problems']}")
    return str(made["id"])


def run_once(installation: Installation, flow: str) -> dict[str, Any]:
    """Ask the API to run a flow; return the run, with ``milliseconds`` from accepted to finished.

    :raises RuntimeError: it didn't succeed.
    """
    run = installation.call("POST", f"/flows/{flow}/runs", {"inputs": {}})
    give_up = time.monotonic() + 30
    while run["state"] not in ENDED:
        if time.monotonic() > give_up:
            raise RuntimeError(f"run {run['id']} is still {run['state']} after 30 s")
        time.sleep(0.05)
        run = installation.call("GET", f"/runs/{run['id']}")
    if run["state"] != "succeeded":
        raise RuntimeError(f"run {run['id']} ended as {run['state']}: {run['problems']}")
    took = _milliseconds(_time(run["created_at"]), _time(run["finished_at"]))
    return {**run, "milliseconds": took}


def _run_job(queue: Any, arguments: dict[str, Any]) -> float:
    job = queue.enqueue(bare.work, kwargs=arguments, result_ttl=60, description="bench")
    give_up = time.monotonic() + 30
    while not job.is_finished:
        if job.is_failed or time.monotonic() > give_up:
            raise RuntimeError(f"the bare job is {job.get_status()}")
        time.sleep(0.05)
    job.refresh()
    return _milliseconds(job.enqueued_at, job.ended_at)


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _milliseconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() * 1000
