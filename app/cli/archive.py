"""The file of a backup: a tar of ``manifest.json`` and ``tacit.db``, and never a key."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from app.errors import Invalid

FORMAT = "tacit.backup"
MANIFEST, DATABASE = "manifest.json", "tacit.db"
_BLOCK = 1024 * 1024
_MANIFEST_LIMIT = 1024 * 1024


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database while others write it: the copy is of one moment.

    In one step, under one reading transaction: a copy in steps would begin anew with each write
    of another process.
    """
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=30)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)
        writing.execute("pragma journal_mode=delete")


def pack(file: Path, database: Path, manifest: Mapping[str, Any]) -> None:
    """Write the archive: whole and durable under its name, or not there."""
    unnamed = file.with_name(f".{file.name}.part")
    manifest = {
        **manifest,
        "format": FORMAT,
        "version": 1,
        "database": {"size": database.stat().st_size, "sha256": checksum(database)},
    }
    text = json.dumps(manifest, indent=2).encode() + b"\n"
    try:
        with private_file(unnamed) as output:
            with tarfile.open(fileobj=output, mode="w") as archive:
                for name, size, content in (
                    (MANIFEST, len(text), io.BytesIO(text)),
                    (DATABASE, database.stat().st_size, database.open("rb")),
                ):
                    with content as opened:
                        member = tarfile.TarInfo(name)
                        member.size, member.mode = size, 0o600
                        archive.addfile(member, opened)
        os.link(unnamed, file)
    finally:
        unnamed.unlink(missing_ok=True)


def unpack(file: Path, database: Path) -> dict[str, Any]:
    """Write the database of an archive to a new file and return the manifest.

    :raises Invalid: ``backup_unreadable``: it isn't a backup, or it is damaged.
    """
    try:
        with tarfile.open(file, mode="r:") as archive:
            manifest = json.loads(_member(archive, MANIFEST, _MANIFEST_LIMIT).read())
            if manifest["format"] != FORMAT or manifest["version"] != 1:
                raise ValueError("format")
            expected = manifest["database"]
            content = _member(archive, DATABASE, expected["size"])
            with private_file(database) as output:
                while block := content.read(_BLOCK):
                    output.write(block)
    except (tarfile.TarError, ValueError, KeyError, TypeError, OSError) as error:
        database.unlink(missing_ok=True)
        raise Invalid(
            "backup_unreadable",
            f"{file} can't be read as a backup of Tacit ({type(error).__name__}).",
        ) from None
    if checksum(database) != expected["sha256"]:
        database.unlink()
        raise Invalid("backup_unreadable", f"{file} is damaged: its database was changed.")
    return dict(manifest)


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing that only this user can read; durable when it is closed."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _member(archive: tarfile.TarFile, name: str, most: int) -> Any:
    member = archive.next()
    # Nothing is extracted by a name that the archive chose.
    if member is None or member.name != name or not member.isfile() or member.size > most:
        raise ValueError(name)
    return archive.extractfile(member)
