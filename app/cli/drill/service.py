"""A service that tells back all it was given in every form, and fails in every way it can.

Its address says how: ``/echo``, ``/status/500``, ``/cut``, ``/garbage`` … (:data:`FAILURES`).
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

from app.cli.drill.forms import forms_of

FAILURES = (
    "status/401", "status/404", "status/500", "status/503", "bad-json", "bad-text", "cut", "reset",
    "garbage", "garbage-header", "redirect", "redirect-loop", "redirect-nowhere", "gzip",
    "bad-gzip", "too-long", "slow",
)
"""Paths that go wrong; all but ``slow`` and ``reset`` tell what they were given."""

_BORING = frozenset({
    "host", "accept", "accept-encoding", "connection", "user-agent", "content-type",
    "content-length",
})
_LONG = 600
"""Characters above which something is told back as it is, and not in every form."""


@dataclass
class Blabbing:
    """Where it listens, and the paths it was asked for."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"


def told(given: str) -> dict[str, str]:
    """Return a text in every form that a hunt knows, by the form's name."""
    return {name: form.decode("utf-8", "replace") for name, form in forms_of(given).items()}


@contextmanager
def blabbing() -> Iterator[Blabbing]:
    """Serve on a free port."""
    service = Blabbing()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.path.strip("/").partition("?")[0]
            service.asked.append(kind)
            plain: list[str] = []
            given = [body.decode("utf-8", "replace")]
            if "?" in self.path:
                # As it came it is told back like a long text: once.
                plain = [self.path]
                given += [unquote(self.path)]
            for name, value in self.headers.items():
                if name.lower() in _BORING:
                    continue
                with contextlib.suppress(UnicodeError):
                    value = value.encode("latin-1").decode()
                given += [value, value.partition(" ")[2] if name == "Authorization" else ""]
            if getattr(self, f"_{kind.partition('/')[0].replace('-', '_')}", None) is None:
                kind = "echo"
            answer = getattr(self, f"_{kind.partition('/')[0].replace('-', '_')}")
            self.plain = plain
            answer([part for part in given if part] or ["nothing"], kind)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _serve

        def _send(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response_only(status, headers.pop("reason", "because"))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _all(self, given: list[str]) -> bytes:
            return json.dumps({
                "all": [told(part) for part in given if len(part) <= _LONG],
                "as it is": [*given, *self.plain],
                "number": 1, "data": [],
                "nested": [[{part: part} for part in given if len(part) <= _LONG]],
            }, ensure_ascii=False).encode()

        def _echo(self, given: list[str], _kind: str) -> None:
            headers = {
                f"X_Form_{number}": quote(part, safe=" ")
                for number, part in enumerate(given) if len(part) <= _LONG
            }
            self._send(200, self._all(given), Content_Type="application/json", **headers)

        def _status(self, given: list[str], kind: str) -> None:
            reason = quote(given[-1][:_LONG], safe=" ")[:200]
            self._send(int(kind[-3:]), self._all(given), reason=reason, Retry_After="1")

        def _bad_json(self, given: list[str], _kind: str) -> None:
            self._send(200, b'{"broken": ' + self._all(given), Content_Type="application/json")

        def _bad_text(self, given: list[str], _kind: str) -> None:
            self._send(200, b"\xff\xfe" + "".join(given).encode("utf-16"),
                       Content_Type="text/plain; charset=utf-8")

        def _cut(self, given: list[str], _kind: str) -> None:
            body = self._all(given)
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body) + 1000))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def _reset(self, _given: list[str], _kind: str) -> None:
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True

        def _garbage(self, given: list[str], _kind: str) -> None:
            self.wfile.write(f"{given[-1][:_LONG]}\r\n\r\n".encode())
            self.close_connection = True

        def _garbage_header(self, given: list[str], _kind: str) -> None:
            last = given[-1][:_LONG]
            self.wfile.write(f"HTTP/1.1 200 OK\r\n{last} {last}\r\n\r\n".encode())
            self.close_connection = True

        def _redirect(self, given: list[str], _kind: str) -> None:
            self._send(302, b"", Location=f"/echo?given={quote(given[-1][:_LONG])}")

        def _redirect_loop(self, given: list[str], _kind: str) -> None:
            self._send(307, b"", Location=f"/redirect-loop?given={quote(given[-1][:_LONG])}")

        def _redirect_nowhere(self, given: list[str], _kind: str) -> None:
            self._send(302, b"", Location=f"http://{quote(given[-1][:_LONG], safe='')}.invalid/")

        def _gzip(self, given: list[str], _kind: str) -> None:
            self._send(200, gzip.compress(self._all(given)), Content_Encoding="gzip")

        def _bad_gzip(self, given: list[str], _kind: str) -> None:
            self._send(200, zlib.compress(b"x") + self._all(given), Content_Encoding="gzip")

        def _too_long(self, given: list[str], _kind: str) -> None:
            self._send(200, self._all(given) * (1 + 4_000_000 // len(self._all(given))))

        def _slow(self, _given: list[str], _kind: str) -> None:
            service.stop.wait(20)
            self.close_connection = True

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None: ...

    server = Server(("127.0.0.1", 0), Handler)
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        service.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
