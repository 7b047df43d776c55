"""Signed service tokens: EdDSA JWTs of workers and runs (RFC 8037; RFC 8725 for what to check)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.errors import Unauthenticated

MAX_LIFETIME = 60
"""Seconds between ``iat`` and ``exp``, at most."""

LEEWAY = 30
"""Seconds that clocks may differ."""

_BASE_CLAIMS = ("iss", "sub", "aud", "iat", "nbf", "exp", "jti")

# What PyJWT lets through of a token that is no token: odd texts, numbers and nesting.
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class TokenRefused(Unauthenticated):
    """The one public answer to a service token that does not hold.

    :ivar reason: which check failed; for the audit alone.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            "token_invalid",
            "The service token is missing or does not hold. Workers make a new one for each "
            "call; check the worker's clock and its enrolment.",
        )
        self.reason = reason


def refusal(reason: str) -> TokenRefused:
    """Return the refusal of a token, with the reason for the audit."""
    return TokenRefused(reason)


def key_id_of(token: str) -> str:
    """Return the ``kid`` of a token, to look its key up; nothing of the token is trusted yet.

    :raises Unauthenticated: it isn't a JWT of ours.
    """
    try:
        header = jwt.get_unverified_header(token)
    except _UNREADABLE:
        raise refusal("unreadable") from None
    kid = header.get("kid")
    if header.get("alg") != "EdDSA":
        raise refusal("algorithm")
    if not is_plain(kid, 1, 64):
        raise refusal("no_kid")
    return kid


def verify_token(
    token: str, public_key: bytes, audience: str, required: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Check signature, times, audience and presence of claims; return the claims.

    :param public_key: the 32 raw bytes that ``kid`` stands for.
    :param required: claims beyond the base ones that must be there.
    :raises Unauthenticated: any check fails.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            Ed25519PublicKey.from_public_bytes(public_key),
            algorithms=["EdDSA"],
            audience=audience,
            leeway=LEEWAY,
            options={"require": [*_BASE_CLAIMS, *required], "strict_aud": True},
        )
    except _UNREADABLE as error:
        raise refusal(type(error).__name__) from None
    times = (claims["iat"], claims["nbf"], claims["exp"])
    if not all(type(moment) in (int, float) for moment in times):
        raise refusal("times")
    if not 0 < claims["exp"] - claims["iat"] <= MAX_LIFETIME:
        raise refusal("too_long_lived")
    if not is_plain(claims["jti"], 8, 64):
        raise refusal("jti")
    return claims


def is_plain(value: object, least: int, most: int) -> TypeGuard[str]:
    """Say whether a claim is a short text that any database takes: printable ASCII."""
    return (
        isinstance(value, str) and least <= len(value) <= most
        and value.isascii() and value.isprintable()
    )


def new_signing_key() -> tuple[str, bytes]:
    """Make an Ed25519 key; returns the private key (base64url, raw) and the public key (raw)."""
    key = Ed25519PrivateKey.generate()
    private = base64.urlsafe_b64encode(key.private_bytes_raw()).rstrip(b"=").decode()
    return private, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def encode_public_key(raw: bytes) -> str:
    """Write a public key as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_public_key(text: object) -> bytes:
    """Read a public key from base64url without padding.

    :raises Unauthenticated: it isn't 32 bytes.
    """
    if isinstance(text, str) and len(text) <= 64:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            raw = b""
        if len(raw) == 32:
            return raw
    raise refusal("pub")
