"""The vault of a process: the keyring, and the place in the world that values are bound to."""

from __future__ import annotations

import hashlib
import hmac

from sqlalchemy.orm import Session

from app.config import Config
from app.db import Database
from app.errors import Unavailable
from app.ids import new_id
from app.keys.aead import DecryptionFailed, Envelope, Location
from app.keys.installation import get_active_kek_id, open_keyring
from app.keys.keyring import Kek, Keyring
from app.vault.models import SecretBlob


class Vault:
    """Seals values into blobs and opens them again.

    Opening is for :mod:`app.vault.reveal` alone; everyone else only seals. What keys need is
    for :mod:`app.vault.rotation`.
    """

    def __init__(self, deployment_id: str, keyring: Keyring) -> None:
        self._deployment_id = deployment_id
        self._keyring = keyring

    @classmethod
    def open(cls, config: Config, db: Database) -> Vault:
        """Open the master key and check that it is the database's.

        :raises ConfigError: the key is missing, unsafe or another installation's.
        """
        return cls(*open_keyring(config, db))

    @property
    def kek(self) -> Kek:
        """The KEK that new values are sealed under, as far as this process knows."""
        return self._keyring.active

    def find_kek(self, kek_id: str) -> Kek | None:
        """Return a KEK that this process can open; None where it can't."""
        return self._keyring.find(kek_id)

    def seal(
        self, session: Session, environment_id: str, secret_id: str, version: int, value: str
    ) -> SecretBlob:
        """Encrypt a value into a new blob, bound to its place.

        Which KEK is the active one is read in the transaction that stores the blob: another
        process may have rotated it.

        :raises Unavailable: there is no active KEK, or it can't be had.
        """
        blob_id = new_id()
        location = Location(self._deployment_id, environment_id, secret_id, version, blob_id)
        kek_id = get_active_kek_id(session)
        try:
            envelope = self._keyring.seal(location, value.encode(), kek_id)
        except DecryptionFailed:
            raise Unavailable(
                "active_key_missing",
                f"This process can't open the active master key {kek_id}, so nothing can be "
                "sealed. An operator puts the key here, then restarts.",
            ) from None
        return SecretBlob(
            id=blob_id,
            secret_id=secret_id,
            version=version,
            format=envelope.format,
            algorithm=envelope.algorithm,
            nonce=envelope.nonce,
            ciphertext=envelope.ciphertext,
            kek_id=envelope.kek_id,
            wrapped_dek=envelope.wrapped_dek,
        )

    def unseal(self, environment_id: str, secret_id: str, version: int, blob: SecretBlob) -> str:
        """Decrypt a blob as the value of the given place, whatever the blob says of itself.

        :raises Unavailable: ``value_unreadable``: a byte, the place or the key does not fit; or
            the key's provider can't be reached.
        """
        location = Location(self._deployment_id, environment_id, secret_id, version, blob.id)
        try:
            return self._keyring.open(location, _envelope(blob)).decode()
        except DecryptionFailed:
            raise Unavailable(
                "value_unreadable",
                "The stored value can't be opened. An operator finds out why with “tacit doctor”.",
            ) from None

    def verify_hmac(
        self, environment_id: str, secret_id: str, version: int, blob: SecretBlob,
        message: bytes, tag: bytes,
    ) -> bool:
        """Say whether a tag is the HMAC-SHA256 of a message under a stored value.

        The value doesn't leave this method. Callers limit attempts before they come here.

        :raises Unavailable: as for :meth:`unseal`.
        """
        key = self.unseal(environment_id, secret_id, version, blob).encode()
        return hmac.compare_digest(hmac.new(key, message, hashlib.sha256).digest(), tag)

    def opens(self, environment_id: str, blob: SecretBlob) -> bool:
        """Say whether a blob opens where it stands, and let go of the value.

        :raises Unavailable: the key's provider can't be reached.
        """
        try:
            self._keyring.open(self._location(environment_id, blob), _envelope(blob))
        except DecryptionFailed:
            return False
        return True

    def rewrap(self, environment_id: str, blob: SecretBlob, kek_id: str) -> bytes | None:
        """Return a blob's data key wrapped under another KEK; None where the blob doesn't open.

        :raises Unavailable: a key's provider can't be reached.
        """
        location = self._location(environment_id, blob)
        try:
            return self._keyring.rewrap(location, _envelope(blob), kek_id)
        except DecryptionFailed:
            return None

    def _location(self, environment_id: str, blob: SecretBlob) -> Location:
        return Location(
            self._deployment_id, environment_id, blob.secret_id, blob.version, blob.id
        )


def _envelope(blob: SecretBlob) -> Envelope:
    return Envelope(
        blob.format, blob.algorithm, blob.nonce, blob.ciphertext, blob.kek_id, blob.wrapped_dek
    )
