"""KEKs derived from a passphrase with Argon2id (RFC 9106)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection

from argon2.low_level import Type, hash_secret_raw

from app.config import Config
from app.errors import ConfigError
from app.keys.keyfiles import KEY_BYTES, read_private_file
from app.keys.providers.base import Kek, Parameters
from app.keys.providers.local import LocalKek, fingerprint

LEAST = 16
"""Characters that a passphrase must have: whoever holds the database can try them offline."""

COST = {"time": 3, "memory": 256 * 1024, "lanes": 4}
"""Argon2id's passes, KiB and lanes for new keys; about half a second, once a start."""

_CEILING = {"time": 20, "memory": 2 * 1024 * 1024, "lanes": 16}


class Passphrase:
    """Passphrases from ``TACIT_PASSPHRASE``, or from the lines of a file."""

    def make(self, config: Config, known: Collection[str]) -> tuple[Kek, Parameters]:
        """Derive a KEK from the last passphrase, with a salt of its own."""
        phrases = _phrases(config)
        if not phrases:
            raise _missing("a new master key")
        if len(phrases[-1].decode(errors="replace")) < LEAST:
            raise ConfigError(
                "passphrase_short",
                f"The passphrase must have at least {LEAST} characters: choose six random words "
                "or more.",
            )
        salt = secrets.token_bytes(16)
        parameters = {"salt": base64.b64encode(salt).decode(), **COST}
        return _derive(phrases[-1], parameters), parameters

    def open(self, config: Config, kek_id: str, parameters: Parameters) -> Kek:
        """Try the passphrases until one gives the KEK of that id."""
        phrases = _phrases(config)
        if not phrases:
            raise _missing(f"the master key {kek_id}")
        for phrase in reversed(phrases):
            kek = _derive(phrase, parameters)
            if kek.id == kek_id:
                return kek
        raise ConfigError(
            "key_wrong",
            f"The passphrase does not give the master key {kek_id}, which this database needs. "
            "Set the right passphrase.",
        )


def _phrases(config: Config) -> list[bytes]:
    if config.keys.passphrase_file is not None:
        content = read_private_file(config.keys.passphrase_file, 4096)
        return [line.strip() for line in content.splitlines() if line.strip()]
    return config.keys.passphrase.lines()


def _derive(phrase: bytes, parameters: Parameters) -> LocalKek:
    for name, most in _CEILING.items():
        if not 1 <= int(parameters[name]) <= most:
            raise ConfigError(
                "key_parameters", f"The stored parameter “{name}” of the passphrase is not usable."
            )
    key = hash_secret_raw(
        phrase,
        base64.b64decode(parameters["salt"]),
        time_cost=parameters["time"],
        memory_cost=parameters["memory"],
        parallelism=parameters["lanes"],
        hash_len=KEY_BYTES,
        type=Type.ID,
    )
    return LocalKek(fingerprint(key), key, "passphrase")


def _missing(what: str) -> ConfigError:
    return ConfigError(
        "key_missing",
        f"There is no passphrase for {what}. Set TACIT_PASSPHRASE, or TACIT_PASSPHRASE_FILE to a "
        "file with one a line.",
    )
