"""The text of API tokens and other bearer credentials: made at random, kept as a hash.

An API token is ``tct_``, 32 random bytes as base64url and a CRC-32 as base64url: secret scanners
can recognise it, and a mistyped one is refused without a query.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import zlib

PREFIX = "tct_"
_LENGTH = len(PREFIX) + 43 + 6


def new_api_token() -> str:
    """Make the text of a new API token."""
    body = PREFIX + secrets.token_urlsafe(32)
    return body + _checksum(body)


def is_api_token(text: str) -> bool:
    """Say whether the text has the form of an API token and its checksum holds."""
    return (
        len(text) == _LENGTH
        and text.isascii()
        and text.startswith(PREFIX)
        and _checksum(text[:-6]) == text[-6:]
    )


def new_random() -> str:
    """Make a random credential of 256 bits, as base64url, for cookies and links."""
    return secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """Return what is kept of a credential: its SHA-256 in hexadecimal.

    A plain hash is enough for 256 random bits: there is nothing to guess.
    """
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    crc = zlib.crc32(body.encode()).to_bytes(4)
    return base64.urlsafe_b64encode(crc).decode().rstrip("=")
