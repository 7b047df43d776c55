"""``tacit runtime`` as an operator starts it: a process of its own, asked over real TLS."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.keys.ca import ensure_tls
from tests.support.database import home_variables
from tests.support.installation import Installation
from tests.support.runs import HeldRun

TACIT = Path(sys.executable).with_name("tacit")


@dataclass
class RuntimeProcess:
    """A running runtime listener."""

    port: int
    context: ssl.SSLContext
    log: Path
    process: subprocess.Popen[bytes]

    def get(self, path: str, token: str | None = None) -> tuple[int, dict[str, Any]]:
        """Ask once, on a connection of its own; returns status and body."""
        connection = http.client.HTTPSConnection(
            "localhost", self.port, context=self.context, timeout=60
        )
        try:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def value(self, held: HeldRun, token: str | None = None) -> tuple[int, dict[str, Any]]:
        """Ask for the value of a run's first grant."""
        grant = held.plan["grants"][0]
        path = f"/api/v1/secrets/{grant['secret_id']}/value?version={grant['version']}"
        return self.get(path, token or held.value_token())


@contextmanager
def runtime_process(
    installation: Installation, folder: Path, number: int = 0
) -> Iterator[RuntimeProcess]:
    """Start the listener on the installation's home, and stop it."""
    home = installation.config.home
    files = ensure_tls(home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if "TACIT_" not in name}
    environment |= home_variables(home) | {"TACIT_REDIS_URL": installation.config.redis_url}
    log = folder / f"runtime-{number}.log"
    context = ssl.create_default_context(cafile=str(files.ca))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [TACIT, "runtime", "--port", str(port)], env=environment, stdout=output, stderr=output
        )
    runtime = RuntimeProcess(port, context, log, process)
    try:
        _wait(runtime)
        yield runtime
    finally:
        process.terminate()
        process.wait(20)


def _wait(runtime: RuntimeProcess) -> None:
    give_up = time.monotonic() + 40
    while True:
        assert runtime.process.poll() is None, runtime.log.read_text()
        assert time.monotonic() < give_up, runtime.log.read_text()
        try:
            assert runtime.get("/readyz")[0] == 200
            return
        except OSError:
            time.sleep(0.05)
