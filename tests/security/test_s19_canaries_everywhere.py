"""Statement 19: canaries of every kind, led through every component and every failure, are nowhere.

A real ``tacit up``, a service that tells back all it is given, and the hunt over every place that
an installation writes to or answers from. What browsers store and send, the main job's test hunts.
"""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.accounts.scopes import Scope
from app.cli.drill.flows import Canaries
from app.components.registry import registry
from app.config import Config
from tests.support import api_table, recipes
from tests.support.blabbing import FAILURES, Blabbing, blabbing
from tests.support.database import ON_POSTGRES, home_variables
from tests.support.hunt import Hunt
from tests.support.otlp import receiver
from tests.support.running import ADMIN, ADMIN_PASSWORD, TACIT, Running, tacit_up

MADE = Canaries.make()
CANARIES, HUNTED, CONTROL = MADE.values, MADE.hunted, MADE.control
SCOPES = [scope for scope in Scope if scope is not Scope.SECRETS_READ_VALUE]
ENDED = frozenset({"succeeded", "failed", "rejected", "cancelled", "skipped"})
PATIENCE = 420.0
PAGES = ("/", "/secrets", "/flows", "/runs", "/audit", "/components", "/settings",
         "/settings/people", "/settings/sessions", "/settings/workers", "/settings/keys")


@dataclass
class House:
    """A running installation, a program with a token for it and a person's browser."""

    running: Running
    program: httpx.Client
    person: httpx.Client
    service: Blabbing
    traces: list[ExportTraceServiceRequest]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        answer = self.program.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code < 300, (path, answer.status_code, answer.text[:2000])
        return answer.json() if answer.content else {}

    def start(self, name: str, graph: dict[str, Any]) -> str:
        flow = self.ask("POST", "/flows", {"name": name, "graph": graph})
        return str(self.ask("POST", f"/flows/{flow['id']}/runs", {"inputs": {}})["id"])


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with blabbing() as service, receiver() as (collector, traces), tacit_up(
        TACIT_ADMIN_EMAIL=ADMIN, TACIT_ADMIN_PASSWORD=ADMIN_PASSWORD, TACIT_LOG_LEVEL="DEBUG",
        TACIT_OTLP_ENDPOINT=collector,
    ) as running:
        scopes = [part for scope in SCOPES for part in ("--scope", str(scope))]
        token = subprocess.run(
            [TACIT, "token", "create", "--user", ADMIN, *scopes], env=running.environment,
            check=True, capture_output=True, text=True,
        ).stdout.strip()
        trust = ssl.create_default_context(cafile=str(running.home / "tls" / "ca.pem"))
        with (
            httpx.Client(base_url=running.url, verify=trust, timeout=60, trust_env=False,
                         headers={"Authorization": f"Bearer {token}"}) as program,
            httpx.Client(base_url=running.url, verify=trust, timeout=60, trust_env=False,
                         headers={"Origin": running.url}) as person,
        ):
            sign_in(person)
            yield House(running, program, person, service, traces)


def sign_in(person: httpx.Client) -> None:
    form = person.get("/login").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token, form
    answer = person.post("/login", data={
        "email": ADMIN, "password": ADMIN_PASSWORD, "csrf_token": token[1]})
    assert answer.status_code == 303


def test_s19_every_component_has_a_way_to_be_hunted_in() -> None:
    components = list(registry())
    for component in components:
        ways = recipes.chains(component, "http://127.0.0.1:1", "name")
        wired = {port for way in ways for _, port in way.wires}
        takes = {port.name for port in component.inputs}
        assert takes <= wired, f"{component.name} is given nothing on {sorted(takes - wired)}"
    assert recipes.uncovered(component.name for component in components) == []


@pytest.fixture(scope="module")
def runs(house: House) -> dict[str, str]:
    """Lead every canary through every component; returns the runs' ids."""
    for name, value in CANARIES.items():
        house.ask("POST", "/secrets", {"name": f"canary/{name}", "value": value})
    started: dict[str, str] = {}
    for component in registry():
        for name in CANARIES:
            graph = recipes.flow(component, house.service.url, f"canary/{name}")
            started[f"{component.name}, {name}"] = house.start(f"{component.name} {name}", graph)
    started["rejected"] = house.start("rejected", fetching("canary/missing", "/echo", house))
    started["control"] = house.start("control", {"schema": 1, "edges": [], "nodes": [
        node("say", "output.log", message=f"this is typed: {CONTROL}")]})
    wait(house, started)
    started["crashed"] = crash(house)
    return started


def node(name: str, component: str, **config: Any) -> dict[str, Any]:
    return {"id": name, "component": component, "label": name, "position": [0, 0],
            "config": config}


def fetching(secret: str, path: str, house: House) -> dict[str, Any]:
    return {
        "schema": 1,
        "nodes": [node("fetch", "secret.fetch", secretName=secret),
                  node("call", "http.request", url=house.service.url + path)],
        "edges": [{"id": "e", "source": {"node": "fetch", "port": "value"},
                   "target": {"node": "call", "port": "bearer_token"}}],
    }


def wait(house: House, started: dict[str, str]) -> None:
    left = dict(started)
    give_up = time.monotonic() + PATIENCE
    while left:
        left = {name: run for name, run in left.items()
                if house.ask("GET", f"/runs/{run}")["state"] not in ENDED}
        assert time.monotonic() < give_up, f"these runs don't end: {left}"
        time.sleep(0.3)


def crash(house: House) -> str:
    """Let a run's process die of a signal while it holds a value."""
    seen = house.service.asked.count("slow")
    run = house.start("crashed", fetching("canary/text", "/slow", house))
    give_up = time.monotonic() + PATIENCE
    while house.service.asked.count("slow") == seen:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    for pid in house.running.processes():
        if holds_run(pid):
            os.kill(pid, signal.SIGABRT)
    wait(house, {"crashed": run})
    assert house.ask("GET", f"/runs/{run}")["state"] == "failed"
    return run


def holds_run(pid: int) -> bool:
    """Whether a process is a run at work: a child of the zygote with more than one thread."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"worker.zygote" in words and len(list(Path(f"/proc/{pid}/task").iterdir())) > 3
    except OSError:
        return False


def look_everywhere(house: House, runs: dict[str, str], hunt: Hunt) -> None:
    """Search every place of the statement, while it runs and in what a stop leaves."""
    running = house.running
    ids = {"run_id": list(runs.values())}
    for kind in ("secret", "flow"):
        items = house.ask("GET", f"/{kind}s?limit=200")["items"]
        ids[f"{kind}_id"] = [item["id"] for item in items]
    for route in api_table.TABLE:
        if route.method == "GET":
            for path in addresses(route.path, ids):
                answer = house.program.get(f"/api/v1{path}?limit=200")
                hunt.search("responses", answer.content, path)
                hunt.object("response headers", dict(answer.headers), path)
    for run in runs.values():
        after = 0
        while items := house.ask("GET", f"/runs/{run}/events?after={after}&limit=500")["items"]:
            hunt.search("responses", json.dumps(items, ensure_ascii=False), f"events of {run}")
            after = items[-1]["seq"]
    for path in (*PAGES, *(f"/runs/{run}" for run in runs.values()),
                 *(f"/secrets/{one}" for one in ids["secret_id"]),
                         *(f"/flows/{one}" for one in ids["flow_id"])):
        page = house.person.get(path, follow_redirects=True)
        assert page.status_code in (200, 404), path
        hunt.search("HTML", page.content, path)
    parts = running.facts["runtime_url"]
    trust = ssl.create_default_context(cafile=str(running.home / "tls" / "ca.pem"))
    for path in ("/metrics", "/healthz", "/readyz"):
        hunt.search("metrics", httpx.get(parts + path, verify=trust).content, path)
    hunt.processes(running.processes())
    hunt.valkey(running.facts["redis_url"])
    hunt.database(Config.load(home_variables(running.home)))
    hunt.files("log files", running.home / "logs")
    hunt.search("printed", running.said)
    for sent in list(house.traces):
        hunt.search("traces", sent.SerializeToString())


def addresses(path: str, ids: dict[str, list[str]]) -> Iterator[str]:
    found = re.findall(r"{(\w+_id)}", path)
    if not found:
        yield path
    elif len(found) == 1 and found[0] in ids:
        yield from (path.replace(f"{{{found[0]}}}", one) for one in ids[found[0]])


def test_s19_canaries_are_nowhere_and_the_hunt_can_see(
    house: House, runs: dict[str, str]
) -> None:
    assert {failure.partition("?")[0] for failure in FAILURES} <= set(house.service.asked)
    hunt, control = Hunt(HUNTED), Hunt({"control": CONTROL})
    look_everywhere(house, runs, hunt)
    look_everywhere(house, {"control": runs["control"]}, control)
    assert house.running.interrupt() == 0
    for one in (hunt, control):
        one.database(Config.load(home_variables(house.running.home)))
        one.files("home after stop", house.running.home)
    print(f"\n{hunt.table()}\n\nThe same for what is no secret:\n{control.table()}")
    found = {hit.place for hit in control.hits}
    # What is no secret stands in the home because SQLite's file does.
    files = set() if ON_POSTGRES else {"database file", "home after stop"}
    assert {"database rows", "responses", "HTML"} | files <= found
    for place in (*(["database file-wal"] if files else []), "home after stop", "valkey memory",
                  "valkey RDB", "log files", "metrics", "process cmdline", "process environ",
                  "response headers", "printed", "traces"):
        assert hunt.searched[place], f"nothing was seen of: {place}"
    assert hunt.hits == [], hunt.table()
