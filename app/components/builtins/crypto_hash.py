"""``crypto.hash``: the hash of a secret, as text."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from app.components.builtins.crypto_hmac import ENCODINGS, Encoding, encoded
from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType

_SLOW: Final = ("argon2id", "scrypt", "pbkdf2")
#: A quick hash of less is found by trying all values: minutes on one machine.
_LEAST, _DISTINCT = 12, 6
_MEMORY_MIB: Final = 64


def _pbkdf2(value: bytes, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", value, salt, 600_000)  # OWASP, 2023


def _scrypt(value: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(
        value, salt=salt, n=2**15, r=8, p=1, maxmem=_MEMORY_MIB * 2**20, dklen=32
    )


def _argon2id(value: bytes, salt: bytes) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    return hash_secret_raw(value, salt, 3, _MEMORY_MIB * 1024, 1, 32, Type.ID)


_HASHES: Final[Mapping[str, Callable[[bytes, bytes], bytes]]] = {
    "sha256": lambda value, salt: hashlib.sha256(salt + value).digest(),
    "sha512": lambda value, salt: hashlib.sha512(salt + value).digest(),
    "blake2b": lambda value, salt: hashlib.blake2b(salt + value).digest(),
    "pbkdf2": _pbkdf2,
    "scrypt": _scrypt,
    "argon2id": _argon2id,
}


class HashConfig(ComponentConfig):
    """Which hash, and how it is written."""

    algorithm: Literal["sha256", "sha512", "blake2b", "argon2id", "scrypt", "pbkdf2"] = field(
        "sha256",
        label="Algorithm",
        kind="select",
        choices=(
            ("sha256", "SHA-256"), ("sha512", "SHA-512"), ("blake2b", "BLAKE2b"),
            ("argon2id", "Argon2id, slow"), ("scrypt", "scrypt, slow"),
            ("pbkdf2", "PBKDF2-SHA-256, slow"),
        ),
        help="Quick ones are for long random values, such as API keys. For passwords take a slow "
        "one: the quick hash of a password gives it away.",
        rare=True,
    )
    salt: str = field(
        "",
        label="Salt",
        kind="text",
        help="Stands before the value. Slow ones need 8 characters or more, and make a random "
        "salt when it is left empty.",
        max_length=1_024,
        note="is plain text, so it takes no secrets",
    )
    encoding: Encoding = field(
        "hex",
        label="Hash as",
        kind="select",
        choices=ENCODINGS,
        help="How the hash is written.",
        rare=True,
    )


class Hash(Component):
    """Hashes a secret."""

    name = "crypto.hash"
    title = "Hash"
    help = (
        "Hashes a secret and gives out the hash as plain text. A value that can be guessed can be "
        "found from its hash by trying, so quick algorithms refuse short ones. Example: the "
        "SHA-256 of an API key, as a service stores it. A secret with allowed hosts needs the "
        "entry local."
    )
    category = "logic"
    icon = "hash"
    summary = "{algorithm}"
    opens_secrets = True
    examples = (
        Example("Tell keys apart without showing them", secrets={"secret": "api/token"}),
    )
    failures = (
        Failure("salt_too_short", "The salt is too short for that algorithm. Make it longer."),
        Failure("secret_too_weak_to_hash", "A quick hash would give it away. Choose a slow one."),
        Failure("secret_host_denied", "The secret's allowed hosts don't have the entry local."),
    )
    Config = HashConfig
    inputs = (Port("secret", PortType.SECRET, "Secret", required=True, help="What is hashed."),)
    outputs = (
        Port("hash", PortType.TEXT, "Hash", help="Plain text: it is shown in logs and outputs."),
        Port("salt", PortType.TEXT, "Salt", help="The salt that was used; empty without one."),
    )

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the hash and its salt.

        :raises NodeError: ``secret_too_weak_to_hash``, ``salt_too_short``, ``secret_host_denied``.
        """
        config = context.config
        value = context.reveal("secret", "local")
        salt = config.salt
        if config.algorithm in _SLOW:
            salt = salt or secrets.token_hex(16)
            if len(salt.encode()) < 8:
                raise NodeError(
                    "salt_too_short",
                    "The salt has fewer than 8 characters. Write a longer one, or leave it empty.",
                )
        elif len(value) < _LEAST or len(set(value)) < _DISTINCT:
            raise NodeError(
                "secret_too_weak_to_hash",
                f"The secret is so short that its {config.algorithm} hash would give it away. "
                "Choose argon2id, scrypt or pbkdf2, or wire a longer secret.",
            )
        context.cancelled.raise_if_set()
        digest = _HASHES[config.algorithm](value.encode("utf-8", "surrogatepass"), salt.encode())
        return {"hash": encoded(digest, config.encoding), "salt": salt}
