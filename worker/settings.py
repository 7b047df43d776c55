"""What a worker's environment says: the queue, how long to drain, and what no run may reach."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from app.errors import ConfigError

DRAIN_SECONDS: Final = 30.0
"""How long a run may go on after SIGTERM; then its process is killed and the server told."""


def drain_seconds(text: str) -> float:
    """Return ``TACIT_DRAIN_SECONDS``.

    :raises ConfigError: no number of seconds up to a day.
    """
    try:
        seconds = float(text or DRAIN_SECONDS)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise ConfigError(
            "setting_invalid",
            "TACIT_DRAIN_SECONDS has to be a number of seconds from 0 to 86400, such as 30.",
        )
    return seconds


def queue_url(url: str) -> str:
    """Return the queue's URL.

    :raises ConfigError: missing, or a remote server without TLS and password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ConfigError(
            "setting_invalid",
            "TACIT_REDIS_URL has to be a URL such as unix:///run/tacit/queue.sock or "
            "rediss://:password@queue.example.com:6379/0.",
        )
    here = parts.scheme == "unix" or (parts.hostname or "") in ("localhost", "127.0.0.1", "::1")
    if not here and (parts.scheme != "rediss" or not parts.password):
        raise ConfigError(
            "queue_not_safe",
            "TACIT_REDIS_URL names another host: it needs TLS (rediss://) and a password.",
        )
    return url


def keep_alive(url: str) -> dict[str, Any]:
    """Have a queue that went away without a word be noticed within half a minute.

    A worker waits for jobs on one connection, for minutes: a router that forgot it would let the
    worker wait for nothing.
    """
    if urlsplit(url).scheme == "unix":
        return {}
    options = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
    return {"socket_keepalive": True, "socket_keepalive_options": options}


def own_urls(environ: Mapping[str, str], runtime: str, redis: str) -> tuple[str, ...]:
    """URLs that no run may connect to, without their credentials."""
    urls = [runtime, *environ.get("TACIT_EGRESS_REFUSED", "").split()]
    parts = urlsplit(redis)
    if parts.hostname:
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        urls.append(f"{parts.scheme}://{host}:{parts.port or 6379}")
    return tuple(dict.fromkeys(urls))
