"""A TCP proxy that can be cut and stalled, as a network between two machines can."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Hands bytes on between its own port and a target, until told not to.

    :ivar target: host and port behind it, or a Unix socket's path; may be set after the start.
    :param context: ends TLS here, for a target that speaks none.
    """

    def __init__(
        self, address: str = "127.0.0.1", context: ssl.SSLContext | None = None
    ) -> None:
        self.target: tuple[str, int] | str = ("127.0.0.1", 0)
        self._context = context
        self._listener = socket.create_server((address, 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._cut = False
        self._flows = threading.Event()
        self._flows.set()

    def start(self) -> None:
        """Begin to accept."""
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and each new one at once."""
        with self._lock:
            self._cut = True
            broken, self._open = self._open, set()
        for one in broken:
            _break(one)

    def stall(self) -> None:
        """Take bytes and hand none on: nobody is told, as with a cable pulled out."""
        self._flows.clear()

    def mend(self) -> None:
        """Let everything through again."""
        with self._lock:
            self._cut = False
        self._flows.set()

    def close(self) -> None:
        """Stop."""
        self.cut()
        self._flows.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        if self._cut:
            _break(near)
            return
        try:
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                near = self._context.wrap_socket(near, server_side=True)
            far = self._dial()
        except OSError:
            _break(near)
            return
        with self._lock:
            self._open |= {near, far}
        threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
        self._pump(near, far)

    def _dial(self) -> socket.socket:
        if isinstance(self.target, str):
            far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            far.connect(self.target)
            return far
        far = socket.create_connection(self.target, timeout=10)
        far.settimeout(None)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return far

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
            self._flows.wait()
            target.shutdown(socket.SHUT_WR)
            return
        for one in (source, target):
            with self._lock:
                self._open.discard(one)
            _break(one)


def _break(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def proxy(
    address: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> Iterator[Proxy]:
    """Run a proxy on a free port of an address of this machine."""
    made = Proxy(address, context)
    made.start()
    try:
        yield made
    finally:
        made.close()
