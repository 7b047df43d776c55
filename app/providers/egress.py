"""The egress guard: the one way out of a run.

A name is resolved once, every address that it has is checked, and the connection goes to a
checked address, so that DNS can't answer one thing to the check and another to the connection.
TLS and the ``Host`` header keep the name.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from app.providers.addresses import METADATA_NAMES, Address, is_here, refused_as, unwrapped
from app.providers.destinations import Target, place_of, read_host
from app.providers.errors import EgressError, EgressRefused

if TYPE_CHECKING:
    import httpx

#: How long anything blocks before it looks whether it should stop, in seconds.
SLICE: Final = 0.2
_DEFAULT_PORTS: Final = {
    "http": 80, "https": 443, "redis": 6379, "rediss": 6379, "postgresql": 5432, "postgres": 5432,
}  # fmt: skip

Resolve = Callable[[str, int], Iterable[str]]


class Stop(Protocol):
    """When to give up."""

    def check(self) -> None:
        """Raise where it is time to stop: cancelled, or out of time. Never an ``OSError``,
        which would pass for the network's."""

    def remaining(self) -> float:
        """Return the seconds that are left."""


@dataclass(frozen=True, slots=True)
class Own:
    """A listener, database or queue of this installation: no run may connect to it."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Where runs may connect.

    :param allow_private: loopback and private ranges too (a fresh installation allows it).
    :param own: what belongs to the installation itself; refused under any name it has.
    :param endpoints: ``TACIT_ALLOWED_ENDPOINTS``: their host and port may be reached in private
        ranges too, whatever ``allow_private`` says.
    """

    allow_private: bool = True
    own: tuple[Own, ...] = ()
    endpoints: tuple[Target, ...] = ()

    @classmethod
    def of(
        cls,
        urls: Iterable[str],
        *,
        allow_private: bool = True,
        endpoints: Iterable[Target] = (),
    ) -> EgressPolicy:
        """Return the policy that protects these URLs (``https://…``, ``redis://…``,
        ``postgresql+psycopg://…``); what has no host, such as a socket's path, is left out."""
        own: dict[Own, None] = {}
        for url in urls:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme.partition("+")[0])
            if parts.hostname and port:
                own[Own(parts.hostname, port)] = None
        return cls(allow_private, tuple(own), tuple(endpoints))


def resolve_system(host: str, port: int) -> list[str]:
    """Ask the system's resolver; addresses in its order, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def tls_context(trust: Path | None = None) -> ssl.SSLContext:
    """Return the TLS settings, made once a process: loading the authorities takes 20 ms.

    :param trust: a PEM file of authorities to trust besides the system's.
    """
    return make_tls_context(trust)


def make_tls_context(trust: Path | None = None) -> ssl.SSLContext:
    """Return TLS settings that may be changed: the same, made anew."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not any(path and Path(path).exists() for path in (paths.cafile, paths.capath)):
        import certifi  # comes with httpx; for machines without authorities of their own

        context.load_verify_locations(certifi.where())
    if trust is not None:
        context.load_verify_locations(trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class EgressGuard:
    """Resolves, checks and connects.

    :param trust: a PEM file of authorities to trust besides the system's.
    :param resolve: how names become addresses; the system's resolver by default.
    """

    def __init__(
        self,
        policy: EgressPolicy | None = None,
        *,
        trust: Path | None = None,
        resolve: Resolve = resolve_system,
    ) -> None:
        self.policy = policy or EgressPolicy()
        self.trust = trust
        self._resolve = resolve

    def check(self, host: str, port: int, stop: Stop | None = None) -> list[Address]:
        """Return the host's addresses, all of them allowed.

        :raises EgressRefused: ``egress_refused``, when any of its addresses is.
        :raises EgressError: ``host_not_found``.
        """
        host = read_host(host)
        if host in METADATA_NAMES:
            raise _refused(place_of(host, port), "the name of a cloud's metadata service")
        if self._is_own_name(host, port):
            raise _own(host, port)
        addresses = self._addresses(host, port, stop)
        if not addresses:
            raise EgressError("host_not_found", f"There is no host called {host}.", retryable=True)
        private = self.policy.allow_private or any(
            (one.host, one.port) == (host, port) for one in self.policy.endpoints
        )
        for address in addresses:
            kind = refused_as(address, allow_private=private)
            if kind is not None:
                raise _refused(place_of(host, port), kind)
        if self._is_own(addresses, port, stop):
            raise _own(host, port)
        return addresses

    def connect(self, host: str, port: int, stop: Stop) -> socket.socket:
        """Open a TCP connection to a checked address of the host.

        :returns: a socket that blocks for :data:`SLICE` at most.
        :raises EgressRefused: it may not be reached.
        :raises EgressError: ``host_not_found``, ``connection_failed``.
        """
        addresses = self.check(host, port, stop)
        reason = ""
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                return _open(address, port, stop, stop.remaining() / left)
            except OSError as error:
                reason = error.strerror or "no answer"
        raise EgressError(
            "connection_failed", f"{place_of(host, port)} can't be reached: {reason}.",
            retryable=True,
        )

    @property
    def tls(self) -> ssl.SSLContext:
        """The TLS settings of every connection: verified, TLS 1.2 or later."""
        return tls_context(self.trust)

    def transport(self, stop: Stop) -> httpx.BaseTransport:
        """Return an httpx transport whose every connection is made by this guard."""
        from app.providers.transport import GuardedTransport

        return GuardedTransport(self, stop)

    def _addresses(self, host: str, port: int, stop: Stop | None) -> list[Address]:
        try:
            return [ipaddress.ip_address(host)]
        except ValueError:
            pass
        try:
            texts = _in_thread(lambda: list(self._resolve(host, port)), stop)
            # A zone such as %eth0 belongs to link-local addresses, which are refused anyway.
            return [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
        except (OSError, ValueError, UnicodeError):
            return []

    def _is_own_name(self, host: str, port: int) -> bool:
        """Say whether it is an own place by its very name, whatever DNS knows of it."""
        return any(own.port == port and own.host.lower() == host for own in self.policy.own)

    def _is_own(self, addresses: Iterable[Address], port: int, stop: Stop | None) -> bool:
        for own in self.policy.own:
            if own.port != port:
                continue
            hosts = self._own_addresses(own, stop)
            mine = any(is_here(address) for address in hosts)
            for address in addresses:
                if any(one in hosts for one in unwrapped(address)) or (mine and is_here(address)):
                    return True
        return False

    def _own_addresses(self, own: Own, stop: Stop | None) -> set[Address]:
        try:
            host = read_host(own.host)
        except EgressRefused:
            host = own.host
        return {one for found in self._addresses(host, own.port, stop) for one in unwrapped(found)}


def _refused(place: str, kind: str) -> EgressRefused:
    return EgressRefused("egress_refused", f"Runs may not connect to {place}: it is {kind}.")


def _own(host: str, port: int) -> EgressRefused:
    return EgressRefused(
        "egress_refused",
        f"{place_of(host, port)} belongs to this installation of Tacit. Flows may not connect to "
        "its listeners, its database or its queue.",
    )


def _open(address: Address, port: int, stop: Stop, seconds: float) -> socket.socket:
    """Connect to one address within ``seconds``, looking at ``stop`` all the while."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        # Not select(): it can't watch descriptors above 1023.
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        failed = sock.connect_ex((str(address), port))
        give_up = time.monotonic() + seconds
        while failed == errno.EINPROGRESS:
            stop.check()
            if time.monotonic() >= give_up:
                failed = errno.ETIMEDOUT
            elif poll.poll(SLICE * 1000):
                failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, os.strerror(failed))
        sock.settimeout(SLICE)
    except BaseException:
        sock.close()
        raise
    return sock


def _in_thread(call: Callable[[], list[str]], stop: Stop | None) -> list[str]:
    """Run what can't be interrupted in a thread, and stop waiting when it is time to."""
    if stop is None:
        return call()
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(call())
        except Exception as error:
            answers.put(error)

    threading.Thread(target=work, daemon=True, name="resolve").start()
    while True:
        stop.check()
        try:
            found = answers.get(timeout=SLICE)
        except queue.Empty:
            continue
        if isinstance(found, Exception):
            raise found
        result: list[str] = found
        return result
