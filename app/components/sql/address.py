"""Where a database is and who asks: from a secret address, or from the node's settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from app.components.errors import NodeError
from app.providers.destinations import read_host
from app.providers.errors import EgressRefused

_SCHEMES: Final = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
_TLS: Final = {"disable": False, "require": True, "verify-ca": True, "verify-full": True}


@dataclass(frozen=True, slots=True)
class Address:
    """A PostgreSQL database.

    :param host: lower-case name or IP address, as the egress guard takes it.
    :param tls: whether the connection is encrypted and the certificate verified; None where the
        address doesn't say.
    """

    host: str
    port: int
    database: str
    user: str
    password: str = field(default="", repr=False)
    tls: bool | None = None

    @property
    def origin(self) -> str:
        """``postgresql://host:port``, as ``Context.reveal`` takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{host}:{self.port}"


def read_address(text: str) -> Address:
    """Read a secret address, ``postgresql://user:password@host:5432/database?sslmode=…``.

    :raises NodeError: ``address_not_valid``; quotes nothing of it.
    """
    try:
        parts = urlsplit(text.strip())
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
                       if parts.query else [])
        mode = options.pop("sslmode", None)
        if parts.scheme not in _SCHEMES or options or parts.fragment or (
            mode is not None and mode not in _TLS
        ):
            raise _not_valid()
        return Address(
            host=read_host(parts.hostname or ""),
            port=parts.port or 5432,
            database=_plain(unquote(parts.path.removeprefix("/"))),
            user=_plain(unquote(parts.username or "")),
            password=unquote(parts.password or ""),
            tls=None if mode is None else _TLS[mode],
        )
    except (ValueError, EgressRefused):
        raise _not_valid() from None


def typed_address(host: str, port: int, database: str, user: str) -> Address:
    """Return the address that a node's settings name.

    :raises NodeError: ``config_invalid``.
    """
    for label, value in (("Host", host), ("Database name", database), ("User", user)):
        if not value.strip():
            raise NodeError("config_invalid", f"{label} is empty. Type it, or wire it.")
    try:
        return Address(read_host(host.strip()), port, _plain(database), _plain(user))
    except (ValueError, EgressRefused):
        raise NodeError(
            "config_invalid", "Host, Database name or User has characters that none can have."
        ) from None


def _plain(text: str) -> str:
    if not text or any(ord(char) < 0x20 for char in text):
        raise ValueError("empty, or with control characters")
    return text


def _not_valid() -> NodeError:
    return NodeError(
        "address_not_valid",
        "The secret wired into Address isn't the address of a PostgreSQL database. Store it as "
        "postgresql://user:password@host:5432/database, without settings other than sslmode "
        "(disable, require, verify-ca or verify-full).",
    )
