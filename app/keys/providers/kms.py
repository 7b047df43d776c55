"""KEKs in AWS KMS: wrapped there, with the place of the value as encryption context.

The key never leaves KMS. Each seal and each open is one call, and CloudTrail shows it with its
context, which holds ids only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from app.config import Config
from app.errors import ConfigError, Unavailable
from app.keys.aead import DecryptionFailed, Location
from app.keys.providers.base import Kek, Parameters, make_check, new_id, verify_check

_NOT_THIS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


@dataclass(frozen=True, slots=True)
class KmsKek:
    """A symmetric key of AWS KMS.

    :ivar client: boto3's KMS client, which threads may share.
    """

    id: str
    key: str
    client: Any

    @property
    def file(self) -> None:
        """The key lies in no file."""

    def wrap(self, location: Location, ciphertext: bytes, dek: bytes) -> bytes:
        """Encrypt a data key (kms:Encrypt)."""
        context = self._context(location, ciphertext)
        answer = self._call("encrypt", Plaintext=dek, EncryptionContext=context)
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, location: Location, ciphertext: bytes, wrapped: bytes) -> bytes:
        """Decrypt a data key (kms:Decrypt)."""
        context = self._context(location, ciphertext)
        answer = self._call("decrypt", CiphertextBlob=wrapped, EncryptionContext=context)
        return bytes(answer["Plaintext"])

    def describe(self) -> str:
        """Name the key."""
        return f"AWS KMS key {self.key}"

    def health(self) -> None:
        """Encrypt nothing, to see whether KMS answers and lets us."""
        self._call("encrypt", Plaintext=b"0", EncryptionContext={"tacit": "health"})

    def _context(self, location: Location, ciphertext: bytes) -> dict[str, str]:
        names = ("deployment", "environment", "secret", "version", "blob")
        fields = dict(zip(names, location.fields(), strict=True))
        # KMS takes no empty values.
        return {name: value for name, value in fields.items() if value} | {
            "tacit": "wrap", "kek": self.id, "sha256": hashlib.sha256(ciphertext).hexdigest(),
        }

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.client, operation)(KeyId=self.key, **arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            if operation == "decrypt" and code in _NOT_THIS:
                raise DecryptionFailed from None
            raise Unavailable(
                "key_provider_refuses",
                f"AWS KMS refuses to {operation} with {self.key} ({code}). Check the key's state "
                "and the rights of Tacit's role (kms:Encrypt, kms:Decrypt).",
            ) from None
        except BotoCoreError as error:
            raise Unavailable(
                "key_provider_unreachable",
                f"AWS KMS can't be reached ({type(error).__name__}), so no value can be opened or "
                "stored. Check region, credentials, network and TACIT_KMS_ENDPOINT.",
            ) from None


class AwsKms:
    """Keys of AWS KMS; credentials and region come from AWS's own settings."""

    def make(self, config: Config, known: Collection[str]) -> tuple[Kek, Parameters]:
        """Take the key that ``TACIT_KMS_KEY`` names."""
        if not config.keys.kms_key:
            raise ConfigError(
                "key_missing", "TACIT_KMS_KEY is not set: name a symmetric key of AWS KMS."
            )
        kek = KmsKek(new_id("kms"), config.keys.kms_key, _client(config))
        return kek, {"key": kek.key, "check": make_check(kek)}

    def open(self, config: Config, kek_id: str, parameters: Parameters) -> Kek:
        """Open the key that the parameters name, and try it."""
        kek = KmsKek(kek_id, parameters["key"], _client(config))
        verify_check(kek, parameters["check"])
        return kek


def _client(config: Config) -> Any:
    # Loaded only where it is used: it takes longer than the rest of a start.
    import boto3
    from botocore.config import Config as BotoConfig
    from botocore.exceptions import BotoCoreError

    timeouts = BotoConfig(
        connect_timeout=3, read_timeout=5, max_pool_connections=32,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    try:
        return boto3.client("kms", endpoint_url=config.keys.kms_endpoint, config=timeouts)
    except BotoCoreError as error:
        raise ConfigError(
            "key_provider_settings",
            f"AWS KMS can't be set up ({type(error).__name__}): set AWS_REGION, and credentials "
            "the way AWS documents.",
        ) from None
