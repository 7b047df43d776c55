"""What a key provider is: it makes KEKs for the installation, and opens them again."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from app.config import Config
from app.errors import ConfigError
from app.keys.aead import DecryptionFailed, Location

Parameters = Mapping[str, Any]
"""What a provider has to know to open a KEK again: stored beside its id, never secret."""


class Kek(Protocol):
    """A key encryption key: held in this process, or far away behind an interface."""

    @property
    def id(self) -> str:
        """Tells it apart from every other KEK."""

    @property
    def file(self) -> Path | None:
        """The key file, for keys that lie in one."""

    def wrap(self, location: Location, ciphertext: bytes, dek: bytes) -> bytes:
        """Encrypt a data key, bound to its place and to the ciphertext that it opens.

        :raises Unavailable: the provider can't be reached or refuses.
        """

    def unwrap(self, location: Location, ciphertext: bytes, wrapped: bytes) -> bytes:
        """Decrypt a data key.

        :raises DecryptionFailed: anything does not fit.
        :raises Unavailable: the provider can't be reached or refuses.
        """

    def describe(self) -> str:
        """Say in words where the key is."""

    def health(self) -> None:
        """Try the key.

        :raises Unavailable: the provider can't be reached or refuses.
        """


class Provider(Protocol):
    """A kind of place where KEKs come from."""

    def make(self, config: Config, known: Collection[str]) -> tuple[Kek, Parameters]:
        """Return a KEK that the installation hasn't had yet, and how to open it again.

        :param known: ids of the KEKs that it has or had.
        :raises ConfigError: there is none to be had; says what to set.
        """

    def open(self, config: Config, kek_id: str, parameters: Parameters) -> Kek:
        """Open a KEK by its id.

        :raises ConfigError: its key is missing, wrong or unsafe; names the id that is needed.
        """


_CHECK_PLACE = Location("key-check", "", "", 0, "")


def new_id(prefix: str) -> str:
    """Return an id for a KEK whose key never comes here, so that it has no fingerprint."""
    return f"{prefix}-{secrets.token_hex(10)}"


def make_check(kek: Kek) -> str:
    """Return the key check value of a remote KEK: a wrapped text that only it unwraps."""
    return base64.b64encode(kek.wrap(_CHECK_PLACE, b"", bytes(32))).decode()


def verify_check(kek: Kek, check: str) -> None:
    """Try a remote KEK on its key check value.

    :raises ConfigError: ``key_wrong``: it is another key.
    """
    try:
        kek.unwrap(_CHECK_PLACE, b"", base64.b64decode(check))
    except (DecryptionFailed, ValueError):
        raise ConfigError(
            "key_wrong",
            f"The {kek.describe()} is not the master key of this database, which needs {kek.id}. "
            "Set the key that wrapped its values.",
        ) from None
