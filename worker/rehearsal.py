"""A run that is nobody's: the way that all runs go, gone before there is one.

Python writes into code that is gone often, to make it faster, and a forked process copies each page
that it writes to. What the process that forks has settled stays shared, and runs begin warm.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from app.ids import new_id
from worker.client import RuntimeClient
from worker.run import Assignment, Surroundings, perform
from worker.tokens import Signer

TIMES: Final = 20
"""Python 3.11 specializes what was gone eight times, and what is called in it after that."""
SECONDS: Final = 2.0
"""How long one rehearsal may take; nothing waits on a machine that can't answer itself."""

_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n"
    "Connection: close\r\n\r\n"
)
_NODES: Final = (("fetch", "secret.fetch"), ("call", "http.request"), ("log", "output.log"))
_WIRES: Final = (("fetch", "value", "call", "bearer_token"), ("call", "body", "log", "message"))


def rehearse(scratch: Path, times: int = TIMES) -> list[str]:
    """Perform a small flow, as a run's process would, without a server and without its secrets.

    Threads, file descriptors, streams and hooks are afterwards as they were.

    :param scratch: an empty folder.
    :returns: how each ended.
    """
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = threading.Thread(target=_answer, args=(listener,), daemon=True)
        service.start()
        server = _Server(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        around = Surroundings(cast(RuntimeClient, server), scratch)
        try:
            ended = [
                perform(
                    around, Signer.generate(), Assignment(new_id(), "", new_id()), _hear, _never
                )
                for _ in range(times)
            ]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends the wait for a connection; closing doesn't
    for thread in set(threading.enumerate()) - before:
        thread.join(SECONDS)  # one that lived on would be missing in what is forked
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    return ended


class _Server:
    """Answers as the runtime listener would; the value is nobody's."""

    def __init__(self, url: str) -> None:
        self._url = url

    def now(self) -> float:
        return time.time()

    def learn_time(self, unix: object) -> None: ...

    def call(
        self,
        _method: str,
        path: str,
        *,
        token: Any = None,
        meanwhile: Callable[[], object] | None = None,
        **_more: Any,
    ) -> dict[str, Any]:
        if callable(token):
            token()
        if meanwhile is not None:
            meanwhile()
        if path.endswith("/claims"):
            return self._plan()
        if "/value?" in path:
            return {"value": "a rehearsal of the masker"}
        return {"state": "succeeded", "stored_through": 2**31}

    def _plan(self) -> dict[str, Any]:
        config = {
            "fetch": {"secretName": "rehearsal", "outputFormat": "raw"},
            "call": {"method": "GET", "url": self._url, "timeout": SECONDS},
        }
        return {
            "state": "running", "claim": 1, "kid": new_id(), "next_seq": 1, "unix": self.now(),
            "deadline_unix": self.now() + SECONDS,
            "environment": {"reach": {"allow_private": True}},
            "grants": [{
                "node": "fetch", "secret_id": new_id(), "name": "rehearsal", "version": 1,
                "output_format": "raw", "allowed_hosts": None, "weak": False,
            }],
            "graph": {
                "schema": 1,
                "nodes": [
                    {"id": name, "component": component, "label": name, "position": [0, 0],
                     "config": config.get(name, {})}
                    for name, component in _NODES
                ],
                "edges": [
                    {"id": f"e{number}", "source": {"node": source, "port": out},
                     "target": {"node": target, "port": into}}
                    for number, (source, out, target, into) in enumerate(_WIRES)
                ],
            },
        }


def _answer(listener: socket.socket) -> None:
    """Answer each that comes, until there is no more listening: anybody may."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.settimeout(SECONDS / 10)
            told = connection.recv(65_536)  # and told back, the value in it: so it is masked
            connection.sendall(_HEAD.format(len(told)).encode() + told)


def _hear(_news: Mapping[str, Any]) -> None: ...


def _never() -> None:
    raise RuntimeError("nobody else can have a rehearsal")
