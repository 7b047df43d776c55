"""Enqueue to finished: a flow of three nodes beside a bare RQ job that does the same work."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any

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
) -> tuple[Latency, Latency]:
    """Run both sides ``count`` times, taking turns so that noise hits both alike.

    Neither rests for long in between: on a machine that slept, the bare job takes twice its time,
    and a run a fifth more.

    Returns the flow's latencies, then the bare job's. The flow's begin is the run's ``created_at``
    (written just before it is enqueued) and its end ``finished_at``, when its last event and its
    state are in the database. The bare job's are RQ's ``enqueued_at`` and ``ended_at``.
    """
    flows, jobs, parts = [], [], []
    with helper("bench.bare", installation.running["redis_url"]):
        queue = bare.queue(installation.running["redis_url"])
        arguments = {"port": echo_port, **bare.seal(secrets.token_urlsafe(24))}
        for turn in range(WARM_UP + count):
            run = run_once(installation, flow)
            job = _run_job(queue, arguments)
            if turn >= WARM_UP:
                flows.append(run["milliseconds"])
                parts.append(_steps(installation, run))
                jobs.append(job)
    steps = {name: median(part[name] for part in parts) for name in parts[0]}
    return Latency(flows, steps), Latency(jobs)


def _steps(installation: Installation, run: dict[str, Any]) -> dict[str, float]:
    """Take a run's time apart: its row's times are the server's, those of nodes the worker's."""
    with sqlite3.connect(installation.home / "tacit.db") as connection:
        nodes = {
            name: (_time(began), _time(ended))
            for name, began, ended in connection.execute(
                "select node, started_at, finished_at from run_nodes where run_id = ?", [run["id"]]
            )
        }
    created, started = _time(run["created_at"]), _time(run["started_at"])
    begun, ended = min(nodes.values())[0], max(end for _, end in nodes.values())
    steps = {
        "enqueue, pick-up, claim": _milliseconds(created, started),
        "check, plan, first node": _milliseconds(started, begun),
        "value (fetch)": _milliseconds(*nodes["fetch"]),
        "HTTP (call)": _milliseconds(*nodes["call"]),
        "log": _milliseconds(*nodes["log"]),
        "last events, finish": _milliseconds(ended, _time(run["finished_at"])),
    }
    between = run["milliseconds"] - sum(steps.values())
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
    """Run a flow; return the run, with ``milliseconds`` from enqueue to finished.

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
