"""How a worker keeps its queue's connection, and what no run of it may reach."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


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
