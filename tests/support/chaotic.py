"""An installation whose worker reaches the runtime over a network that can be cut, and its runs."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from app.config import Config
from app.ids import new_id
from app.runs.states import TERMINAL
from tests.support.counting import Counting, counting_service
from tests.support.database import home_variables, raw_database
from tests.support.installation import canary
from tests.support.proxy import Proxy, proxy
from tests.support.running import ADMIN, ADMIN_PASSWORD, TACIT, Running, tacit_up

SCOPES = ("flows:manage", "runs:manage", "runs:read", "secrets:manage", "secrets:use")


@dataclass
class Chaotic:
    """A running installation, what its runs call, and what was accepted.

    :ivar accepted: run ids by the key that each run sends.
    :ivar unsure: keys whose start was never answered: there may be a run, or none.
    """

    running: Running
    network: Proxy
    service: Counting
    token: str
    secret: str
    flow: str = ""
    accepted: dict[str, str] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)

    @property
    def config(self) -> Config:
        """The installation's settings."""
        return Config.load(home_variables(self.running.home))

    @contextmanager
    def client(self, timeout: float = 60.0) -> Iterator[httpx.Client]:
        """Open a client of the JSON API."""
        trust = ssl.create_default_context(cafile=str(self.running.home / "tls" / "ca.pem"))
        with httpx.Client(
            base_url=f"{self.running.url}/api/v1", timeout=timeout, verify=trust,
            headers={"Authorization": f"Bearer {self.token}"},
        ) as client:
            yield client

    def make_flow(self, **settings: Any) -> str:
        """Make a flow that calls the counting service with a secret; returns its id."""
        with self.client() as client:
            graph = self.service.graph("chaos_token")
            made = client.post("/flows", json={
                "name": f"counting {new_id()}", "graph": graph,
                **({"settings": settings} if settings else {}),
            })
            assert made.status_code == 201, made.text
            assert made.json()["problems"] == [], made.text
            return str(made.json()["id"])

    def start(self, hold: float = 0.0, flow: str = "", patience: float = 60.0) -> str:
        """Start a run, as often as it takes; returns the key that it sends."""
        key = uuid.uuid4().hex
        give_up = time.monotonic() + patience
        while True:
            try:
                with self.client(timeout=30) as client:
                    answer = client.post(
                        f"/flows/{flow or self.flow}/runs",
                        json={"inputs": {"key": key, "hold": hold}},
                        headers={"Idempotency-Key": key},
                    )
            except (httpx.HTTPError, OSError):
                answer = None
            if answer is not None and answer.status_code == 202:
                self.accepted[key] = str(answer.json()["id"])
                return key
            if answer is not None and answer.status_code == 409:
                self.unsure.add(key)  # done, but its answer went with the web process
                return key
            if time.monotonic() > give_up:
                self.unsure.add(key)
                return key
            time.sleep(0.2)

    def start_many(self, count: int, seconds: float, holds: tuple[float, ...]) -> None:
        """Start runs evenly over some seconds."""
        begun = time.monotonic()

        def one(number: int) -> None:
            time.sleep(max(0.0, begun + seconds * number / count - time.monotonic()))
            self.start(holds[number % len(holds)])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(count)))

    def states(self) -> dict[str, str]:
        """Return the states of all runs, accepted or not."""
        with raw_database(self.config) as raw:
            return dict(raw.execute("select id, state from runs").fetchall())

    def settle(self, patience: float) -> dict[str, str]:
        """Wait until every run has ended; returns their states.

        :param patience: seconds in which at least one has to end; a busy machine does few a second.
        :raises AssertionError: they don't go on.
        """
        left, give_up = -1, 0.0
        while True:
            states = self.states()
            open_ones = {run: state for run, state in states.items() if state not in TERMINAL}
            if not open_ones:
                return states
            if len(open_ones) != left:
                left, give_up = len(open_ones), time.monotonic() + patience
            assert time.monotonic() < give_up, f"not over: {open_ones}\n{self.running.logs()}"
            time.sleep(0.5)

    def state_of(self, key: str) -> str:
        """Return the state of the run with that key."""
        return self.states()[self.accepted[key]]

    def check(self) -> None:
        """Check that nothing was lost, doubled or put out of order.

        :raises AssertionError: something was.
        """
        states = self.states()
        lost = {key: run for key, run in self.accepted.items() if run not in states}
        assert not lost, f"accepted and gone: {lost}"
        doubled = {key: count for key, count in self.service.arrivals.items() if count > 1}
        assert not doubled, f"ran twice: {doubled}"
        unserved = [
            key for key, run in self.accepted.items()
            if states[run] == "succeeded" and not self.service.arrivals[key]
        ]
        assert not unserved, f"succeeded without having run: {unserved}"
        with raw_database(self.config) as raw:
            last = dict(raw.execute("select id, last_seq from runs").fetchall())
            rows = raw.execute(
                "select run_id, seq, at, node, attempt, type, data, text from run_events "
                "order by run_id, seq"
            ).fetchall()
        events: dict[str, list[Any]] = {}
        for run, *event in rows:
            events.setdefault(run, []).append(event)
        for run, state in states.items():
            _check_events(run, state, last[run], events[run])


def _check_events(run: str, state: str, last: int, events: list[Any]) -> None:
    said = json.dumps(events, default=str, indent=1)
    assert [event[0] for event in events] == list(range(1, last + 1)), f"{run}\n{said}"
    data = [json.loads(event[5]) if isinstance(event[5], str) else event[5] for event in events]
    course = [
        one["state"] for one, event in zip(data, events, strict=True)
        if event[4] == "run" and "state" in one
    ]
    # A claim whose answer was lost has done nothing, and its run is taken again.
    unheard = sum("never got the answer to its claim" in event[6] for event in events)
    taken = ["queued", "checking", "running"]
    ends = ([*taken, state], ["queued", "checking", state], ["queued", state])
    assert course in [taken * unheard + end for end in ends], said
    told = [
        (event[2], event[3], one["state"]) for one, event in zip(data, events, strict=True)
        if event[4] == "node" and "state" in one
    ]
    assert len(told) == len(set(told)), f"an event twice in {run}\n{said}"
    lines = [event[6] for event in events if event[4] == "log" and event[2] == "say"]
    assert len(lines) <= 1, f"a line twice in {run}\n{said}"


@contextmanager
def chaotic(**variables: str) -> Iterator[Chaotic]:
    """Start an installation whose worker reaches the runtime through a proxy."""
    with proxy() as network, counting_service() as service:
        admin = {"TACIT_ADMIN_EMAIL": ADMIN, "TACIT_ADMIN_PASSWORD": ADMIN_PASSWORD}
        url = f"https://127.0.0.1:{network.port}"
        port = _free_port()
        network.target = ("127.0.0.1", port)
        with tacit_up(
            TACIT_RUNTIME_URL=url, TACIT_RUNTIME_PORT=str(port), **admin, **variables
        ) as running:
            made = subprocess.run(
                [TACIT, "token", "create", "--user", ADMIN,
                 *(part for scope in SCOPES for part in ("--scope", scope))],
                env=running.environment, capture_output=True, text=True, check=True,
            )
            value = canary()
            held = Chaotic(running, network, service, made.stdout.strip(), value)
            with held.client() as client:
                stored = client.post("/secrets", json={"name": "chaos_token", "value": value})
                assert stored.status_code == 201, stored.text
            held.flow = held.make_flow()
            yield held


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
