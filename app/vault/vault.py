"""The vault of a process: the keyring, and the place in the world that values are bound to."""

from __future__ import annotations

from app.config import Config
from app.db import Database
from app.errors import Unavailable
from app.ids import new_id
from app.keys.aead import DecryptionFailed, Envelope, Location
from app.keys.installation import open_keyring
from app.keys.keyring import Keyring
from app.vault.models import SecretBlob


class Vault:
    """Seals values into blobs and opens them again.

    Opening is for :mod:`app.vault.reveal` alone; everyone else only seals.
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
    def active_kek_id(self) -> str:
        """The fingerprint of the KEK that new values are sealed under."""
        return self._keyring.active_id

    def seal(self, environment_id: str, secret_id: str, version: int, value: str) -> SecretBlob:
        """Encrypt a value into a new blob, bound to its place."""
        blob_id = new_id()
        location = Location(self._deployment_id, environment_id, secret_id, version, blob_id)
        envelope = self._keyring.seal(location, value.encode())
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

        :raises Unavailable: ``value_unreadable``: a byte, the place or the key does not fit.
        """
        location = Location(self._deployment_id, environment_id, secret_id, version, blob.id)
        envelope = Envelope(
            blob.format, blob.algorithm, blob.nonce, blob.ciphertext, blob.kek_id,
            blob.wrapped_dek,
        )
        try:
            return self._keyring.open(location, envelope).decode()
        except DecryptionFailed:
            raise Unavailable(
                "value_unreadable",
                "The stored value can't be opened. An operator finds out why with “tacit doctor”.",
            ) from None
