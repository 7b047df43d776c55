"""Traces of ended runs reach a real OTLP/HTTP receiver; the same spans make the histograms."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.config import Config
from app.errors import ConfigError
from app.factory import create_runtime_app
from app.http.services import Services
from app.ids import utcnow
from app.runs.models import Run, RunEnded
from app.runs.scheduler import end_overdue, reap
from tests.integration.runtime.test_metrics import scrape
from tests.support.installation import Installation
from tests.support.otlp import receiver
from tests.support.running import until
from tests.support.runs import HeldRun, RuntimeClient, Workshop

START = "2026-01-02T03:04:05.{:06}+00:00"


def event(seq: int, kind: str, at: int, text: str = "", **data: Any) -> dict[str, Any]:
    attempt = data.pop("attempt", 1)
    return {"seq": seq, "at": START.format(at), "type": kind, "node": "call", "attempt": attempt,
            "level": "info", "text": text, "data": data, "masks": []}


def report(runtime: RuntimeClient, held: HeldRun) -> None:
    first = held.plan["next_seq"]
    step = {"method": "GET", "server": "api.example.com:443", "status": 500}
    events = [
        event(first, "node", 0, "call started.", state="running"),
        event(first + 1, "span", 30, "GET api.example.com:443", state="failed",
              started_at=START.format(10), attributes=step),
        event(first + 2, "node", 40, "call failed, once more.", retry={"in_seconds": 0}),
        event(first + 3, "node", 50, "call started again.", state="running", attempt=2),
        event(first + 4, "span", 70, "GET api.example.com:443", state="succeeded",
              started_at=START.format(60), attributes=step | {"status": 200}, attempt=2),
        event(first + 5, "node", 80, "call succeeded.", state="succeeded", attempt=2,
              outputs={"body": "***"}, prevented_leaks=3),
    ]
    answer = runtime.post(f"/runs/{held.id}/finish", held.token(), {
        "state": "succeeded", "events": events, "searched_bytes": 4321})
    assert answer.status_code == 200, answer.json


def exporting(services: Services, address: str) -> RuntimeClient:
    config = dataclasses.replace(services.config, otlp_endpoint=address)
    held = dataclasses.replace(services, config=config)
    return RuntimeClient(create_runtime_app(config, held).test_client())


def test_a_run_is_a_trace_of_its_attempts_and_their_steps(workshop: Workshop) -> None:
    house = workshop.installation
    with receiver() as (address, got):
        runtime = exporting(house.services, address)
        secret = workshop.secret(name="CANARY-NAME-of-a-secret")
        held = workshop.claimed(secret)
        report(runtime, held)
        until(lambda: got)
    scope = got[0].resource_spans[0].scope_spans[0]
    spans = {span.span_id: span for span in scope.spans}
    assert len({span.trace_id for span in scope.spans}) == 1
    names = sorted(span.name for span in scope.spans)
    assert names == ["GET api.example.com:443"] * 2 + ["node call"] * 2 + ["run"]
    steps = [span for span in scope.spans if span.name.startswith("GET")]
    for step in steps:
        attempt = spans[step.parent_span_id]
        assert attempt.name == "node call"
        assert spans[attempt.parent_span_id].name == "run"
        assert attempt.start_time_unix_nano < step.start_time_unix_nano
        assert step.end_time_unix_nano < attempt.end_time_unix_nano
        assert step.end_time_unix_nano - step.start_time_unix_nano in (20_000, 10_000)
    assert len({step.parent_span_id for step in steps}) == 2
    attributes = {pair.key: pair.value for pair in steps[1].attributes}
    assert attributes["status"].int_value == 200
    resource = {pair.key: pair.value.string_value for pair in
                got[0].resource_spans[0].resource.attributes}
    assert resource["service.name"] == "tacit"


def test_ended_runs_are_counted(workshop: Workshop) -> None:
    house = workshop.installation
    runtime = RuntimeClient(
        create_runtime_app(house.services.config, house.services).test_client())
    held = workshop.claimed(workshop.secret())
    report(runtime, held)
    until(lambda: scrape(runtime).get(("tacit_run_seconds_count", "succeeded")) == 1)
    seen = scrape(runtime)
    assert seen["tacit_node_seconds_count", "succeeded"] == 1
    assert seen["tacit_node_seconds_count", "failed"] == 1
    assert seen["tacit_prevented_leaks_total",] == 3
    assert seen["tacit_masker_bytes_total",] == 4321
    assert ("tacit_queue_depth", "default") in seen


def test_runs_that_the_scheduler_ends_are_counted_and_traced_once(tmp_path: Path) -> None:
    house = Installation.make(tmp_path / "home")
    try:
        workshop = Workshop.open(house)
        with receiver() as (address, got):
            runtime = exporting(house.services, address)
            lost, late = workshop.claimed(), workshop.claimed()
            past = utcnow() - timedelta(minutes=5)
            with house.services.db.begin() as session:
                for held, column in ((lost, "lease_expires_at"), (late, "deadline")):
                    session.execute(update(Run).where(Run.id == held.id).values({column: past}),
                                    execution_options={"synchronize_session": False})
            assert reap(house.services.db, house.services.queue) == 1
            assert end_overdue(house.services.db, house.services.queue) == 1
            # A worker's sign of life is enough; so is a look at the metrics.
            runtime.post("/workers/heartbeat", workshop.worker.token(), {})
            until(lambda: scrape(runtime).get(("tacit_run_seconds_count", "failed")) == 2)
            until(lambda: len(got) == 2)
        with house.services.db.read() as session:
            assert session.scalars(select(RunEnded)).all() == []
    finally:
        house.services.close()


def test_a_receiver_that_is_away_costs_nothing_but_its_traces(workshop: Workshop) -> None:
    house = workshop.installation
    runtime = exporting(house.services, "http://127.0.0.1:9")
    held = workshop.claimed(workshop.secret())
    report(runtime, held)
    until(lambda: scrape(runtime).get(("tacit_run_seconds_count", "succeeded")) == 1)


@pytest.mark.parametrize("address", [
    "http://otel.example.com:4318", "otel.example.com", "https://user:pw@otel.example.com",
])
def test_traces_leave_this_machine_by_tls_only(address: str) -> None:
    with pytest.raises(ConfigError):
        Config.load({"TACIT_OTLP_ENDPOINT": address})
    assert Config.load({"TACIT_OTLP_ENDPOINT": "http://localhost:4318"}).otlp_endpoint
