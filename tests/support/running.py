"""``tacit up`` as a user starts it, and an echo server that tells back what it was given.

Nothing here reaches into the product: it is started by its command, stopped by Ctrl+C, and asked
over TLS with its own CA.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from app.cli.children import processes_of
from tests.support.database import home_variables

TACIT = Path(sys.executable).with_name("tacit")
ADMIN = "admin@example.org"
ADMIN_PASSWORD = "a long enough Phrase 4 tests"
START = 90.0


@dataclass
class Running:
    """A running ``tacit up``: where it lives, what it printed, what it started.

    :param keep: whether its home stays and its logs are printed when it is done with.
    """

    home: Path
    environment: dict[str, str]
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    keep: bool = False
    follower: threading.Thread | None = None

    @property
    def said(self) -> str:
        """Everything it printed so far."""
        return "".join(self.lines)

    @property
    def facts(self) -> dict[str, Any]:
        """What ``running.json`` says: url, runtime_url, redis_url, pid."""
        return dict(json.loads((self.home / "running.json").read_text()))

    @property
    def url(self) -> str:
        """Where people and programs reach it."""
        return str(self.facts["url"])

    def get(self, path: str, token: str = "") -> tuple[int, bytes]:
        """Ask the web listener, trusting the local CA alone; returns status and body."""
        parts = urlsplit(self.url)
        trust = ssl.create_default_context(cafile=str(self.home / "tls" / "ca.pem"))
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, context=trust, timeout=20
        )
        try:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ready(self) -> bool:
        """Ask ``/readyz``."""
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def processes(self) -> list[int]:
        """Return the ids of everything it started, itself first."""
        return processes_of(self.process.pid)

    def interrupt(self, timeout: float = 120.0) -> int:
        """Press Ctrl+C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        if self.follower is not None:
            self.follower.join(5)  # what it said last is read by then
        return code

    def logs(self) -> str:
        """Return the ends of all log files, for the message of a failed test."""
        parts = [f"--- printed\n{self.said[-4000:]}"]
        for file in sorted((self.home / "logs").glob("*.log")):
            parts.append(f"--- {file.name}\n{file.read_text('utf-8', 'replace')[-3000:]}")
        return "\n".join(parts)

    def _follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)


def start(home: Path, *arguments: str, tacit: Path = TACIT, **variables: str) -> Running:
    """Run ``tacit up`` on free ports and wait until it is ready.

    :param tacit: the command, where it is that of another environment.
    :param variables: more environment variables, such as ``TACIT_ADMIN_EMAIL``.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TACIT_")
    } | home_variables(home, empty=True)
    process = subprocess.Popen(
        [tacit, "up", "--port", "0", *arguments], env=environment | variables,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/",
    )
    running = Running(home, environment, process)
    running.follower = threading.Thread(target=running._follow, daemon=True)
    running.follower.start()
    try:
        until(lambda: "Ctrl+C stops it" in running.said or process.poll() is not None, START)
        assert process.poll() is None, running.said
        until(running.ready, START)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return running


@contextmanager
def tacit_up(**variables: str) -> Iterator[Running]:
    """Run ``tacit up`` on a home of its own, which stays with its logs when the block fails."""
    folder = Path(tempfile.mkdtemp(prefix="tacit-e2e-"))
    running = start(folder / "home", **variables)
    try:
        yield running
    except BaseException:
        running.keep = True
        raise
    finally:
        running.interrupt()
        if running.keep:
            print(f"{running.logs()}\nThe installation is kept in {folder}.", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def until(check: Callable[[], object], timeout: float = 90.0) -> None:
    """Wait until something holds.

    :raises AssertionError: it doesn't within ``timeout`` seconds.
    """
    give_up = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < give_up, "waited too long"
        time.sleep(0.05)


class Echo:
    """Where the echo listens, what it was given, and the gate that ``/slow`` waits at."""

    def __init__(self) -> None:
        self.url = ""
        self.authorizations: list[str] = []
        self.arrived = threading.Event()
        self.gate = threading.Event()


@contextmanager
def telling_echo() -> Iterator[Echo]:
    """Serve on a free port, answering with the Authorization header in many forms.

    Plain, base64, base64url, hex, URL-encoded, JSON-escaped and twice JSON-encoded, in the body
    and in response headers. ``/slow`` waits until ``echo.gate`` is set (at most 30 seconds).
    """
    echo = Echo()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            given = self.headers.get("Authorization") or ""
            echo.authorizations.append(given)
            echo.arrived.set()
            if self.path.startswith("/slow"):
                echo.gate.wait(30)
            raw = given.encode()
            token = raw.partition(b" ")[2]
            forms = {
                "plain": given,
                "base64": base64.b64encode(raw).decode(),
                "base64_token": base64.b64encode(token).decode(),
                "base64url": base64.urlsafe_b64encode(raw).decode(),
                "hex": raw.hex(),
                "HEX": raw.hex().upper(),
                "url": quote(given, safe=""),
                "json": json.dumps(given),
                "json_twice": json.dumps(json.dumps(given)),
            }
            body = "\n".join(f"{name}: {form}" for name, form in forms.items())
            self._answer({f"X-Echo-{name}": form for name, form in forms.items()
                          if name.isascii() and "_" not in name}, body.encode())

        def _answer(self, headers: dict[str, str], body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            for name, text in headers.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    echo.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield echo
    finally:
        echo.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
