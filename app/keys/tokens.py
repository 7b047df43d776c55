"""Signed service tokens: EdDSA JWTs of workers and runs (RFC 7515 and 8037; RFC 8725 for what to
check).

Read here rather than by a library: one algorithm, one serialisation and one key type leave little
to do, each token is checked before anything else of a request, and a general reader took a fifth
of its processor time. The tests hold PyJWT against it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeGuard

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.errors import Unauthenticated

MAX_LIFETIME = 60
"""Seconds between ``iat`` and ``exp``, at most."""

LEEWAY = 30
"""Seconds that clocks may differ."""

_BASE_CLAIMS = ("iss", "sub", "aud", "iat", "nbf", "exp", "jti")


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
    parts = token.split(".")
    if len(parts) != 3:
        raise refusal("unreadable")
    return _key_id_in(parts[0])


@lru_cache(maxsize=1024)
def _key_id_in(encoded: str) -> str:
    """Read a header; all tokens of one key have the same, so that each is read once."""
    header = _read_part(encoded)
    kid = header.get("kid")
    if header.get("alg") != "EdDSA":
        raise refusal("algorithm")
    if "crit" in header or "b64" in header:
        # What must be understood or refused, and nothing of it is understood here.
        raise refusal("extension")
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
    key_id_of(token)
    signed, _, signature = token.rpartition(".")
    try:
        _key_of(public_key).verify(_decode(signature), signed.encode("ascii"))
    except (InvalidSignature, ValueError):
        raise refusal("signature") from None
    claims = _read_part(signed.partition(".")[2])
    if any(claims.get(name) is None for name in (*_BASE_CLAIMS, *required)):
        raise refusal("claim_missing")
    if not isinstance(claims["aud"], str) or claims["aud"] != audience:
        raise refusal("audience")
    _check_times(claims)
    if not 0 < claims["exp"] - claims["iat"] <= MAX_LIFETIME:
        raise refusal("too_long_lived")
    if not is_plain(claims["jti"], 8, 64):
        raise refusal("jti")
    return claims


@lru_cache(maxsize=256)
def _key_of(raw: bytes) -> Ed25519PublicKey:
    """Unpack a public key, once: a run's is asked for at each of its values.

    :raises ValueError: it isn't one.
    """
    return Ed25519PublicKey.from_public_bytes(raw)


def _check_times(claims: Mapping[str, Any]) -> None:
    times = (claims["iat"], claims["nbf"], claims["exp"])
    if not all(_is_time(moment) for moment in times):
        raise refusal("times")
    now = time.time()
    if claims["exp"] <= now - LEEWAY:
        raise refusal("expired")
    if claims["nbf"] > now + LEEWAY or claims["iat"] > now + LEEWAY:
        raise refusal("not_yet_valid")


def _is_time(moment: object) -> bool:
    return isinstance(moment, int | float) and type(moment) is not bool and 0 <= moment < 2**53


def _read_part(text: str) -> dict[str, Any]:
    """Read a JSON object: UTF-8, each name once, no NaN and nothing endless.

    :raises TokenRefused: it is anything else.
    """
    try:
        part = _READER.decode(_decode(text).decode("utf-8"))
    except (ValueError, RecursionError):
        raise refusal("unreadable") from None
    if not isinstance(part, dict):
        raise refusal("unreadable")
    return part


def _decode(text: str) -> bytes:
    """Read base64url without padding, in the one way that it can be written.

    :raises ValueError: it is anything else.
    """
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The library passes over foreign characters and left-over bits; written again they show.
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != text.encode():
        raise ValueError("not base64url")
    return raw


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    part = dict(pairs)
    if len(part) != len(pairs):
        raise ValueError("a name twice")
    return part


def _no_constant(_name: str) -> None:
    raise ValueError("not JSON")


_READER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


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
