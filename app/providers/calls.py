"""One HTTP/1.1 request and its answer, over a connection that the egress guard made.

Built on :mod:`http.client`, which the worker has loaded anyway: a client library's import
would cost a run more than its whole request does. No proxy from the environment, no cookie jar,
no redirect, no retry, no log line.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from app.providers.destinations import Target
from app.providers.errors import EgressError
from app.providers.streams import Stream, connect

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop
    from app.providers.proxies import Proxy

_STEP = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    :param chunks: the body as it comes, transfer encoding undone, content encoding not.
    """

    status: int
    headers: http.client.HTTPMessage
    chunks: Iterator[bytes]

    def header(self, name: str) -> str:
        """Return a header's value, empty where it isn't there."""
        value: str = self.headers.get(name, "")
        return value


@contextmanager
def send(
    guard: EgressGuard,
    stop: Stop,
    method: str,
    target: Target,
    headers: Sequence[tuple[str, bytes]],
    content: bytes | None,
    path: str | None = None,
    tls: ssl.SSLContext | None = None,
    proxy: Proxy | None = None,
) -> Iterator[Answer]:
    """Send one request; the connection is closed when the block ends.

    :param headers: all but ``Host``, ``Content-Length`` and ``Connection``.
    :param tls: settings of its own (another authority, a client's certificate); the guard's
        by default.
    :param proxy: to go through.
    :raises EgressError: ``connection_failed``, ``connection_lost``, ``tls_not_trusted``… and
        what the guard and ``stop`` raise.
    """
    connection = _Connection(guard, stop, target, tls, proxy)
    path = path or target.path_and_query
    if proxy is not None and target.scheme == "http":
        path = f"http://{target.host_header}{path}"
        if proxy.authorization:
            headers = [*headers, ("Proxy-Authorization", proxy.authorization.encode())]
    try:
        try:
            _write(connection, method, path, target, headers, content)
            response = connection.getresponse()
        except (http.client.HTTPException, ValueError) as error:
            raise _broken(target) from error
        yield Answer(response.status, response.msg, _chunks(response, target))
    finally:
        connection.hang_up()


class _Connection(http.client.HTTPConnection):
    """A connection that asks the guard instead of DNS."""

    def __init__(
        self, guard: EgressGuard, stop: Stop, target: Target, tls: ssl.SSLContext | None,
        proxy: Proxy | None,
    ) -> None:
        super().__init__(target.host, target.port)
        self._guard, self._stop, self._target, self._tls = guard, stop, target, tls
        self._proxy = proxy
        self.stream: Stream | None = None

    def connect(self) -> None:
        target = self._target
        if self._proxy is None:
            stream = connect(self._guard, target.host, target.port, self._stop)
        else:
            from app.providers.proxies import connect_through

            stream = connect_through(self._guard, self._proxy, target, self._stop)
        if target.scheme == "https":
            stream = stream.secure(self._tls or self._guard.tls, target.host)
        self.stream = stream
        # It reads and writes like the socket that is expected here.
        self.sock = cast(Any, _Kept(stream.sock, self._stop, stream.place))

    def hang_up(self) -> None:
        """Close the connection for good."""
        self.close()
        if self.stream is not None:
            self.stream.close()


class _Kept(Stream):
    """A stream that http.client can't close under the answer that is still being read."""

    def close(self) -> None:
        """Leave it open: :meth:`_Connection.hang_up` closes it."""


def _write(
    connection: _Connection,
    method: str,
    path: str,
    target: Target,
    headers: Sequence[tuple[str, bytes]],
    content: bytes | None,
) -> None:
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", target.host_header)
    connection.putheader("Connection", "close")
    for name, value in headers:
        connection.putheader(name, value)
    if content is not None or method in ("POST", "PUT", "PATCH"):
        connection.putheader("Content-Length", str(len(content or b"")))
    connection.endheaders(content)


def _chunks(response: http.client.HTTPResponse, target: Target) -> Iterator[bytes]:
    try:
        while chunk := response.read1(_STEP):
            yield chunk
        if response.length:
            # The length that was promised never came: http.client's read1 doesn't mind.
            raise _broken(target)
    except (http.client.HTTPException, ValueError) as error:
        raise _broken(target) from error


def _broken(target: Target) -> EgressError:
    return EgressError(
        "connection_lost",
        f"{target.authority} closed the connection, or answered something that isn't HTTP.",
        retryable=True,
    )
