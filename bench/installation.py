"""A real ``tacit up`` on a home of its own, with one person, one secret and one flow."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.config import Config
from app.factory import open_services
from app.http.services import Services
from bench import footprint

IDLE_SECONDS = 5
TACIT = str(Path(sys.executable).with_name("tacit"))
EMAIL = "bench@example.org"
SCOPES = ("secrets:manage", "secrets:read", "flows:manage", "flows:read", "runs:manage",
          "runs:read")


@dataclass
class Installation:
    """What the measurements need to know.

    :param running: the contents of ``running.json``.
    :param ready: seconds from the start of ``tacit up`` until it said that it is ready, on a home
        that was empty.
    :param memory: MiB of PSS by process, a few seconds later, with nothing to do.
    """

    home: Path
    running: dict[str, Any]
    token: str
    password: str
    ready: float
    memory: dict[str, float]

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the JSON API.

        :raises RuntimeError: it didn't answer with success.
        """
        parts = urlsplit(self.running["url"])
        context = ssl.create_default_context(cafile=str(self.home / "tls" / "ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", parts.port or 443, context=context)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
                   "Host": parts.netloc}
        connection.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content.decode()}")
        return dict(json.loads(content)) if content else {}

    @contextmanager
    def services(self) -> Iterator[Services]:
        """Open its database and queue in this process, as the server's processes do."""
        environ = {"TACIT_HOME": str(self.home), "TACIT_REDIS_URL": self.running["redis_url"]}
        services = open_services(Config.load(environ), with_vault=False)
        try:
            yield services
        finally:
            services.close()


@contextmanager
def installed() -> Iterator[Installation]:
    """Start an installation, stop it and forget it afterwards."""
    with tempfile.TemporaryDirectory(prefix="tacit-bench-") as folder:
        home = Path(folder) / "home"
        environment = {**os.environ, "TACIT_HOME": str(home)}
        for name in [name for name in environment if name.startswith("TACIT_")]:
            if name != "TACIT_HOME":
                del environment[name]
        password = secrets.token_urlsafe(18)
        began = time.monotonic()
        process = subprocess.Popen(
            [TACIT, "up", "--port", "0"],
            env={**environment, "TACIT_ADMIN_EMAIL": EMAIL,
                 "TACIT_ADMIN_PASSWORD": password},
            stdout=subprocess.PIPE, text=True,
        )
        try:
            _wait_until_ready(process)
            ready = time.monotonic() - began
            time.sleep(IDLE_SECONDS)
            memory = footprint.memory(process.pid)
            running = json.loads((home / "running.json").read_text())
            token = subprocess.run(
                [TACIT, "token", "create", "--user", EMAIL,
                 *(part for scope in SCOPES for part in ("--scope", scope))],
                env=environment, check=True, capture_output=True, text=True,
            ).stdout.strip()
            yield Installation(home, running, token, password, ready, memory)
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if "Tacit is ready" in line:
            # Read on, so that the pipe never fills.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return
    raise RuntimeError("tacit up did not get ready: " + "".join(said))


@contextmanager
def helper(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of this folder beside, and end it afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
