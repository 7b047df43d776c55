"""A way through an HTTP proxy that the flow names: never one from the environment."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.providers.destinations import Target, read_url
from app.providers.errors import EgressError, EgressRefused
from app.providers.streams import Stream, connect

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r|$)")
_LONGEST: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it listens, and what opens it.

    :param authorization: the value of ``Proxy-Authorization``; empty for none.
    :param tls: settings for reaching it, where its address is https; the guard's by default.
    """

    target: Target
    authorization: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


def read_proxy(text: str) -> Target:
    """Read a proxy's address.

    :raises EgressRefused: ``proxy_not_valid``, and what :func:`read_url` raises.
    """
    target = read_url(text)
    if target.path != "/" or target.query:
        raise EgressRefused(
            "proxy_not_valid",
            "The proxy has to be written as http://host:port or https://host:port, without a path.",
        )
    return target


def connect_through(guard: EgressGuard, proxy: Proxy, target: Target, stop: Stop) -> Stream:
    """Return a connection over which the target's server answers: a tunnel for https, the
    proxy itself for http.

    The guard looks at both. A name that doesn't resolve here is left to the proxy, as networks
    with a proxy often have it.

    :raises EgressRefused: the guard refuses the proxy or the target.
    :raises EgressError: ``proxy_denied``, ``proxy_refused``, and what :func:`connect` raises.
    """
    try:
        guard.check(target.host, target.port, stop)
    except EgressRefused:
        raise
    except EgressError as error:
        if error.code != "host_not_found":
            raise
    stream = connect(guard, proxy.target.host, proxy.target.port, stop)
    if proxy.target.scheme == "https":
        stream = stream.secure(proxy.tls or guard.tls, proxy.target.host)
    if target.scheme == "https":
        try:
            _open_tunnel(stream, proxy, target)
        except BaseException:
            stream.close()
            raise
        stream.place = target.authority
    return stream


def _open_tunnel(stream: Stream, proxy: Proxy, target: Target) -> None:
    lines = [f"CONNECT {target.authority} HTTP/1.1", f"Host: {target.authority}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    stream.sendall("\r\n".join((*lines, "", "")).encode())
    answer = bytearray()
    # Byte by byte: what comes after the empty line belongs to the tunnel.
    while not answer.endswith(b"\r\n\r\n"):
        byte = stream.read(1)
        if not byte or len(answer) > _LONGEST:
            raise EgressError(
                "connection_lost",
                f"The proxy {proxy.target.authority} closed the connection, or answered something "
                "that isn't HTTP.", retryable=True,
            )
        answer += byte
    status = _STATUS.match(answer)
    number = int(status[1]) if status else 0
    if number == 407:
        raise EgressError(
            "proxy_denied",
            f"The proxy {proxy.target.authority} wants other credentials. Wire a secret with "
            "user:password into proxy_credentials.",
        )
    if not 200 <= number <= 299:
        raise EgressError(
            "proxy_refused",
            f"The proxy {proxy.target.authority} answered {number} when asked for "
            f"{target.authority}. Look at what it lets through.", retryable=number >= 500,
        )
