"""What this process of the runtime has seen since its start: durations, rejects, leaks, bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from flask import Flask, current_app
from prometheus_client import CollectorRegistry, Counter, Histogram

from app.config import Config
from app.db import Database
from app.runs.traces import EndedRuns, Span, otlp

_KEY = "tacit_meters"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)


class Meters:
    """Counters and histograms of ended runs, and where ended runs are handed to."""

    def __init__(self, config: Config, db: Database) -> None:
        self.registry = CollectorRegistry()
        self._runs = Histogram(
            "tacit_run_seconds", "Time from a run's creation to its end.", ["state"],
            buckets=_SECONDS, registry=self.registry,
        )
        self._nodes = Histogram(
            "tacit_node_seconds", "Time of one attempt of a node.", ["state"],
            buckets=_SECONDS, registry=self.registry,
        )
        self._rejected = Counter(
            "tacit_runs_rejected", "Runs that the pre-run check rejected.",
            registry=self.registry,
        )
        self._leaks = Counter(
            "tacit_prevented_leaks", "Places in outputs where a secret was masked.",
            registry=self.registry,
        )
        self.masked = Counter(
            "tacit_masker_bytes", "Bytes of text that workers searched for secrets.",
            registry=self.registry,
        )
        self.ended = EndedRuns(
            db, self._see, otlp(config.otlp_endpoint) if config.otlp_endpoint else None
        )

    def _see(self, spans: list[Span], leaks: int) -> None:
        self._observe(self._runs, spans[:1])
        self._observe(self._nodes, [span for span in spans if span.parent == "run"])
        self._leaks.inc(leaks)
        if spans[0].state == "rejected":
            self._rejected.inc()

    @staticmethod
    def _observe(meter: Histogram, spans: Sequence[Span]) -> None:
        for span in spans:
            took = (span.ended - span.began).total_seconds()
            meter.labels(span.state).observe(max(0.0, took))


def attach(app: Flask, made: Meters) -> None:
    """Give the application its meters."""
    app.extensions[_KEY] = made


def meters() -> Meters:
    """Return the meters of the application that answers the current request."""
    return cast(Meters, current_app.extensions[_KEY])
