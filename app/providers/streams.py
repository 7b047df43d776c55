"""Connections whose reads and writes look several times a second whether they should stop."""

from __future__ import annotations

import io
import socket
import ssl
from typing import TYPE_CHECKING, Any

from app.providers.destinations import place_of
from app.providers.egress import SLICE
from app.providers.errors import EgressError

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop


class Stream:
    """A connection, plain or TLS. Made by :func:`connect`."""

    def __init__(self, sock: socket.socket, stop: Stop, place: str) -> None:
        self.sock, self.stop, self.place = sock, stop, place

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end.

        :raises EgressError: ``connection_lost``, and what ``stop`` raises.
        """
        while True:
            self.stop.check()
            try:
                return self.sock.recv(size)
            except TimeoutError:
                continue
            except ssl.SSLEOFError:
                return b""
            except OSError as error:
                raise self._failed(error) from None

    def sendall(self, data: Any) -> None:
        """Send everything (the name is a socket's, as :mod:`http.client` wants it).

        :raises EgressError: ``connection_lost``, and what ``stop`` raises.
        """
        view = memoryview(data)
        while view:
            self.stop.check()
            try:
                view = view[self.sock.send(view) :]
            except TimeoutError:
                continue
            except OSError as error:
                raise self._failed(error) from None

    def secure(self, context: ssl.SSLContext, host: str | None) -> Stream:
        """Return the connection with TLS on top, its certificate checked against ``host``.

        :raises EgressError: ``tls_not_trusted``, ``tls_failed``; the connection is closed.
        """
        wrapped: Any
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                from app.providers.tunnels import TunnelledTls

                inside = Stream(self.sock, self.stop, self.place)
                wrapped = TunnelledTls(inside, context, host)
            else:
                wrapped = context.wrap_socket(
                    self.sock, server_hostname=host, do_handshake_on_connect=False
                )
        except (OSError, ValueError) as error:
            self.close()
            raise self._failed(error) from None
        try:
            wrapped.settimeout(SLICE)
            self._shake_hands(wrapped)
        except BaseException:
            wrapped.close()
            raise
        return Stream(wrapped, self.stop, self.place)

    def _shake_hands(self, wrapped: Any) -> None:
        while True:
            self.stop.check()
            try:
                wrapped.do_handshake()
                return
            except TimeoutError:
                continue
            except ssl.SSLCertVerificationError as error:
                raise EgressError(
                    "tls_not_trusted",
                    f"The certificate of {self.place} isn't trusted: {error.verify_message}.",
                ) from None
            except OSError as error:
                raise self._failed(error) from None

    def makefile(self, mode: str = "rb", *_: Any, **__: Any) -> io.BufferedReader:
        """Return a reader over the connection (for :mod:`http.client`)."""
        return io.BufferedReader(_Raw(self))

    def close(self) -> None:
        """Close the connection."""
        self.sock.close()

    def _failed(self, error: Exception) -> EgressError:
        if isinstance(error, ssl.SSLError):
            return EgressError("tls_failed", f"{self.place} and Tacit couldn't agree on TLS.")
        reason = getattr(error, "strerror", None) or "it was closed"
        return EgressError(
            "connection_lost", f"The connection to {self.place} broke: {reason}.", retryable=True
        )


class _Raw(io.RawIOBase):
    """Reads from a stream; closing it leaves the connection open."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def connect(guard: EgressGuard, host: str, port: int, stop: Stop) -> Stream:
    """Open a connection that the guard allows."""
    return Stream(guard.connect(host, port, stop), stop, place_of(host, port))
