"""Envelope encryption of one value: AES-256-GCM under a data key, the data key under a KEK.

SECURITY.md, section 1; NIST SP 800-38D for the nonces. Associated data is length-prefixed, so
that no two field lists share an encoding.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT = 1
ALGORITHM = "A256GCM"
NONCE_BYTES = 12


class DecryptionFailed(Exception):
    """The one answer to every failed decryption; which check failed is nobody's business."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a ciphertext belongs. Names and tags change, so they are never part of it."""

    deployment_id: str
    environment_id: str
    secret_id: str
    version: int
    blob_id: str

    def fields(self) -> tuple[str, ...]:
        """The location as text fields, in their fixed order."""
        return (
            self.deployment_id, self.environment_id, self.secret_id, str(self.version),
            self.blob_id,
        )


@dataclass(frozen=True, slots=True)
class Envelope:
    """A sealed value: everything that is stored of it."""

    format: int
    algorithm: str
    nonce: bytes
    ciphertext: bytes
    kek_id: str
    wrapped_dek: bytes


def encode_fields(*fields: str | bytes) -> bytes:
    """Join fields so that the list can be told from the bytes: each behind its length (u32)."""
    return b"".join(
        [encode_field(field.encode() if isinstance(field, str) else field) for field in fields]
    )


def encode_field(data: bytes) -> bytes:
    """Return one field as :func:`encode_fields` joins them."""
    return _length(len(data)) + data


_length = struct.Struct(">I").pack


def seal_payload(
    dek: bytes | bytearray, location: Location, plaintext: bytes
) -> tuple[bytes, bytes]:
    """Encrypt a value under a data key that is used this once; returns nonce and ciphertext."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce, AESGCM(dek).encrypt(nonce, plaintext, _payload_data(FORMAT, ALGORITHM, location))


def open_payload(dek: bytes | bytearray, location: Location, envelope: Envelope) -> bytes:
    """Decrypt a value.

    :raises DecryptionFailed: anything does not fit.
    """
    data = _payload_data(envelope.format, envelope.algorithm, location)
    return _decrypt(dek, envelope.nonce, envelope.ciphertext, data)


def wrap_key(kek: bytes, kek_id: str, location: Location, ciphertext: bytes, dek: bytes) -> bytes:
    """Encrypt a data key under a KEK, bound to its place and to the ciphertext that it opens."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(kek).encrypt(nonce, dek, wrap_data(kek_id, location, ciphertext))


def unwrap_key(
    kek: bytes, kek_id: str, location: Location, ciphertext: bytes, wrapped: bytes
) -> bytes:
    """Decrypt a data key.

    :raises DecryptionFailed: anything does not fit.
    """
    data = wrap_data(kek_id, location, ciphertext)
    return _decrypt(kek, wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], data)


def _payload_data(format_: int, algorithm: str, location: Location) -> bytes:
    return encode_fields("tacit/payload", str(format_), algorithm, *location.fields())


def wrap_data(kek_id: str, location: Location, ciphertext: bytes) -> bytes:
    """Return what a wrapped data key is bound to: KEK, place, and the ciphertext it opens."""
    digest = hashlib.sha256(ciphertext).digest()
    return encode_fields("tacit/wrap", ALGORITHM, kek_id, *location.fields(), digest)


def _decrypt(key: bytes | bytearray, nonce: bytes, ciphertext: bytes, data: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, data)
    except (InvalidTag, ValueError):
        raise DecryptionFailed from None
