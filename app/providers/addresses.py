"""Which IP addresses a run may never reach, and which only where policy lets it.

An IPv6 address can carry an IPv4 one inside (mapped, NAT64, 6to4, Teredo, ISATAP…); then both
count.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where clouds answer with the machine's own credentials, outside the link-local ranges.
METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
METADATA_NAMES: Final = frozenset(
    {"metadata.google.internal", "metadata.goog", "metadata", "instance-data"}
)
_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
#: RFC 5214: bits 32 to 63 of an address that carries an IPv4 one at its end, whatever its prefix;
#: one bit of them says whether that one is unique in the world.
_ISATAP: Final = 0x0000_5EFE
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_TRANSLATED: Final = ipaddress.IPv6Network("::ffff:0:0:0/96")
_SITE_LOCAL: Final = ipaddress.IPv6Network("fec0::/10")
_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")
_SHARED: Final = ipaddress.IPv4Network("100.64.0.0/10")


def unwrapped(address: Address) -> Iterator[Address]:
    """Yield the address, and every IPv4 address that it carries inside."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    low = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    wraps = (*_NAT64, _TRANSLATED)
    # ::1 and :: stand in ::/96 too, and are what they are.
    if any(address in net for net in wraps) or (address in _COMPATIBLE and int(address) > 0xFFFF):
        yield low
    if int(address) >> 32 & 0xFDFF_FFFF == _ISATAP:
        yield low
    if address in _NAT64[1]:
        # RFC 6052 with a /48 prefix: the four bytes stand around the byte that is always zero.
        data = address.packed
        yield ipaddress.IPv4Address(data[6:8] + data[9:11])


def refused_as(address: Address, *, allow_private: bool) -> str | None:
    """Return what kind of address it is, in words, where it may not be reached; else None.

    :param allow_private: whether loopback and private ranges may be reached.
    """
    for one in unwrapped(address):
        kind = _kind(one, allow_private)
        if kind is not None:
            return kind
    return None


def _kind(address: Address, allow_private: bool) -> str | None:
    if address in METADATA:
        return "a cloud's metadata address"
    if address.is_link_local or address in _SITE_LOCAL:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified or address in _THIS_NETWORK:
        return "an unspecified address"
    if address.is_loopback:
        return None if allow_private else "a loopback address"
    if address.version == 4 and address.is_reserved:
        return "a reserved address"
    if not allow_private and (address.is_private or address in _SHARED):
        return "a private address"
    return None


def is_here(address: Address) -> bool:
    """Say whether the address belongs to this machine (asks the kernel, sends nothing)."""
    if any(one.is_loopback or one.is_unspecified for one in unwrapped(address)):
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
