"""A plain HTTP server that answers with what it was sent, headers and body alike."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class EchoServer:
    """``url`` is where it listens; ``requests`` holds what it got: (method, path, headers)."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str, dict[str, str]]] = []


@contextmanager
def echo_server() -> Iterator[EchoServer]:
    """Serve on a free port. ``/slow`` answers after 30 seconds, unless the client goes away."""
    echo = EchoServer()
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode("utf-8", "replace")
            headers = dict(self.headers.items())
            echo.requests.append((self.command, self.path, headers))
            if self.path.startswith("/slow"):
                until = time.monotonic() + 30
                while time.monotonic() < until and not stopping.wait(0.1):
                    pass
            data = json.dumps({"path": self.path, "headers": headers, "body": body}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    echo.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield echo
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
