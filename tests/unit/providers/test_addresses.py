"""Which addresses a run may reach, in every way of writing them into an address."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.addresses import is_here, refused_as

ALWAYS = [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fec0::1",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254",
    "224.0.0.1", "239.255.255.255", "ff02::1", "255.255.255.255", "240.0.0.1",
    "0.0.0.0", "0.1.2.3", "::",
]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.255.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "fd12::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "172.32.0.1"]
LINK_LOCAL = ipaddress.ip_network("169.254.0.0/16")


def wrappings(address: ipaddress.IPv4Address) -> list[str]:
    number = int(address)
    high, low = number >> 16, number & 0xFFFF
    data = address.packed
    middle = ipaddress.IPv6Address(
        bytes.fromhex("0064ff9b0001") + data[:2] + b"\0" + data[2:] + b"\0" * 5
    )
    return [
        f"::ffff:{address}", f"::ffff:0:{address}", f"64:ff9b::{address}", f"::{address}",
        f"2002:{high:x}:{low:x}::1", f"2001:0:{high:x}:{low:x}::", str(middle),
        f"2001:0:1234::{0xFFFF ^ high:x}:{0xFFFF ^ low:x}",
        f"2606:4700::5efe:{address}", f"2606:4700::200:5efe:{address}",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ALWAYS)
@pytest.mark.parametrize("private", [True, False])
def test_never(text: str, private: bool) -> None:
    assert refused_as(ipaddress.ip_address(text), allow_private=private)


@pytest.mark.parametrize("text", PRIVATE)
def test_private_by_policy(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert refused_as(address, allow_private=True) is None
    assert refused_as(address, allow_private=False)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_open(text: str) -> None:
    assert refused_as(ipaddress.ip_address(text), allow_private=False) is None


@given(st.ip_addresses(v=4, network="169.254.0.0/16"))
def test_link_local_is_found_inside_every_wrapping(address: ipaddress.IPv4Address) -> None:
    for text in (str(address), *wrappings(address)):
        assert refused_as(ipaddress.ip_address(text), allow_private=True), text


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_private_is_found_inside_every_wrapping(address: ipaddress.IPv4Address) -> None:
    for text in (str(address), *wrappings(address)):
        assert refused_as(ipaddress.ip_address(text), allow_private=False), text


@given(st.ip_addresses())
def test_strict_policy_refuses_all_that_the_open_one_does(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if refused_as(address, allow_private=True):
        assert refused_as(address, allow_private=False)
    if not address.is_global:
        assert refused_as(address, allow_private=False)


def test_this_machine_s_addresses_are_known() -> None:
    assert is_here(ipaddress.ip_address("127.0.0.1"))
    assert is_here(ipaddress.ip_address("::ffff:127.0.0.1"))
    assert is_here(ipaddress.ip_address("0.0.0.0"))
    assert not is_here(ipaddress.ip_address("192.0.2.77"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no route")
        assert is_here(ipaddress.ip_address(probe.getsockname()[0]))
