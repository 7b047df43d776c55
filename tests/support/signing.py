"""Service tokens made by the tests themselves, right or wrong in any one claim."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.ids import new_id


class _Absent:
    """Stands for a claim that is left out; its repr is the same in every process."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""In place of a claim's value: the claim is left out."""


def claims_of(issuer: object, subject: object, audience: object, **more: Any) -> dict[str, Any]:
    """Return the claims of a token that is good for a minute, with additions and changes."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + 50,
        "jti": new_id(), **more,
    }
    return {name: value for name, value in claims.items() if value is not ABSENT}


def sign(key: Ed25519PrivateKey, kid: str, claims: dict[str, Any]) -> str:
    """Sign claims as they are: nothing is checked."""
    # PyJWT's encoder refuses an issuer that isn't text, which the tests send too.
    header = {"alg": "EdDSA", "kid": kid, "typ": "JWT"}
    signer = jwt.PyJWS()
    return signer.encode(json.dumps(claims).encode(), key, "EdDSA", headers=header)


def read_private_key(text: str) -> Ed25519PrivateKey:
    """Read a private key as a worker's key file holds it."""
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(text + "=="))


def public_text(key: Ed25519PrivateKey) -> str:
    """Write a public key as a claim ticket holds it."""
    raw = key.public_key().public_bytes_raw()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

