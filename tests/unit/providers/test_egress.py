"""The guard: one resolution, every address checked, the connection made to a checked one."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from app.providers.egress import EgressGuard, EgressPolicy, Own
from app.providers.errors import EgressError, EgressRefused


class GaveUp(Exception):
    """What this test's stop raises."""


class Soon:
    """A stop that is out of time after some seconds."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.end = time.monotonic() + seconds

    def check(self) -> None:
        if self.remaining() <= 0:
            raise GaveUp

    def remaining(self) -> float:
        return self.end - time.monotonic()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def answering(*answers: list[str]) -> Callable[[str, int], list[str]]:
    """A resolver with one answer for each time it is asked."""
    left = list(answers)
    return lambda host, port: left.pop(0)


@pytest.mark.parametrize(
    "found",
    [["169.254.169.254"], ["93.184.216.34", "169.254.1.1"], ["::ffff:169.254.169.254"],
     ["0.0.0.0"], ["fe80::1%eth0"]],
)  # fmt: skip
def test_every_address_of_a_name_is_checked(found: list[str]) -> None:
    guard = EgressGuard(resolve=answering(found))
    with pytest.raises(EgressRefused) as caught:
        guard.check("innocent.example", 443)
    assert caught.value.code == "egress_refused"
    assert "innocent.example:443" in caught.value.message


def test_metadata_names_are_refused_without_asking() -> None:
    for name in ("metadata.google.internal", "METADATA.google.internal."):
        with pytest.raises(EgressRefused):
            EgressGuard(resolve=answering()).check(name, 80)


def test_names_that_do_not_exist() -> None:
    def none(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(EgressError) as caught:
        EgressGuard(resolve=none).check("nowhere.example", 80, Soon())
    assert caught.value.code == "host_not_found"
    assert caught.value.retryable


def test_private_addresses_by_policy() -> None:
    EgressGuard().check("127.0.0.1", 9)
    with pytest.raises(EgressRefused):
        EgressGuard(EgressPolicy(allow_private=False)).check("127.0.0.1", 9)


def test_rebinding_finds_no_second_question(listener: socket.socket) -> None:
    """The name is resolved once: what DNS would say next doesn't matter."""
    port = listener.getsockname()[1]
    guard = EgressGuard(resolve=answering(["127.0.0.1"], ["169.254.169.254"]))
    with guard.connect("rebinding.example", port, Soon()) as sock:
        assert sock.getpeername() == ("127.0.0.1", port)


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        ("127.0.0.1", ["127.0.0.1"]), ("localhost", ["127.0.0.2"]), ("0.0.0.0", ["127.0.0.1"]),
        ("127.0.0.1", ["::1"]), ("127.0.0.1", ["::ffff:127.0.0.1"]), ("192.0.2.5", ["192.0.2.5"]),
        ("192.0.2.5", ["64:ff9b::192.0.2.5"]), ("::", ["127.0.0.1"]),
    ],
)  # fmt: skip
def test_the_installation_s_own_places_are_refused(own: str, asked: list[str]) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host == "localhost" else asked

    guard = EgressGuard(EgressPolicy(own=(Own(own, 8444),)), resolve=resolve)
    with pytest.raises(EgressRefused, match="belongs to this installation"):
        guard.check("innocent.example", 8444)
    guard.check("innocent.example", 8445)


def test_an_address_of_ipv6_is_named_with_brackets() -> None:
    guard = EgressGuard(EgressPolicy(own=(Own("127.0.0.1", 8444),)), resolve=answering(["::1"]))
    with pytest.raises(EgressRefused, match=r"^\[::1\]:8444 belongs"):
        guard.check("::1", 8444)


def test_an_own_name_is_refused_even_where_dns_fails() -> None:
    guard = EgressGuard(EgressPolicy(own=(Own("Runtime.example", 8444),)), resolve=answering([]))
    with pytest.raises(EgressRefused):
        guard.check("runtime.example.", 8444)


def test_own_places_are_read_from_urls() -> None:
    policy = EgressPolicy.of(
        ["https://tacit.example", "rediss://:pw@queue.example", "postgresql+psycopg://u:p@db/x",
         "sqlite:////x/y.db", "unix:///run/x.sock", "https://localhost:8444"],
    )  # fmt: skip
    assert policy.own == (
        Own("tacit.example", 443), Own("queue.example", 6379), Own("db", 5432),
        Own("localhost", 8444),
    )  # fmt: skip


def test_the_next_address_is_tried(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    guard = EgressGuard(resolve=answering(["::1", "127.0.0.1"]))
    with guard.connect("two.example", port, Soon()) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"


def test_refused_connections_say_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(EgressError) as caught:
        EgressGuard().connect("127.0.0.1", port, Soon())
    assert caught.value.code == "connection_failed"
    assert caught.value.retryable
    assert f"127.0.0.1:{port}" in caught.value.message


def test_a_slow_resolver_does_not_hold_a_stopped_run() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(3)
        return ["127.0.0.1"]

    began = time.monotonic()
    with pytest.raises(GaveUp):
        EgressGuard(resolve=slow).connect("slow.example", 1, Soon(0.3))
    assert time.monotonic() - began < 1.5


def test_a_silent_address_does_not_hold_a_stopped_run() -> None:
    """A listener whose queue is full doesn't answer the next connection."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        port = server.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        began = time.monotonic()
        with pytest.raises((GaveUp, EgressError)):
            EgressGuard().connect("127.0.0.1", port, Soon(0.5))
        assert time.monotonic() - began < 2
        for filler in fillers:
            filler.close()
