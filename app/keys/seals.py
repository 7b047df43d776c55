"""The row-MAC and audit keys: files of their own, not derived from the master key.

Held by every process that reads the database, the scheduler included, which never holds the
master key (ARCHITECTURE.md, "Processes").
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.config import Config
from app.ids import iso
from app.keys.aead import encode_fields
from app.keys.keyfiles import read_key_file


def seal_files(home: Path) -> tuple[Path, Path]:
    """Return the paths of the row-MAC key and the audit key."""
    return home / "keys" / "row-mac.key", home / "keys" / "audit.key"


@dataclass(frozen=True, slots=True, repr=False)
class Seals:
    """MACs over rows and over the audit chain."""

    row_key: bytes
    audit_key: bytes

    @classmethod
    def open(cls, config: Config) -> Seals:
        """Read both key files.

        :raises ConfigError: one is missing or unsafe.
        """
        row, audit = seal_files(config.home)
        return cls(read_key_file(row), read_key_file(audit))

    @property
    def row_key_id(self) -> str:
        """Tells row-MAC keys apart."""
        return _key_id(self.row_key)

    @property
    def audit_key_id(self) -> str:
        """Tells audit keys apart."""
        return _key_id(self.audit_key)

    def mac_row(self, kind: str, fields: Mapping[str, Any]) -> tuple[str, bytes]:
        """Return the key id and the HMAC-SHA256 over a row's deciding fields."""
        parts: list[str] = ["tacit/row", kind]
        for name, value in fields.items():
            parts += [name, _text(value)]
        tag = hmac.new(self.row_key, encode_fields(*parts), hashlib.sha256).digest()
        return self.row_key_id, tag

    def row_is_sealed(
        self, kind: str, fields: Mapping[str, Any], key_id: str | None, mac: bytes | None
    ) -> bool:
        """Say whether a row's MAC holds, in constant time."""
        expected_id, expected = self.mac_row(kind, fields)
        return key_id == expected_id and mac is not None and hmac.compare_digest(mac, expected)

    def mac_audit(
        self, previous: bytes, event: Mapping[str, Any], key_id: str | None = None
    ) -> bytes:
        """Return the link of the audit chain: HMAC over the link before it and the event.

        :param key_id: the key that the event was linked with; None for the present one.
        :raises KeyError: that key is not held any more.
        """
        if key_id is not None and key_id != self.audit_key_id:
            raise KeyError(key_id)
        body = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        message = encode_fields("tacit/audit", previous, body)
        return hmac.new(self.audit_key, message, hashlib.sha256).digest()

    def sign_checkpoint(self, body: str) -> str:
        """Return the HMAC of a checkpoint's text, in hex."""
        return hmac.new(
            self.audit_key, encode_fields("tacit/checkpoint", body), hashlib.sha256
        ).hexdigest()


def _key_id(key: bytes) -> str:
    return hmac.new(key, b"tacit/mac-key/v1", hashlib.sha256).hexdigest()[:16]


def _text(value: Any) -> str:
    """Write a column's value so that equal values, and only those, have equal texts."""
    if isinstance(value, datetime):
        return f"t:{iso(value)}"
    if isinstance(value, bytes):
        return f"b:{value.hex()}"
    return "j:" + json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
