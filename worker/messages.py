"""JSON messages over a pair of sequenced-packet sockets, with descriptors where needed."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

SIZE: Final = 65_536


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets that keep messages apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
    """Send one message.

    :raises OSError: the other side is gone.
    """
    data = json.dumps(message).encode()
    if fds:
        socket.send_fds(sock, [data], list(fds))
    else:
        sock.send(data)


def receive(sock: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Wait for one message; None when the other side is gone."""
    try:
        data, fds, _flags, _address = socket.recv_fds(sock, SIZE, 4)
    except ConnectionError:
        return None, []
    for descriptor in fds:
        os.set_inheritable(descriptor, False)
    return (json.loads(data) if data else None), fds
