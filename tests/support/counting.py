"""A service that counts what arrives: each run sends its own key, so a run that ran twice shows."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Counting:
    """What arrived.

    :ivar arrivals: how often, by the run's key.
    :ivar held: the keys of the requests that are being answered now.
    """

    def __init__(self) -> None:
        self.url = ""
        self.arrivals: Counter[str] = Counter()
        self.held: set[str] = set()
        self.lock = threading.Lock()

    def graph(self, secret: str | None = None) -> dict[str, Any]:
        """Return a flow that sends its run's inputs here, with a secret, and logs the answer."""
        nodes = [
            _node("start", "trigger.manual"),
            _node("call", "http.request", url=self.url, method="POST"),
            _node("say", "output.log"),
        ]
        wires = [("start", "payload", "call", "body"), ("call", "body", "say", "message")]
        if secret is not None:
            nodes.append(_node("fetch", "secret.fetch", secretName=secret))
            wires.append(("fetch", "value", "call", "bearer_token"))
        return {
            "schema": 1, "nodes": nodes,
            "edges": [
                {"id": f"e{number}", "source": {"node": a, "port": b},
                 "target": {"node": c, "port": d}}
                for number, (a, b, c, d) in enumerate(wires)
            ],
        }


def _node(name: str, component: str, **config: Any) -> dict[str, Any]:
    return {"id": name, "component": component, "label": name, "position": [0, 0],
            "config": config}


@contextmanager
def counting_service(address: str = "127.0.0.1") -> Iterator[Counting]:
    """Serve on a free port: a request is counted, held for its ``hold`` seconds and answered."""
    counting = Counting()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with counting.lock:
                counting.arrivals[sent["key"]] += 1
                counting.held.add(sent["key"])
            time.sleep(sent.get("hold", 0))
            with counting.lock:
                counting.held.discard(sent["key"])
            body = json.dumps({"key": sent["key"], "told": self.headers["Authorization"]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A run that was killed hangs up."""

    server = Server((address, 0), Handler)
    counting.url = f"http://{address}:{server.server_address[1]}/count"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield counting
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
