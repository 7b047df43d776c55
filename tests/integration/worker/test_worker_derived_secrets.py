"""Secrets made of secrets in a real run: masked before all else, bound like their parts."""

from __future__ import annotations

import json
import secrets
from typing import Any

from tests.support.graphs import graph, node, wire
from tests.support.http_echo import EchoServer
from tests.support.hunt import Hunt
from tests.support.runtime_standin import PlannedRun, RuntimeStandin
from tests.support.worker_process import WorkerProcess

LEAF, OTHER = (f"CANARY-{secrets.token_hex(12)}" for _ in range(2))
DOCUMENT = json.dumps({"db": {"password": LEAF}, "user": "somebody"})


def flow(url: str) -> dict[str, Any]:
    """Two secrets: a field of the one and all of the other go into one text, which is sent."""
    return graph(
        node("whole", "secret.fetch", secretName="whole", outputFormat="json"),
        node("other", "secret.fetch", secretName="other"),
        node("field", "secret.field", path="db.password"),
        node("pair", "secret.template", template="{{secret|url}}.{{secret_2}}.{{user}}",
             values={"user": "typed"}),
        node("call", "http.request", url=url),
        node("sign", "crypto.hmac", message="what is signed"),
        node("log", "output.log", message="it answered"),
        wire("whole.value", "field.secret"), wire("field.value", "pair.secret"),
        wire("other.value", "pair.secret_2"), wire("pair.value", "call.bearer_token"),
        wire("pair.value", "sign.key"), wire("call.json", "log.data"),
    )


def hunted(run: PlannedRun, worker: WorkerProcess) -> Hunt:
    hunt = Hunt({"leaf": LEAF, "other": OTHER, "made": f"{LEAF}.{OTHER}.typed"})
    hunt.object("events", run.events)
    hunt.search("worker's log", worker.words())
    return hunt


def test_they_are_masked_and_sent_where_all_of_them_may_go(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    host = echo.url.removeprefix("http://")
    run = worker.enqueue(standin.plan(flow(f"{echo.url}/made"), secrets={
        "whole": ("whole", DOCUMENT, [host, "local"]), "other": ("other", OTHER, ["local", host]),
    })).wait()
    assert run.state == "succeeded", run.events
    sent = [headers for _, path, headers in echo.requests if path == "/made"]
    assert sent[0]["Authorization"] == f"Bearer {LEAF}.{OTHER}.typed"
    line = next(e for e in run.events if e["type"] == "log" and e["node"] == "log")
    assert line["data"]["headers"]["Authorization"] == "Bearer ***"
    assert run.node("pair")["outputs"]["value"] == {"secret": "whole, other", "version": 1}
    assert len(run.node("sign")["outputs"]["signature"]) == 64
    hunt = hunted(run, worker)
    assert hunt.hits == [], hunt.table()


def test_the_rules_of_each_part_bind_the_whole(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    host = echo.url.removeprefix("http://")
    for whole, other in ((["elsewhere.example", "local"], None), (None, ["elsewhere.example"]),
                         ([host], ["elsewhere.example"]), ([], None)):
        run = worker.enqueue(standin.plan(flow(f"{echo.url}/bound"), secrets={
            "whole": ("whole", DOCUMENT, whole), "other": ("other", OTHER, other),
        })).wait()
        assert run.node("call")["problem"]["code"] == "secret_host_denied"
        allowed = "local" in (whole or ["local"]) and "local" in (other or ["local"])
        if not allowed:
            assert run.node("sign")["problem"]["code"] == "secret_host_denied"
        hunt = hunted(run, worker)
        assert hunt.hits == [], hunt.table()
    assert not [1 for _, path, _ in echo.requests if path == "/bound"]


def test_a_part_too_short_to_be_masked_is_not_used(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer
) -> None:
    document = json.dumps({"db": {"password": "abc"}, "why": "x" * 20})
    run = worker.enqueue(standin.plan(flow(f"{echo.url}/short"), secrets={
        "whole": ("whole", document, None), "other": ("other", OTHER, None),
    })).wait()
    assert run.node("field")["problem"]["code"] == "secret_too_weak"
    assert run.node("call")["state"] == "skipped"
