"""The web app of an installation behind real TLS in a thread, for tests with a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import make_server

from tests.support.installation import Installation


@contextmanager
def serve(installation: Installation) -> Iterator[str]:
    """Serve the web app on a free port until the block ends; yields its origin."""
    server = make_server(
        "localhost", 0, installation.app, threaded=True, ssl_context="adhoc"
    )
    # A browser opens connections ahead of need: their handshakes must not hold up the others.
    server.socket.do_handshake_on_connect = False  # type: ignore[union-attr]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(5)
