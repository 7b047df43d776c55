"""A listener as an operator starts it: ``tacit NAME`` in a process of its own."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.keys.ca import ensure_tls
from tests.support.database import home_variables
from tests.support.installation import Installation

TACIT = Path(sys.executable).with_name("tacit")


@dataclass
class Listener:
    """A running listener, and what a client of it trusts."""

    port: int
    context: ssl.SSLContext
    log: Path
    process: subprocess.Popen[bytes]

    def wait(self, answers: Callable[[], bool]) -> None:
        """Wait until it answers.

        :param answers: asks it; an OSError is a not yet.
        """
        give_up = time.monotonic() + 40
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up, self.log.read_text()
            try:
                assert answers()
                return
            except OSError:
                time.sleep(0.05)


@contextmanager
def listening(
    name: str, installation: Installation, log: Path, **variables: str
) -> Iterator[Listener]:
    """Start ``tacit NAME`` on the installation's home, on a free port, and stop it.

    :param variables: of its environment, beside where home, database and queue are.
    """
    home = installation.config.home
    files = ensure_tls(home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if "TACIT_" not in key}
    environment |= home_variables(home) | {"TACIT_REDIS_URL": installation.config.redis_url}
    environment |= variables
    context = ssl.create_default_context(cafile=str(files.ca))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [TACIT, name, "--port", str(port)], env=environment, stdout=output, stderr=output
        )
    try:
        yield Listener(port, context, log, process)
    finally:
        process.terminate()
        process.wait(20)
