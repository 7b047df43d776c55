"""The running installation, as a program with a token sees it, and every place that it fills."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import httpx
from redis.exceptions import RedisError

from app.cli.children import processes_of
from app.cli.drill.hunt import Hunt
from app.config import Config
from app.errors import Unavailable
from app.runs.states import TERMINAL

TIMEOUT: Final = 60.0
_ID = re.compile(r"{(\w+)}")
_STREAM: Final = "/runs/{run_id}/stream"


class House:
    """An installation that runs, and a program's way into it.

    :param url: of its web listener.
    """

    def __init__(self, config: Config, url: str, token: str) -> None:
        self._config = config
        self._trust = ssl.create_default_context(cafile=str(config.home / "tls" / "ca.pem"))
        self._client = httpx.Client(
            base_url=f"{url}/api/v1", verify=self._trust, timeout=TIMEOUT, trust_env=False,
            headers={"Authorization": f"Bearer {token}"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API; returns the answer's JSON.

        :raises Unavailable: ``drill_refused``, with the server's sentence.
        """
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.TransportError as error:
            raise Unavailable(
                "drill_unreachable",
                f"The installation doesn't answer ({type(error).__name__}). Is “tacit up” running?",
            ) from None
        if answer.status_code >= 300:
            told = answer.headers.get("Content-Type", "")
            said = answer.json().get("detail") if "json" in told else answer.status_code
            raise Unavailable("drill_refused", f"{method} {path}: {said}")
        return answer.json() if answer.content else {}

    def start(self, name: str, graph: Mapping[str, Any]) -> tuple[str, str]:
        """Make a flow and run it; returns the ids of both."""
        flow = self.ask("POST", "/flows", {"name": name, "graph": graph})["id"]
        return flow, self.ask("POST", f"/flows/{flow}/runs", {"version": "draft"})["id"]

    def wait(self, runs: Iterable[str], patience: float) -> dict[str, str]:
        """Wait until the runs are over; returns their states.

        :raises Unavailable: ``drill_not_over``.
        """
        states = dict.fromkeys(runs, "queued")
        give_up = time.monotonic() + patience
        while left := [run for run, state in states.items() if state not in TERMINAL]:
            if time.monotonic() > give_up:
                raise Unavailable(
                    "drill_not_over",
                    f"{len(left)} of {len(states)} runs aren't over after {patience:.0f} seconds. "
                    "Does the environment have a worker?",
                )
            time.sleep(0.2)
            states.update((run, self.ask("GET", f"/runs/{run}")["state"]) for run in left)
        return states

    # ---- where it is looked ----

    def look(self, hunt: Hunt, ids: Mapping[str, list[str]], pid: int) -> None:
        """Search every place that this command can reach.

        :param ids: what the drill made, by the names that addresses have for it.
        :param pid: of ``tacit up``, whose processes are looked at.
        """
        config = self._config
        hunt.database(config)
        hunt.files("log files", config.home / "logs")
        try:
            hunt.valkey(config.redis_url)
        except (RedisError, OSError):
            # Another machine's, or its commands are not for everybody.
            hunt.shut["valkey"] += 1
        hunt.processes(processes_of(pid))
        self._answers(hunt, ids)
        for run in ids["run_id"]:
            self._live(hunt, run)
        with contextlib.suppress(httpx.HTTPError):
            address = f"{config.runtime_url}/metrics"
            metrics = httpx.get(address, verify=self._trust, trust_env=False)
            hunt.search("metrics", metrics.content)

    def _answers(self, hunt: Hunt, ids: Mapping[str, list[str]]) -> None:
        for path, operations in self.ask("GET", "/openapi.json")["paths"].items():
            if "get" not in operations or path.endswith(_STREAM):
                continue
            for address in _addresses(path.removeprefix("/api/v1"), ids):
                answer = self._client.get(address)
                place = "bundles" if address.endswith("/bundle") else "responses"
                hunt.search(place, answer.content, address)
                hunt.object("response headers", dict(answer.headers), address)
        for run in ids["run_id"]:
            after = 0
            while items := self.ask("GET", f"/runs/{run}/events?after={after}&limit=500")["items"]:
                hunt.search("responses", json.dumps(items, ensure_ascii=False), f"events of {run}")
                after = items[-1]["seq"]

    def _live(self, hunt: Hunt, run: str) -> None:
        """Read a run's live stream, from its beginning to its end."""
        sent = self._client.get(_STREAM.format(run_id=run))
        try:
            with httpx.stream(
                "GET", sent.headers["Location"], verify=self._trust, timeout=TIMEOUT,
                trust_env=False,
            ) as answer:
                hunt.search("live stream", b"".join(answer.iter_raw()), run)
        except httpx.HTTPError:
            hunt.shut["live stream"] += 1


def _addresses(path: str, ids: Mapping[str, list[str]]) -> Iterator[str]:
    names = _ID.findall(path)
    if not names:
        yield path
    elif len(names) == 1 and names[0] in ids:
        yield from (path.replace(f"{{{names[0]}}}", one) for one in ids[names[0]])
