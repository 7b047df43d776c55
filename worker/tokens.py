"""Keys and signed tokens of the worker: EdDSA JWTs (RFC 8037, RFC 8725).

The only module of the worker that imports ``cryptography``. The parent holds the enrolled key;
a run's process holds a key of its own, made for one claim.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.errors import ConfigError

LIFETIME = 60
"""Seconds from ``iat`` to ``exp``: the longest that the server takes."""
BACKDATE = 2
"""Seconds that ``nbf`` lies before ``iat``, for clocks that differ by a rounding."""


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class Signer:
    """An Ed25519 key that signs tokens.

    :param key_id: ``kid`` and ``iss`` of the tokens; a claim gives a run's key its id.
    :param worker_id: ``sub`` of the tokens.
    """

    def __init__(self, key: Ed25519PrivateKey, key_id: str, worker_id: str) -> None:
        self._key = key
        self.key_id = key_id
        self.worker_id = worker_id

    @classmethod
    def generate(cls) -> Signer:
        """Make a fresh key; it signs nothing before a claim has named it."""
        return cls(Ed25519PrivateKey.generate(), "", "")

    @property
    def public(self) -> str:
        """The raw public key, base64url without padding."""
        return encode(self._key.public_key().public_bytes_raw())

    def sign(self, audience: str, claims: Mapping[str, Any], *, now: float | None = None) -> str:
        """Return a token for ``audience``.

        :param now: the server's time, as far as it is known; Unix seconds.
        """
        issued = int(time.time() if now is None else now)
        header = {"alg": "EdDSA", "kid": self.key_id, "typ": "JWT"}
        payload = {
            "iss": self.key_id, "sub": self.worker_id, "aud": audience, **claims,
            "iat": issued, "nbf": issued - BACKDATE, "exp": issued + LIFETIME,
            "jti": encode(os.urandom(18)),
        }
        signed = ".".join(encode(json.dumps(part).encode()) for part in (header, payload))
        return f"{signed}.{encode(self._key.sign(signed.encode('ascii')))}"

    def __repr__(self) -> str:
        return f"<Signer {self.key_id or 'not claimed yet'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Signer can't be pickled")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this worker is: what ``TACIT_WORKER_KEY_FILE`` holds."""

    worker_id: str
    name: str
    signer: Signer


def load_identity(path: Path) -> Identity:
    """Read the enrolled key.

    :raises ConfigError: the file is missing, a link, open to others, or not a worker key.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            "worker_key_unreadable",
            f"The worker's key file {path} can't be opened: {error.strerror}. Enrol this worker "
            "and set TACIT_WORKER_KEY_FILE to the file that it gives.",
        ) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
            raise ConfigError(
                "worker_key_open",
                f"The worker's key file {path} has to be a regular file that only its owner can "
                f"read. Run: chmod 600 {path}",
            )
        text = os.read(descriptor, 65_536)
    finally:
        os.close(descriptor)
    try:
        document = json.loads(text)
        raw = base64.urlsafe_b64decode(document["private_key"] + "==")
        key = Ed25519PrivateKey.from_private_bytes(raw)
        worker, key_id = str(document["worker_id"]), str(document["key_id"])
        return Identity(worker, str(document.get("name") or worker), Signer(key, key_id, worker))
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            "worker_key_invalid",
            f"The file {path} isn't a worker key. Enrol this worker again and use the new file.",
        ) from None
