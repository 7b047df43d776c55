"""Branches, expressions, retries and time limits in a run's real, confined process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.support.graphs import graph, node, wire
from tests.support.runtime_standin import PlannedRun, RuntimeStandin
from tests.support.worker_process import WorkerProcess, queue_server

CANARY = "CANARY-control-41c7e0"
NOW = {"backoff_seconds": 0.1, "jitter": 0}


def states(run: PlannedRun) -> dict[str, str]:
    return {event["node"]: event["data"]["state"] for event in run.events
            if event["type"] == "node" and "state" in event["data"]}


def branching() -> dict[str, Any]:
    return graph(
        node("start", "trigger.manual"),
        node("query", "data.json_query", query="items[?price > `10`].name"),
        node("if", "control.condition", operator="is_not_empty"),
        node("text", "data.template", template="{% for n in values %}<{{ n }}>{% endfor %}"),
        node("none", "control.fail", message="Nothing is dear."),
        node("set", "data.set", values={"found": True}),
        node("merge", "control.merge"), node("log", "output.log"),
        wire("start.payload", "query.data"), wire("query.result", "if.value"),
        wire("if.true", "text.start"), wire("query.result", "text.values"),
        wire("if.false", "none.start"), wire("if.true", "set.start"),
        wire("text.text", "merge.values"), wire("none.done", "merge.start"),
        wire("set.object", "merge.values"), wire("merge.values", "log.data"))


def test_branches_and_expressions(standin: RuntimeStandin, worker: WorkerProcess) -> None:
    items = [{"name": "a", "price": 5}, {"name": "b", "price": 50}, {"name": "c", "price": 20}]
    run = worker.enqueue(standin.plan(branching(), inputs={"items": items})).wait()
    assert run.state == "succeeded", (run.problem, run.events)
    assert run.node("log")["state"] == "succeeded"
    assert run.node("merge")["outputs"]["values"] == ["<b><c>", {"found": True}]
    assert run.node("none") == {"state": "skipped", "reason": "not_taken"}
    run = worker.enqueue(standin.plan(branching(), inputs={"items": items[:1]})).wait()
    assert (run.state, run.problem and run.problem["code"]) == ("failed", "failed_on_purpose")
    assert states(run)["text"] == states(run)["merge"] == "skipped"


def test_expressions_see_no_secret_and_their_failures_quote_nothing(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = worker.enqueue(standin.plan(
        graph(
            node("start", "trigger.manual"),
            node("fetch", "secret.fetch", secretName="tok"),
            node("bad", "data.template", template="{{ values[values.key].x }}",
                 policies={"on_error": "continue"}),
            node("worse", "data.json_query", query="abs(key)",
                 policies={"on_error": "continue"}),
            wire("start.payload", "bad.values"), wire("start.payload", "worse.data"),
            wire("fetch.done", "bad.start")),
        inputs={"key": CANARY}, secrets={"fetch": ("tok", "CANARY-value-of-tok", None)})).wait()
    assert run.state == "succeeded"
    assert states(run) == {"start": "succeeded", "fetch": "succeeded", "bad": "failed",
                           "worse": "failed"}
    assert run.node("bad")["problem"]["code"] == "expression_value_missing"
    assert run.node("worse")["problem"]["code"] == "expression_failed"
    said = [event for event in run.events if event["node"] != "start"]
    assert CANARY not in repr(said)


def test_a_service_that_is_away_is_asked_again(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = worker.enqueue(standin.plan(graph(
        node("call", "http.request", url="http://127.0.0.1:9/",
             policies={"retry": {"count": 2, **NOW}, "on_error": "continue"}),
        node("after", "output.log", message="all the same"), wire("call.done", "after.start")),
    )).wait()
    assert run.state == "succeeded", run.problem
    attempts = [event["attempt"] for event in run.events
                if event["node"] == "call" and event["data"].get("state") == "running"]
    assert attempts == [1, 2, 3]
    assert [e["data"]["retry"]["attempts"] for e in run.events if "retry" in e["data"]] == [3, 3]
    assert run.node("call")["problem"]["code"] == "connection_failed"


def test_a_node_s_time_limit_and_a_cancelled_delay(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    late = graph(node("wait", "control.delay", seconds=30, policies={"timeout": 0.3}))
    run = worker.enqueue(standin.plan(late)).wait()
    assert (run.state, run.problem and run.problem["code"]) == ("failed", "node_timeout")
    run = worker.enqueue(standin.plan(graph(node("wait", "control.delay", seconds=60))))
    while not run.events:
        time.sleep(0.02)
    run.cancel = True
    run.wait()
    assert (run.state, states(run)) == ("cancelled", {"wait": "cancelled"})


def test_a_run_that_uses_up_its_processor_time_fails_clearly(
    standin: RuntimeStandin, tmp_path: Path
) -> None:
    with queue_server() as (url, redis):
        worker = WorkerProcess(standin, url, redis, tmp_path)
        worker.environ["TACIT_RUN_CPU_SECONDS"] = "1"
        worker.start()
        try:
            busy = [node(f"n{i}", "control.condition", operator="contains", compare_to="none")
                    for i in range(100)]
            wires = [wire("start.payload", f"{one['id']}.value") for one in busy]
            run = worker.enqueue(standin.plan(
                graph(node("start", "trigger.manual"), *busy, *wires),
                inputs={f"key {number}": number for number in range(40_000)})).wait(60)
            assert run.state == "failed"
            assert run.problem is not None
            assert run.problem["code"] == "run_cpu_limit"
            assert run.lost == []
        finally:
            worker.stop()
