"""Ask the web listener whether everything is ready."""

from __future__ import annotations

import http.client
import ssl
import time

from app.config import Config

PATIENCE = 80.0
"""Seconds after which a start is given up."""


def wait(config: Config) -> None:
    """Return once ``/readyz`` answers 200; print what was missing and exit 1 if it never does."""
    give_up = time.monotonic() + PATIENCE
    missing = ""
    while time.monotonic() < give_up:
        try:
            status, missing = ask(config, timeout=PATIENCE)
        except (OSError, http.client.HTTPException) as error:
            status, missing = 0, f"The web listener does not answer: {error}"
        if status == 200:
            return
        time.sleep(0.03)
    print(missing)
    raise SystemExit(1)


def ask(config: Config, timeout: float) -> tuple[int, str]:
    """Return the status of ``GET /readyz`` and what it says, from this machine."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.bind, config.bind)  # noqa: S104
    context = ssl.create_default_context(cafile=str(config.home / "tls" / "ca.pem"))
    connection = http.client.HTTPSConnection(
        address, config.port, timeout=timeout, context=context
    )
    try:
        connection.request("GET", "/readyz", headers={"Host": f"{config.host}:{config.port}"})
        answer = connection.getresponse()
        return answer.status, answer.read(65536).decode("utf-8", "replace")
    finally:
        connection.close()
