"""``tacit runtime`` as an operator starts it: a process of its own, asked over real TLS."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.installation import Installation
from tests.support.listener import listening
from tests.support.runs import HeldRun


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
    with listening("runtime", installation, folder / f"runtime-{number}.log") as started:
        runtime = RuntimeProcess(started.port, started.context, started.log, started.process)
        started.wait(lambda: runtime.get("/readyz")[0] == 200)
        yield runtime
