"""The row-MAC and audit keys: files of their own, not derived from the master key.

Held by every process that reads the database, the scheduler included, which never holds the
master key (ARCHITECTURE.md, "Processes").
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from app.config import Config
from app.errors import ConfigError
from app.ids import iso
from app.keys.aead import encode_field, encode_fields
from app.keys.keyfiles import read_key_file


def seal_files(home: Path) -> tuple[Path, Path]:
    """Return the paths of the row-MAC key and the audit key that are in use."""
    return home / "keys" / "row-mac.key", home / "keys" / "audit.key"


def older_files(current: Path) -> list[Path]:
    """Return the files of keys that were in use before and are still accepted."""
    return sorted(current.parent.glob(f"{current.stem}-*.key"))


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    """Keys of one kind, by id: the one in use, and older ones that still check."""

    current: str
    by_id: Mapping[str, bytes]
    known_good: dict[Any, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, key: bytes, *older: bytes) -> _Keys:
        return cls(key_id(key), {key_id(one): one for one in (*older, key)})

    @classmethod
    def read(cls, file: Path) -> _Keys:
        older = []
        for path in older_files(file):
            try:
                older.append(read_key_file(path))
            except ConfigError:
                # One that went away meanwhile was retired.
                if path.exists():
                    raise
        return cls.of(read_key_file(file), *older)


class Seals:
    """MACs over rows and over the audit chain.

    Keys are replaced while processes run (:mod:`app.keys.resealing`): before something is sealed,
    the folder is looked at, which costs three calls of ``stat``.

    :param home: where the key files are; None for keys that stay as they are.
    """

    def __init__(self, row_key: bytes, audit_key: bytes, home: Path | None = None) -> None:
        self._rows, self._audits = _Keys.of(row_key), _Keys.of(audit_key)
        self._home = home
        self._looked_at: list[str] = []
        if home is not None:
            row, audit = seal_files(home)
            # As text: paths would be put together anew at each look, for five times its cost.
            self._looked_at = [str(row), str(audit), str(row.parent)]
        self._stamp: tuple[int, ...] = ()

    @classmethod
    def open(cls, config: Config) -> Seals:
        """Read the key files.

        :raises ConfigError: one is missing or unsafe.
        """
        row, audit = seal_files(config.home)
        seals = cls(read_key_file(row), read_key_file(audit), config.home)
        seals.refresh()
        return seals

    def refresh(self) -> None:
        """Take up keys that were added, replaced or retired since the last look."""
        if self._home is None:
            return
        found = [os.stat(path) for path in self._looked_at]  # noqa: PTH116
        stamp = tuple([number for one in found for number in (one.st_ino, one.st_mtime_ns)])
        if stamp != self._stamp:
            row, audit = seal_files(self._home)
            self._rows, self._audits = _Keys.read(row), _Keys.read(audit)
            self._stamp = stamp

    @property
    def row_key_id(self) -> str:
        """Tells row-MAC keys apart; this is the one that seals."""
        self.refresh()
        return self._rows.current

    @property
    def row_key_ids(self) -> list[str]:
        """The row-MAC keys that are accepted, the one that seals last."""
        self.refresh()
        return list(self._rows.by_id)

    @property
    def known_good(self) -> dict[Any, Any]:
        """What was read of rows whose MAC held, by all that was read; empty with other keys."""
        return self._rows.known_good

    @property
    def audit_key_id(self) -> str:
        """Tells audit keys apart; this is the one that links."""
        self.refresh()
        return self._audits.current

    @property
    def audit_key_ids(self) -> list[str]:
        """The audit keys that are held, the one that links last."""
        self.refresh()
        return list(self._audits.by_id)

    def mac_row(self, kind: str, fields: Mapping[str, Any]) -> tuple[str, bytes]:
        """Return the key id and the HMAC-SHA256 over a row's deciding fields."""
        self.refresh()
        keys = self._rows
        return keys.current, _mac_row(keys.by_id[keys.current], kind, fields)

    def row_is_sealed(
        self, kind: str, fields: Mapping[str, Any], key_id: str | None, mac: bytes | None
    ) -> bool:
        """Say whether a row's MAC holds, in constant time."""
        if key_id not in self._rows.by_id:
            self.refresh()
        key = self._rows.by_id.get(key_id or "")
        return (
            key is not None
            and mac is not None
            and hmac.compare_digest(mac, _mac_row(key, kind, fields))
        )

    def mac_audit(
        self, previous: bytes, event: Mapping[str, Any], key_id: str | None = None
    ) -> bytes:
        """Return the link of the audit chain: HMAC over the link before it and the event.

        :param key_id: the key that the event was linked with; None for the one that it names, or
            else the present one.
        :raises KeyError: that key is not held.
        """
        wanted = key_id or event.get("key_id") or self.audit_key_id
        if wanted not in self._audits.by_id:
            self.refresh()
        message = encode_fields("tacit/audit", previous, _json(event))
        return hmac.digest(self._audits.by_id[wanted], message, "sha256")

    def sign_checkpoint(self, body: str) -> str:
        """Return the HMAC of a checkpoint's text, in hex."""
        self.refresh()
        return _sign(self._audits.by_id[self._audits.current], body)

    def checkpoint_is_signed(self, body: str, signature: str) -> bool:
        """Say whether a checkpoint was signed here, with the present key or an older one."""
        self.refresh()
        good = [
            hmac.compare_digest(_sign(key, body), signature)
            for key in self._audits.by_id.values()
        ]
        return any(good)


def key_id(key: bytes) -> str:
    """Return what tells MAC keys apart and says nothing about one: 64 bits of an HMAC."""
    return hmac.new(key, b"tacit/mac-key/v1", hashlib.sha256).hexdigest()[:16]


def _mac_row(key: bytes, kind: str, fields: Mapping[str, Any]) -> bytes:
    parts = [_known("tacit/row"), _known(kind)]
    for name, value in fields.items():
        parts += (_known(name), encode_field(_text(value).encode()))
    return hmac.digest(key, b"".join(parts), "sha256")


@cache
def _known(name: str) -> bytes:
    """Encode the name of a table or column; there are only so many."""
    return encode_field(name.encode())


def _sign(key: bytes, body: str) -> str:
    return hmac.new(key, encode_fields("tacit/checkpoint", body), hashlib.sha256).hexdigest()


def _text(value: Any) -> str:
    """Write a column's value so that equal values, and only those, have equal texts."""
    if isinstance(value, str):
        return "j:" + encode_basestring(value)
    if isinstance(value, datetime):
        return f"t:{iso(value)}"
    if isinstance(value, bytes):
        return f"b:{value.hex()}"
    return "j:" + _json(value)


# One encoder for all: json.dumps makes a new one for each call that isn't its default.
_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
