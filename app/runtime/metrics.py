"""``/metrics`` of the runtime listener: how many, never which; in Prometheus' text format."""

from __future__ import annotations

import math
from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from app.audit.checkpoints import CheckpointFile
from app.audit.reading import count_events
from app.http.services import Services, services
from app.ids import utcnow
from app.runs.counts import count_open_runs
from app.runs.workers import count_live_workers
from app.runtime.meters import meters
from app.vault.reading import due_counts_by_environment

routes = Blueprint("runtime_metrics", __name__)


@routes.get("/metrics")
def metrics() -> Response:
    """Say how the installation is doing, and what this process of the runtime has seen."""
    # A registry for each scrape: what the database says is read anew. What this process has
    # seen itself comes after it.
    meters().ended.look()
    registry = CollectorRegistry()
    registry.register(_Installation(services()))
    lines = generate_latest(registry) + generate_latest(meters().registry)
    return Response(lines, content_type=CONTENT_TYPE_LATEST)


class _Installation(Collector):
    """Reads the figures from the database at the time of the scrape."""

    def __init__(self, held: Services) -> None:
        self._held = held

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; docs/operations.md lists them."""
        with self._held.db.read() as session:
            yield from _secrets(session)
            yield from _runs(session)
            yield _events(session)
        yield self._checkpoint_age()
        yield self._queue_depth()

    def _queue_depth(self) -> Metric:
        depth = GaugeMetricFamily(
            "tacit_queue_depth", "Jobs that wait for a worker; NaN while the queue is away.",
            labels=["environment"],
        )
        with self._held.db.read() as session:
            names = [name for name, _ in count_open_runs(session)]
        for name in dict.fromkeys(names):
            depth.add_metric([name], self._held.queue.depth(name))
        return depth

    def _checkpoint_age(self) -> Metric:
        written = CheckpointFile(self._held.config.audit_checkpoints).last_written()
        age = math.nan if written is None else max(0.0, (utcnow() - written).total_seconds())
        return GaugeMetricFamily(
            "tacit_audit_checkpoint_age_seconds",
            "Time since the last audit checkpoint was written; NaN when there is none.",
            value=age,
        )


def _secrets(session: Session) -> Iterator[Metric]:
    due = GaugeMetricFamily(
        "tacit_secrets_due", "Secrets to rotate within the next 7 days.", labels=["environment"]
    )
    overdue = GaugeMetricFamily(
        "tacit_secrets_overdue", "Secrets whose rotation is past its time.",
        labels=["environment"],
    )
    for environment, counts in due_counts_by_environment(session).items():
        due.add_metric([environment], counts.due)
        overdue.add_metric([environment], counts.overdue)
    yield due
    yield overdue


def _runs(session: Session) -> Iterator[Metric]:
    runs = GaugeMetricFamily(
        "tacit_runs", "Runs that have not ended.", labels=["environment", "state"]
    )
    for (environment, state), count in count_open_runs(session).items():
        runs.add_metric([environment, state], count)
    yield runs
    yield GaugeMetricFamily(
        "tacit_workers_live", "Workers seen within the last 30 seconds.",
        value=count_live_workers(session),
    )


def _events(session: Session) -> Metric:
    events = CounterMetricFamily(
        "tacit_audit_events", "Events written to an audit chain.", labels=["chain"]
    )
    for chain, count in count_events(session).items():
        events.add_metric([chain], count)
    return events
