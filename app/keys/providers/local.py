"""KEKs that this process holds: from a key file, an environment variable or a passphrase."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.config import Config
from app.errors import ConfigError
from app.keys.aead import Location, unwrap_key, wrap_key
from app.keys.keyfiles import (
    KEY_BYTES,
    create_key_file,
    find_key_file,
    read_key_file,
    write_key_file,
)
from app.keys.providers.base import Kek, Parameters


def fingerprint(key: bytes) -> str:
    """Return the key check value: tells keys apart, says nothing about one.

    HMAC-SHA256 under the key of a fixed text, 80 bits of it; also the KEK's id.
    """
    tag = hmac.new(key, b"tacit/key-check/v1", hashlib.sha256).hexdigest()
    return f"kek-{tag[:20]}"


@dataclass(frozen=True, slots=True)
class LocalKek:
    """A KEK held in this process.

    :ivar where: where it came from, in words.
    :ivar file: the key file, where it came from one.
    """

    id: str
    key: bytes
    where: str = "key of this process"
    file: Path | None = None

    def wrap(self, location: Location, ciphertext: bytes, dek: bytes) -> bytes:
        """Encrypt a data key."""
        return wrap_key(self.key, self.id, location, ciphertext, dek)

    def unwrap(self, location: Location, ciphertext: bytes, wrapped: bytes) -> bytes:
        """Decrypt a data key; raises :class:`~app.keys.aead.DecryptionFailed`."""
        return unwrap_key(self.key, self.id, location, ciphertext, wrapped)

    def describe(self) -> str:
        """Say in words where the key came from."""
        return self.where

    def health(self) -> None:
        """Nothing can be wrong with a key that is held."""

    def __repr__(self) -> str:
        return f"LocalKek(id={self.id!r})"


class KeyFiles:
    """The default provider: 32 bytes in a file. The first one's path is a setting; those that
    follow lie beside it, named by id.
    """

    def make(self, config: Config, known: Collection[str]) -> tuple[Kek, Parameters]:
        """Take the first key file, or make the next one."""
        first = config.master_key_file
        if not known:
            there = first.exists() or first.is_symlink()
            key = read_key_file(first) if there else create_key_file(first)
            return _from_file(first, key), {}
        kek, _ = create_key_file_by_id(first.parent)
        return kek, {}

    def open(self, config: Config, kek_id: str, parameters: Parameters) -> Kek:
        """Open the file that is named by the id, else the first one."""
        first = config.master_key_file
        path = find_key_file(first, kek_id)
        if path is None:
            raise ConfigError(
                "key_missing",
                f"The key file {first} is missing: this database needs the master key {kek_id}, "
                f"there or as {first.parent}/master-{kek_id}.key. Put it back from its backup; a "
                "new key could not open what is stored.",
            )
        kek = _from_file(path, read_key_file(path))
        if kek.id != kek_id:
            raise _wrong(f"{path} holds {kek.id}", kek_id, "Put the right key file back")
        return kek


class Variable:
    """Keys from ``TACIT_MASTER_KEY``, several of them while one is being replaced."""

    def make(self, config: Config, known: Collection[str]) -> tuple[Kek, Parameters]:
        """Take the first key of the variable that isn't known yet."""
        for kek in self._keks(config):
            if kek.id not in known:
                return kek, {}
        raise ConfigError(
            "key_missing",
            "TACIT_MASTER_KEY holds no new key. Set it to 32 random bytes in base64 (“openssl "
            "rand -base64 32”); beside a key that is in use, put the new one behind a comma.",
        )

    def open(self, config: Config, kek_id: str, parameters: Parameters) -> Kek:
        """Find a key of the variable by its fingerprint."""
        held = list(self._keks(config))
        for kek in held:
            if kek.id == kek_id:
                return kek
        found = ", ".join(kek.id for kek in held) or "nothing"
        raise _wrong(f"TACIT_MASTER_KEY holds {found}", kek_id, "Set the right key")

    @staticmethod
    def _keks(config: Config) -> Iterator[LocalKek]:
        for text in config.keys.variable.lines(b","):
            try:
                key = base64.b64decode(text, validate=True)
            except ValueError:
                key = b""
            if len(key) != KEY_BYTES:
                raise ConfigError(
                    "key_wrong_size",
                    f"A key in TACIT_MASTER_KEY is not {KEY_BYTES} bytes in base64.",
                )
            yield LocalKek(fingerprint(key), key, "environment variable TACIT_MASTER_KEY")


def create_key_file_by_id(folder: Path) -> tuple[LocalKek, Path]:
    """Make a new key in a file that is named by its id."""
    key = secrets.token_bytes(KEY_BYTES)
    path = folder / f"master-{fingerprint(key)}.key"
    write_key_file(path, key)
    return _from_file(path, key), path


def _from_file(path: Path, key: bytes) -> LocalKek:
    return LocalKek(fingerprint(key), key, f"key file {path}", path)


def _wrong(found: str, needed: str, remedy: str) -> ConfigError:
    return ConfigError(
        "key_wrong", f"This database needs the master key {needed}, and {found}. {remedy}."
    )
