"""granian for the runtime listener: TLS and HTTP outside of Python
(docs/adr/0007-granian-for-the-runtime.md).
"""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

from app.cli.children import die_with_parent
from app.keys.ca import TlsFiles

CONNECTIONS = 1024
"""Connections at a time; a spare process of a worker holds one."""
BACKLOG = 1024
HEADER_BYTES = 64 * 1024
DRAIN = 5
"""Seconds that requests have for their end when the listener stops."""


class QuickServer(MPServer):
    """One process that serves a WSGI application, and its parent, which starts it anew where it
    ends and at SIGHUP, when it reads certificate and key again.

    :param address: ``host:port``, or ``fd://N`` for a socket that is bound already.
    :param load: makes the application, in the process that serves it.
    :param threads: requests that the application answers at a time.
    :param idle: seconds that a connection is kept on which nothing comes.
    """

    def __init__(
        self, address: str, files: TlsFiles, load: Callable[[], Any], *, threads: int, idle: int
    ) -> None:
        self._listener = _bind(address)
        # Accepted connections inherit it. Without, an answer in two pieces waits 40 ms for the
        # client's delayed acknowledgement of the first.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._load = load
        super().__init__(
            "app",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=idle * 1000, max_buffer_size=HEADER_BYTES
            ),
            backlog=BACKLOG,
            backpressure=CONNECTIONS,
            blocking_threads=threads,
            websockets=False,
            ssl_cert=files.certificate,
            ssl_key=files.key,
            ssl_protocol_min=SSLProtocols.tls12,
            respawn_failed_workers=True,
            respawn_interval=1.0,
            workers_kill_timeout=DRAIN,
            # Where it tells of itself; errors of requests are told by the application.
            log_level=LogLevels.error,
            log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {
                "_granian": {"propagate": True, "handlers": []},
            }},
        )

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then let requests come to their end."""
        # What a fork inherits is meant here: the socket, the settings with their keys, and that the
        # process is not dumpable. Later Pythons would begin the child anew, without any of it.
        multiprocessing.set_start_method("fork", force=True)
        parent = os.getpid()

        def load() -> Any:
            die_with_parent(parent)
            return self._load()

        self.serve(target_loader=load, wrap_loader=False)

    def _init_shared_socket(self) -> None:
        # By itself it would bind in the child, and with SO_REUSEPORT, so that a second
        # installation on the port would go unnoticed and take half of the requests.
        # Its own annotations don't know of these two.
        held: Any = SocketHolder
        here: Any = self
        here._ssp, here._sso = None, self._listener
        here._shd = held(self._listener.fileno(), False, BACKLOG)


def _bind(address: str) -> socket.socket:
    if address.startswith("fd://"):
        return socket.socket(fileno=int(address.removeprefix("fd://")))
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
