"""An httpx transport over the egress guard, for components that use a library built on httpx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx

from app.providers.calls import send
from app.providers.destinations import read_url

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop

_OURS = frozenset({b"host", b"content-length", b"connection", b"transfer-encoding"})


class GuardedTransport(httpx.BaseTransport):
    """Sends every request over a connection of its own that the guard allowed."""

    def __init__(self, guard: EgressGuard, stop: Stop) -> None:
        self._guard, self._stop = guard, stop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        :raises EgressError: what :func:`app.providers.calls.send` raises.
        """
        headers = [
            (name.decode("ascii"), value)
            for name, value in request.headers.raw
            if name.lower() not in _OURS
        ]
        stack = ExitStack()
        answer = stack.enter_context(
            send(
                self._guard,
                self._stop,
                request.method,
                read_url(str(request.url)),
                headers,
                request.read() or None,
            )
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers.items(),
            stream=_Body(answer.chunks, stack),
        )


class _Body(httpx.SyncByteStream):
    """The answer's body; closing it closes the connection."""

    def __init__(self, chunks: Iterator[bytes], stack: ExitStack) -> None:
        self._chunks, self._stack = chunks, stack

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    def close(self) -> None:
        self._stack.close()
