"""The embedded queue server, started for a test on a Unix socket of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli import embedded


@contextmanager
def queue_server() -> Iterator[str]:
    """Start a server, give its URL, stop it."""
    # A socket's path may have about a hundred characters; pytest's folders can be longer.
    folder = Path(tempfile.mkdtemp(prefix="tq"))
    socket = folder / "s"
    server = subprocess.Popen(
        embedded.arguments(socket, folder, shared=False), stdout=subprocess.DEVNULL
    )
    try:
        give_up = time.monotonic() + 10
        while not embedded.answers(socket):
            assert server.poll() is None, "the queue server ended"
            assert time.monotonic() < give_up, "the queue server does not answer"
            time.sleep(0.01)
        yield embedded.url(socket)
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
