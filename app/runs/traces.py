"""Traces of runs, sent by OTLP/HTTP: a run, its nodes' attempts, and the steps within them.

They are made of what is stored of a run once it has ended, so whatever a trace says was masked in
the worker before it came here, and no worker needs a second door
(docs/adr/0006-traces-of-ended-runs.md).
Nothing is sent where ``TACIT_OTLP_ENDPOINT`` isn't set; the libraries are loaded then only.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, select

from app import lean
from app.db import Database
from app.runs.models import Run, RunEnded, RunEvent

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

WAITING: Final = 1_000
"""Ended runs that wait to be sent; more are left out."""
TAKEN: Final = 100
LOOK_SECONDS: Final = 2.0
"""How many runs that the scheduler ended are taken over at once, and how often at most."""
_FAILED = frozenset({"failed", "rejected"})
# Columns, not objects: they are read once, and a run may have thousands.
_TOLD = (
    select(
        RunEvent.seq, RunEvent.at, RunEvent.node, RunEvent.attempt, RunEvent.type, RunEvent.text,
        RunEvent.data,
    )
    .where(RunEvent.run_id == bindparam("of"), RunEvent.type.in_(("node", "span")))
    .order_by(RunEvent.seq)
)
_log = logging.getLogger("tacit.traces")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a run. Ids follow from the run's, so that sending it twice makes one trace.

    :ivar key: names it within the run; ``parent`` is the key of what it is part of.
    """

    key: str
    parent: str | None
    name: str
    began: datetime
    ended: datetime
    state: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


def spans_of(run: Run, events: Iterable[Any]) -> list[Span]:
    """Return a run's spans, the run itself first.

    :param events: rows of its events about nodes and steps, in order.
    """
    ended = run.finished_at or run.created_at
    spans = [Span("run", None, "run", run.created_at, ended, run.state, {
        "tacit.run": run.id, "tacit.flow": run.flow_id, "tacit.environment": run.environment_id,
    })]
    began: dict[tuple[str, int], datetime] = {}
    for event in events:
        node, data = event.node or "", event.data
        key = f"{node}#{event.attempt}"
        if event.type == "span":
            spans.append(Span(
                f"{key}#{event.seq}", key, event.text, _moment(data.get("started_at"), event.at),
                event.at, str(data.get("state", "succeeded")), _flat(data.get("attributes")),
            ))
        elif event.type == "node" and data.get("state") == "running":
            began.setdefault((node, event.attempt), event.at)
        elif event.type == "node" and (node, event.attempt) in began:
            spans.append(Span(
                key, "run", f"node {node}", began.pop((node, event.attempt)), event.at,
                str(data.get("state", "failed")),
                {"tacit.node": node, "tacit.attempt": event.attempt},
            ))
    spans += [
        Span(f"{node}#{attempt}", "run", f"node {node}", moment, ended, "cancelled",
             {"tacit.node": node, "tacit.attempt": attempt})
        for (node, attempt), moment in began.items()
    ]
    return spans


class EndedRuns:
    """Looks at runs once they have ended, in a thread of its own: their end waits for none of it.

    A receiver of traces that is away costs the traces of that time, and nothing else.

    :param seen: takes each run's spans and the number of leaks that its masker prevented.
    :param export: sends the spans of one run; :func:`otlp` makes one.
    """

    def __init__(
        self,
        db: Database,
        seen: Callable[[list[Span], int], None],
        export: Callable[[str, list[Span]], None] | None,
    ) -> None:
        self._db = db
        self._seen, self._export = seen, export
        # None: look for the runs that the scheduler ended.
        self._waiting: queue.Queue[str | None] = queue.Queue(WAITING)
        self._looked = 0.0
        threading.Thread(target=self._run, name="ended-runs", daemon=True).start()

    def add(self, run_id: str) -> None:
        """Look at a run that has ended, soon."""
        try:
            self._waiting.put_nowait(run_id)
        except queue.Full:
            _log.warning("ended_run_left_out", extra={"run": run_id})

    def look(self) -> None:
        """Look for runs that the scheduler ended, soon; workers' signs of life call it."""
        now = time.monotonic()
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(None)

    def _run(self) -> None:
        while True:
            run_id = self._waiting.get()
            try:
                for one in [run_id] if run_id is not None else self._take():
                    self._tell(one)
            except Exception as error:
                _log.warning(
                    "trace_not_sent", extra={"run": run_id, "kind": type(error).__name__}
                )

    def _tell(self, run_id: str) -> None:
        spans, leaks = self._read(run_id)
        self._seen(spans, leaks)
        if self._export is not None:
            self._export(run_id, spans)

    def _take(self) -> list[str]:
        """Take over what the scheduler ended: of several processes, one gets each run."""
        query = select(RunEnded.run_id).order_by(RunEnded.at).limit(TAKEN)
        with self._db.read() as session:
            if not (ids := list(session.scalars(query))):
                return []
        with self._db.begin() as session:
            gone = delete(RunEnded).where(RunEnded.run_id.in_(ids)).returning(RunEnded.run_id)
            return list(session.scalars(gone))

    def _read(self, run_id: str) -> tuple[list[Span], int]:
        with self._db.read() as session:
            run = session.get_one(Run, run_id)
            events = session.execute(_TOLD, {"of": run_id}).all()
            counts = [event.data.get("prevented_leaks", 0) for event in events]
            return spans_of(run, events), sum(one for one in counts if type(one) is int)


def otlp(endpoint: str) -> Callable[[str, list[Span]], None]:
    """Return what sends spans to ``endpoint``, an address such as ``https://host:4318``."""
    lean.let_in(lean.TELEMETRY)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource

    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=10)
    resource = Resource({"service.name": "tacit"})

    def export(run_id: str, spans: list[Span]) -> None:
        exporter.export([_readable(run_id, span, resource) for span in spans])

    return export


def _readable(run_id: str, span: Span, resource: Any) -> ReadableSpan:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    trace = int.from_bytes(_digest(run_id)[:16], "big")

    def context(key: str) -> SpanContext:
        number = int.from_bytes(_digest(f"{run_id}/{key}")[:8], "big")
        return SpanContext(trace, number, is_remote=False, trace_flags=TraceFlags(1))

    failed = span.state in _FAILED
    return ReadableSpan(
        span.name, context(span.key), context(span.parent) if span.parent else None,
        resource=resource, kind=SpanKind.CLIENT if "server" in span.attributes else
        SpanKind.INTERNAL, attributes={**span.attributes, "tacit.state": span.state},
        start_time=_nanoseconds(span.began), end_time=_nanoseconds(span.ended),
        status=Status(StatusCode.ERROR if failed else StatusCode.OK),
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(f"tacit trace {text}".encode()).digest()


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1_000


def _moment(text: object, otherwise: datetime) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return otherwise


def _flat(attributes: object) -> dict[str, Any]:
    if not isinstance(attributes, Mapping):
        return {}
    return {
        str(name): value if isinstance(value, str | int | float | bool) else str(value)
        for name, value in list(attributes.items())[:50]
    }
