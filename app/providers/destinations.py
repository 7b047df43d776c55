"""Where something goes: one strict reader of URLs, and the matching of ``allowed_hosts``.

There is one reader on purpose: when two parsers disagree about a URL's host, the check is done
on one and the connection is made to the other.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from app.providers.errors import EgressRefused

PORTS: Final = {"http": 80, "https": 443}
LOCAL: Final = "local"

# What is percent-encoded already stays as it is.
_PATH_SAFE: Final = "/%:@!$&'()*+,;=-._~[]|^`{}"
_QUERY_SAFE: Final = _PATH_SAFE + "?"

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_OTHER_STEPS = re.compile(r"[/\\\x00-\x1f\x7f]")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\\u0080-\u00a0\u2028\u2029\ud800-\udfff]")


def place_of(host: str, port: int) -> str:
    """Return ``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was read: lower-case ASCII host (IPv6 without brackets), port always there."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def authority(self) -> str:
        """See :func:`place_of`."""
        return place_of(self.host, self.port)

    @property
    def origin(self) -> str:
        """``scheme://host:port``, as ``Context.reveal`` takes it."""
        return f"{self.scheme}://{self.authority}"

    @property
    def path_and_query(self) -> str:
        """What stands on the request line: ASCII, everything else percent-encoded."""
        path = quote(self.path, safe=_PATH_SAFE)
        return f"{path}?{quote(self.query, safe=_QUERY_SAFE)}" if self.query else path

    @property
    def url(self) -> str:
        """The whole URL, without a fragment."""
        return f"{self.origin}{self.path_and_query}"

    @property
    def host_header(self) -> str:
        """The ``Host`` header: the port only where it isn't the scheme's own."""
        if self.port == PORTS[self.scheme]:
            return self.authority.rpartition(":")[0]
        return self.authority


def read_url(text: str) -> Target:
    """Read an absolute http or https URL.

    :raises EgressRefused: ``url_not_valid``, ``url_scheme``, ``url_userinfo``,
        ``host_ambiguous``; the message doesn't repeat the URL, which may hold a token.
    """
    text = text.strip(" \t\r\n")
    if not text:
        raise EgressRefused("url_not_valid", "The URL is empty. Write one such as https://host/.")
    if _FORBIDDEN.search(text):
        raise EgressRefused(
            "url_not_valid", "The URL holds a space, backslash or control character. Encode it."
        )
    try:
        parts = urlsplit(text)
        port = parts.port
        userinfo = "@" in parts.netloc
    except ValueError:
        raise EgressRefused(
            "url_not_valid", "The URL can't be read: check its host and port."
        ) from None
    if parts.scheme not in PORTS:
        raise EgressRefused("url_scheme", "The URL has to begin with https:// or http://.")
    if userinfo:
        raise EgressRefused(
            "url_userinfo",
            "The URL holds a user name or password before the host. Take it out, "
            "and wire a secret into basic_password or bearer_token.",
        )
    if port == 0:
        raise EgressRefused("url_not_valid", "Port 0 can't be connected to.")
    host = read_host(parts.hostname or "")
    return Target(parts.scheme, host, port or PORTS[parts.scheme], parts.path or "/", parts.query)


def follow(base: Target, location: str) -> Target:
    """Resolve a ``Location`` header against the URL that answered with it."""
    if _FORBIDDEN.search(location.strip(" \t\r\n")):
        raise EgressRefused("url_not_valid", f"{base.authority} redirects to a URL that is broken.")
    try:
        joined = urljoin(base.url, location.strip(" \t\r\n"))
    except ValueError:
        joined = ""
    return read_url(joined)


def read_host(text: str) -> str:
    """Return a host in its one canonical form: lower-case ASCII name, or IP address.

    :raises EgressRefused: ``url_not_valid``, or ``host_ambiguous`` for addresses written in
        decimal, octal, hexadecimal or shortened form, which programs read differently.
    """
    host = text.lower().removesuffix(".")
    if not host:
        raise EgressRefused("url_not_valid", "The URL has no host.")
    if ":" in host:
        return _read_ipv6(host.removeprefix("[").removesuffix("]"))
    if not host.isascii():
        host = _to_ascii(host)
    labels = host.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise EgressRefused(
                "host_ambiguous",
                "The host is a number that isn't a plain IPv4 address. Write it as 192.0.2.1.",
            ) from None
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused("url_not_valid", "The host has characters that no host name has.")
    return host


def _read_ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise EgressRefused("url_not_valid", "The host isn't an IPv6 address.") from None
    if address.scope_id:
        raise EgressRefused("url_not_valid", "An IPv6 address with a zone can't be used here.")
    return address.compressed


def _to_ascii(host: str) -> str:
    import idna  # comes with httpx; only international names need it

    try:
        return idna.encode(host, uts46=True).decode("ascii").removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        raise EgressRefused("url_not_valid", "The host isn't a name that exists in DNS.") from None


def permits(entries: Iterable[str], destination: str) -> bool:
    """Say whether one of ``allowed_hosts``' entries names the destination.

    :param entries: ``host``, ``host:port``, ``*.domain``, ``*.domain:port`` or ``local``. A
        ``*.`` stands for one or more labels; an entry without a port means every port.
    :param destination: ``scheme://host:port`` or ``local``.
    """
    if destination == LOCAL:
        return LOCAL in entries
    authority = destination.partition("://")[2]
    host, _, port = authority.rpartition(":")
    if not host or not port.isdigit():
        return False
    try:
        host = read_host(host)
    except EgressRefused:
        return False
    return any(_names(entry, host, port) for entry in entries)


def _names(entry: str, host: str, port: str) -> bool:
    wanted, colon, wanted_port = entry.strip().lower().rpartition(":")
    if not colon or wanted_port.endswith("]") or (":" in wanted and not wanted.endswith("]")):
        # No port: a plain name, a bracketed or a bare IPv6 address.
        wanted, wanted_port = entry.strip().lower(), ""
    if wanted_port and wanted_port != port:
        return False
    if wanted.startswith("*."):
        domain = wanted[2:].removesuffix(".")
        return bool(domain) and host.endswith(f".{domain}") and "*" not in domain
    if wanted == LOCAL:
        return False
    try:
        return read_host(wanted) == host
    except EgressRefused:
        return False


def read_endpoints(text: str) -> tuple[Target, ...]:
    """Read ``TACIT_ALLOWED_ENDPOINTS``: URLs by commas.

    :raises EgressRefused: one of them can't be read.
    """
    return tuple(read_url(part) for part in text.split(",") if part.strip())


def is_endpoint(endpoints: Iterable[Target], target: Target) -> bool:
    """Say whether a URL is one of the allowed endpoints, or stands below one.

    Compared by parsed scheme, host, port and whole path segments. Segments that some servers
    resolve (``.`` and ``..``; plain, encoded, with parameters, behind an encoded slash) match
    nothing, and neither does a URL with a query: an endpoint has none.
    """
    steps = _segments(target)
    if target.query or not all(_stays(step) for step in steps):
        return False
    for one in endpoints:
        wanted = _segments(one)
        if (one.scheme, one.host, one.port) == (target.scheme, target.host, target.port) and (
            steps[: len(wanted)] == wanted
        ):
            return True
    return False


def _stays(step: str) -> bool:
    """Say whether a path's segment is one name, however often a server decodes it."""
    while (plain := unquote(step)) != step:
        step = plain
    if _OTHER_STEPS.search(step):
        return False
    # What stands behind a semicolon is a parameter: servers drop it, and resolve the rest.
    return step.partition(";")[0].strip(". ") != ""


def _segments(target: Target) -> list[str]:
    return [step for step in target.path.split("/") if step]
