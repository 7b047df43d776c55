"""``tacit live`` as an operator starts it, and viewers over real TLS."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.installation import ORIGIN, Installation
from tests.support.listener import listening


@dataclass(frozen=True)
class Frame:
    """A server-sent event."""

    event: str
    data: Any
    id: int | None


class Watcher:
    """A viewer's connection, open until it is left."""

    def __init__(
        self, port: int, context: ssl.SSLContext, path: str, headers: Mapping[str, str],
        *, method: str = "GET", timeout: float = 20.0, receive_buffer: int | None = None,
    ) -> None:
        plain = socket.socket()
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(timeout)
        plain.connect(("127.0.0.1", port))
        self._socket = context.wrap_socket(plain, server_hostname="localhost")
        self._connection = http.client.HTTPConnection("localhost", port)
        self._connection.sock = self._socket
        self._connection.request(method, path, headers=dict(headers))
        self.answer = self._connection.getresponse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()
        self._connection.close()
        self._socket.close()

    @property
    def status(self) -> int:
        return self.answer.status

    def body(self) -> Any:
        """Read an answer that is no stream."""
        return json.loads(self.answer.read())

    def frames(self) -> Iterator[Frame]:
        """Yield events until the stream ends; comments are passed over."""
        lines: dict[str, str] = {}
        while line := self.answer.readline():
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                lines[name] = value
                continue
            if "data" in lines:
                number = int(lines["id"]) if "id" in lines else None
                yield Frame(lines.get("event", "message"), json.loads(lines["data"]), number)
            lines = {}

    def next(self) -> Frame:
        """Return the next event."""
        return next(self.frames())


@dataclass
class Live:
    """A running live listener of an installation."""

    installation: Installation
    port: int
    context: ssl.SSLContext
    log: Path
    process: subprocess.Popen[bytes]
    _watchers: list[Watcher] = field(default_factory=list)

    def open(self, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> Watcher:
        """Send a request as it is."""
        return Watcher(self.port, self.context, path, headers or {}, **more)

    def watch(self, run_id: str, *, token: str, after: int = 0, **more: Any) -> Watcher:
        """Follow a run as a program."""
        path = f"/runs/{run_id}/events?after={after}"
        return self.open(path, {"Authorization": f"Bearer {token}"}, **more)

    def watch_as(self, cookie: str, run_id: str, query: str = "", **headers: str) -> Watcher:
        """Follow a run as a page of the installation would."""
        sent = {"Cookie": f"__Host-tacit={cookie}", "Origin": ORIGIN} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.open(f"/runs/{run_id}/events{query}", sent)


@contextmanager
def live_process(installation: Installation, folder: Path, *, recheck: int = 1) -> Iterator[Live]:
    """Start ``tacit live`` on the installation's home and stop it."""
    with listening(
        "live", installation, folder / "live.log", TACIT_LIVE_RECHECK=str(recheck)
    ) as started:
        live = Live(installation, started.port, started.context, started.log, started.process)

        def answers() -> bool:
            with live.open("/healthz") as asked:
                return asked.status == 200

        started.wait(answers)
        yield live
