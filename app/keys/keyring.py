"""The keyring: the KEKs of an installation, and the envelopes sealed and opened under them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping

from app.keys.aead import (
    ALGORITHM,
    FORMAT,
    DecryptionFailed,
    Envelope,
    Location,
    open_payload,
    seal_payload,
)
from app.keys.providers import Kek, LocalKek, fingerprint


class Keyring:
    """Seals under the active KEK, opens under whichever KEK wrapped the data key.

    :param load: opens a KEK that isn't held yet, by its id, or returns None: keys may be added
        by another process while this one runs.
    """

    def __init__(
        self,
        active: Kek,
        others: Mapping[str, Kek] | None = None,
        load: Callable[[str], Kek | None] | None = None,
    ) -> None:
        self._active = active
        self._keks: dict[str, Kek] = {active.id: active, **(others or {})}
        self._load = load
        self._lock = threading.Lock()

    @property
    def active(self) -> Kek:
        """The KEK that wrapped the last value that was sealed here."""
        return self._active

    @property
    def active_id(self) -> str:
        """The id of :attr:`active`."""
        return self._active.id

    def find(self, kek_id: str) -> Kek | None:
        """Return a KEK by its id, opened now if need be; None where there is none of it."""
        found = self._keks.get(kek_id)
        if found is None and self._load is not None:
            with self._lock:
                found = self._keks.get(kek_id) or self._load(kek_id)
                if found is not None:
                    self._keks[kek_id] = found
        return found

    def seal(self, location: Location, plaintext: bytes, kek_id: str | None = None) -> Envelope:
        """Encrypt a value under a data key of its own.

        :param kek_id: the KEK that is the active one now, as the database says; None for the
            one that was before.
        :raises DecryptionFailed: that KEK can't be had here.
        """
        if kek_id is not None and kek_id != self._active.id:
            newer = self.find(kek_id)
            if newer is None:
                raise DecryptionFailed
            self._active = newer
        kek = self._active
        dek = bytearray(secrets.token_bytes(32))
        try:
            nonce, ciphertext = seal_payload(dek, location, plaintext)
            wrapped = kek.wrap(location, ciphertext, bytes(dek))
        finally:
            dek[:] = bytes(32)
        return Envelope(FORMAT, ALGORITHM, nonce, ciphertext, kek.id, wrapped)

    def open(self, location: Location, envelope: Envelope) -> bytes:
        """Decrypt a value.

        :raises DecryptionFailed: a byte, the place or the key does not fit.
        :raises Unavailable: the KEK's provider can't be reached.
        """
        dek = self._unwrap(location, envelope)
        try:
            return open_payload(dek, location, envelope)
        finally:
            dek[:] = bytes(len(dek))

    def rewrap(self, location: Location, envelope: Envelope, kek_id: str) -> bytes:
        """Return the data key of an envelope, wrapped under another KEK; the value stays shut.

        :raises DecryptionFailed: a byte, the place or a key does not fit.
        :raises Unavailable: a KEK's provider can't be reached.
        """
        target = self.find(kek_id)
        if target is None:
            raise DecryptionFailed
        dek = self._unwrap(location, envelope)
        try:
            return target.wrap(location, envelope.ciphertext, bytes(dek))
        finally:
            dek[:] = bytes(len(dek))

    def _unwrap(self, location: Location, envelope: Envelope) -> bytearray:
        if envelope.format != FORMAT or envelope.algorithm != ALGORITHM:
            raise DecryptionFailed
        kek = self.find(envelope.kek_id)
        if kek is None:
            raise DecryptionFailed
        return bytearray(kek.unwrap(location, envelope.ciphertext, envelope.wrapped_dek))


__all__ = ["Kek", "Keyring", "LocalKek", "fingerprint"]
