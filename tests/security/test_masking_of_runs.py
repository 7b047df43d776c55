"""Canaries of every kind through a real worker: nothing of them in what leaves it."""

from __future__ import annotations

import base64
import html
import json
import secrets
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.http_echo import EchoServer, echo_server
from tests.support.runtime_standin import PlannedRun, RuntimeStandin
from tests.support.worker_process import WorkerProcess, queue_server


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    with echo_server() as server:
        yield server


@pytest.fixture(scope="module")
def worker(
    standin: RuntimeStandin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    with queue_server() as (url, redis):
        worker = WorkerProcess(standin, url, redis, tmp_path_factory.mktemp("worker"))
        worker.environ["TACIT_LOG_LEVEL"] = "DEBUG"
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()


RANDOM = secrets.token_hex(8)
CANARIES = {
    "plain": f"CANARY-{RANDOM}",
    "punctuated": f"CANARY {RANDOM}/+='\"<&>%\\$`",
    "base64": base64.b64encode(f"CANARY-{RANDOM}".encode()).decode(),
    "jsonish": json.dumps({"user": f"user-{RANDOM}", "pass": f"CANARY\"{RANDOM}"}),
}


def pieces(value: str) -> set[str]:
    """What must not be seen: the value and what a reader could turn back into it."""
    data = value.encode()
    found = {
        value, json.dumps(value)[1:-1], repr(value)[1:-1], urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value), html.escape(value), data.hex(),
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
    }
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + data).decode()
        found.add(whole[(0, 2, 3)[offset] : (offset + len(data)) * 8 // 6])
    return found


def flow(url: str) -> dict[str, Any]:
    def node(name: str, component: str, **config: Any) -> dict[str, Any]:
        return {"id": name, "component": component, "label": name, "position": [0, 0],
                "config": config}

    wires = ["fetch.value>bearer.bearer_token", "fetch.value>basic.basic_password",
             "fetch.value>key.api_key", "bearer.body>log1.message", "basic.json>log1.data",
             "basic.body>log2.message", "key.json>text.values", "text.text>log3.message",
             "basic.json>log4.data"]
    edges = []
    for number, wire in enumerate(wires):
        (a, b), (c, d) = (end.split(".") for end in wire.split(">"))
        edges.append({"id": f"e{number}", "source": {"node": a, "port": b},
                      "target": {"node": c, "port": d}})
    return {"schema": 1, "edges": edges, "nodes": [
        node("fetch", "secret.fetch", secretName="tok"),
        node("bearer", "http.request", url=url), node("key", "http.request", url=url),
        node("basic", "http.request", url=url, basic_username="somebody"),
        node("text", "text.template", template="all: {{values}}"),
        node("log1", "output.log"), node("log2", "output.log", level="error"),
        node("log3", "output.log"), node("log4", "output.log"),
    ]}


@pytest.mark.parametrize("kind", CANARIES)
def test_nothing_of_a_value_leaves_the_worker(
    standin: RuntimeStandin, worker: WorkerProcess, echo: EchoServer, kind: str
) -> None:
    value = CANARIES[kind]
    run: PlannedRun = worker.enqueue(standin.plan(
        flow(f"{echo.url}/{kind}"), secrets={"fetch": ("tok", value, None)})).wait()
    sent = [headers for _, path, headers in echo.requests if path == f"/{kind}"]
    assert sent, run.events
    assert any("***" in text for text in run.logs())
    dumps = [worker.redis.dump(key) or b"" for key in worker.redis.scan_iter()]
    seen = {
        "events": json.dumps(run.events, ensure_ascii=False),
        "escaped": json.dumps(run.events), "problem": repr(run.problem),
        "log": worker.words(), "redis": repr(dumps),
    }
    for form in pieces(value):
        for place, text in seen.items():
            assert form not in text, (place, form)
    pair = base64.b64encode(f"somebody:{value}".encode()).decode().rstrip("=")
    assert pair not in seen["events"]
