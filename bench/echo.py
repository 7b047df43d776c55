"""The HTTP server that both sides call: it answers with what it got, and keeps connections."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """Answers every request with its Authorization header as JSON."""

    protocol_version = "HTTP/1.1"
    # Headers and body leave in one segment: else each answer waits for a delayed ACK (40 ms).
    wbufsize = -1

    def do_GET(self) -> None:
        """Answer."""
        body = json.dumps({"authorization": self.headers.get("Authorization")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    print(server.server_port, flush=True)
    sys.stdout.close()
    server.serve_forever()
