"""An httpx transport whose connections are made by the egress guard.

No proxy from the environment, no cookie jar, no redirect, no retry and no log line of its own:
one request, one answer. Every wait is cut into slices, so that a cancelled run stops at once.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from app.providers.egress import SLICE
from app.providers.errors import EgressError

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop


class GuardedTransport(httpx.BaseTransport):
    """Sends requests over connections that the guard allowed."""

    def __init__(self, guard: EgressGuard, stop: Stop) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=guard.tls,
            max_connections=1,
            network_backend=_Backend(guard, stop),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        :raises EgressError: ``connection_lost`` and what the guard raises.
        """
        url = request.url
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
        )
        place = f"{url.host}:{url.port}" if url.port else url.host
        try:
            answer = self._pool.handle_request(sent)
        except httpcore.ProtocolError as error:
            raise _broken(place) from error
        stream = _Body(answer.stream, place)
        return httpx.Response(answer.status, headers=answer.headers, stream=stream)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def _broken(place: str) -> EgressError:
    return EgressError(
        "connection_lost",
        f"{place} closed the connection, or answered something that isn't HTTP.",
        retryable=True,
    )


class _Body(httpx.SyncByteStream):
    """The answer's body, its failures in our words."""

    def __init__(self, stream: Any, place: str) -> None:
        self._stream, self._place = stream, place

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except httpcore.ProtocolError as error:
            raise _broken(self._place) from error

    def close(self) -> None:
        self._stream.close()


class _Backend(httpcore.NetworkBackend):
    """How httpcore gets its connections: from the guard."""

    def __init__(self, guard: EgressGuard, stop: Stop) -> None:
        self._guard, self._stop = guard, stop

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        sock = self._guard.connect(host, port, self._stop)
        return _Stream(sock, self._stop, f"{host}:{port}")

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError("this transport doesn't retry")


class _Stream(httpcore.NetworkStream):
    """A connection whose reads and writes look at ``stop`` several times a second."""

    def __init__(self, sock: socket.socket, stop: Stop, place: str) -> None:
        self._sock, self._stop, self._place = sock, stop, place

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            self._stop.check()
            try:
                return self._sock.recv(max_bytes)
            except TimeoutError:
                continue
            except OSError as error:
                raise self._failed(error) from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        while view:
            self._stop.check()
            try:
                view = view[self._sock.send(view) :]
            except TimeoutError:
                continue
            except OSError as error:
                raise self._failed(error) from None

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            wrapped = ssl_context.wrap_socket(
                self._sock, server_hostname=server_hostname, do_handshake_on_connect=False
            )
        except (OSError, ValueError) as error:
            self.close()
            raise self._failed(error) from None
        try:
            self._shake_hands(wrapped)
        except BaseException:
            wrapped.close()
            raise
        return _Stream(wrapped, self._stop, self._place)

    def _shake_hands(self, wrapped: ssl.SSLSocket) -> None:
        wrapped.settimeout(SLICE)
        while True:
            self._stop.check()
            try:
                wrapped.do_handshake()
            except TimeoutError:
                continue
            except ssl.SSLCertVerificationError as error:
                raise EgressError(
                    "tls_not_trusted",
                    f"The certificate of {self._place} isn't trusted: {error.verify_message}.",
                ) from None
            except OSError as error:
                raise self._failed(error) from None
            return

    def close(self) -> None:
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "socket":
            return self._sock
        if info == "is_readable":
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            return bool(poll.poll(0))
        return None

    def _failed(self, error: Exception) -> EgressError:
        if isinstance(error, ssl.SSLError):
            return EgressError("tls_failed", f"{self._place} and Tacit couldn't agree on TLS.")
        reason = getattr(error, "strerror", None) or "it was closed"
        return EgressError(
            "connection_lost", f"The connection to {self._place} broke: {reason}.", retryable=True
        )
