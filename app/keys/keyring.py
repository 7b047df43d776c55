"""The keyring: the KEKs of an installation, and the envelopes sealed and opened under them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from app.keys.aead import (
    ALGORITHM,
    FORMAT,
    DecryptionFailed,
    Envelope,
    Location,
    open_payload,
    seal_payload,
    unwrap_key,
    wrap_key,
)


def fingerprint(key: bytes) -> str:
    """Return the key check value: tells keys apart, says nothing about one.

    HMAC-SHA256 under the key of a fixed text, 80 bits of it; also the KEK's id.
    """
    tag = hmac.new(key, b"tacit/key-check/v1", hashlib.sha256).hexdigest()
    return f"kek-{tag[:20]}"


@dataclass(frozen=True, slots=True)
class KeyFileKek:
    """A KEK held in this process, as the key-file provider gives it."""

    id: str
    key: bytes

    def wrap(self, location: Location, ciphertext: bytes, dek: bytes) -> bytes:
        """Encrypt a data key."""
        return wrap_key(self.key, self.id, location, ciphertext, dek)

    def unwrap(self, location: Location, ciphertext: bytes, wrapped: bytes) -> bytes:
        """Decrypt a data key; raises :class:`DecryptionFailed`."""
        return unwrap_key(self.key, self.id, location, ciphertext, wrapped)

    def __repr__(self) -> str:
        return f"KeyFileKek(id={self.id!r})"


class Keyring:
    """Seals under the active KEK, opens under whichever KEK wrapped the data key."""

    def __init__(self, active: KeyFileKek, others: Mapping[str, KeyFileKek] | None = None) -> None:
        self._active = active
        self._keks = {active.id: active, **(others or {})}

    @property
    def active_id(self) -> str:
        """The fingerprint of the KEK that wraps new data keys."""
        return self._active.id

    def seal(self, location: Location, plaintext: bytes) -> Envelope:
        """Encrypt a value under a data key of its own."""
        dek = secrets.token_bytes(32)
        nonce, ciphertext = seal_payload(dek, location, plaintext)
        wrapped = self._active.wrap(location, ciphertext, dek)
        return Envelope(FORMAT, ALGORITHM, nonce, ciphertext, self._active.id, wrapped)

    def open(self, location: Location, envelope: Envelope) -> bytes:
        """Decrypt a value.

        :raises DecryptionFailed: a byte, the place or the key does not fit.
        """
        kek = self._keks.get(envelope.kek_id)
        if kek is None or envelope.format != FORMAT or envelope.algorithm != ALGORITHM:
            raise DecryptionFailed
        dek = kek.unwrap(location, envelope.ciphertext, envelope.wrapped_dek)
        return open_payload(dek, location, envelope)
