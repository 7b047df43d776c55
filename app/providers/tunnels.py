"""TLS within TLS: what goes through the tunnel of a proxy that is itself reached over TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.providers.streams import Stream

_STEP = 64 * 1024


class TunnelledTls:
    """As much of a socket as a :class:`~app.providers.streams.Stream` asks for, over another one.

    OpenSSL reads and writes buffers here; the outer stream moves them, and looks whether to stop.
    """

    def __init__(self, outer: Stream, context: ssl.SSLContext, host: str | None) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def settimeout(self, _seconds: float) -> None:
        """Do nothing: the outer stream has its own."""

    def do_handshake(self) -> None:
        """Shake hands.

        :raises ssl.SSLError: TLS failed; and what the outer stream raises.
        """
        self._until_done(self._tls.do_handshake)

    def recv(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        try:
            return bytes(self._until_done(lambda: self._tls.read(size)))
        except ssl.SSLZeroReturnError:
            return b""

    def send(self, data: Any) -> int:
        """Send; returns how many bytes went."""
        return int(self._until_done(lambda: self._tls.write(data)))

    def close(self) -> None:
        """Close the connection."""
        self._outer.close()

    def _until_done(self, act: Any) -> Any:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._outer.read(_STEP)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
                continue
            self._flush()
            return done

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._outer.sendall(data)
