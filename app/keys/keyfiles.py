"""Key files: made once, opened without following links, refused when others could read them."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from app.errors import ConfigError

KEY_BYTES = 32


def read_key_file(path: Path) -> bytes:
    """Read a key of exactly 32 bytes.

    :raises ConfigError: ``key_missing``, ``key_file_unsafe`` or ``key_wrong_size``; says which
        file and how to mend it. The file's content never shows.
    """
    key = read_private_file(path, KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise ConfigError(
            "key_wrong_size", f"The key file {path} must hold exactly {KEY_BYTES} bytes."
        )
    return key


def read_private_file(path: Path, most: int) -> bytes:
    """Read up to ``most`` bytes of a regular file that only this process's user can read.

    :raises ConfigError: ``key_missing`` or ``key_file_unsafe``.
    """
    try:
        # Not blocking: a pipe would otherwise make the start wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise ConfigError(
            "key_missing", f"The key file {path} is missing. Put it back from its backup."
        ) from None
    except OSError:
        raise _unsafe(
            f"The key file {path} can't be opened: it must be a regular file, not a link, and "
            "readable by the user that runs Tacit."
        ) from None
    try:
        _check(path, os.fstat(descriptor))
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _unsafe(f"The key file {path} is not a regular file.")
    if found.st_uid != os.geteuid():
        raise _unsafe(
            f"The key file {path} belongs to user id {found.st_uid}, and Tacit runs as "
            f"{os.geteuid()}. Change its owner."
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode not in (0o400, 0o600):
        raise _unsafe(
            f"The key file {path} has mode {mode:04o}, so others could read it. "
            f"Run: chmod 600 {path}"
        )


def _unsafe(detail: str) -> ConfigError:
    return ConfigError("key_file_unsafe", detail)


def create_key_file(path: Path) -> bytes:
    """Make a key of 32 random bytes in a new file of mode 0600; an existing file is an error.

    :raises FileExistsError: the file is there.
    """
    key = secrets.token_bytes(KEY_BYTES)
    write_key_file(path, key)
    return key


def write_key_file(path: Path, key: bytes) -> None:
    """Write a key into a new file of mode 0600, durably: whole, or not there at all.

    :raises FileExistsError: the file is there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # It gets its name once it is whole, so a kill in between leaves no half key of that name.
    unnamed = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(unnamed, path)
    finally:
        unnamed.unlink()
    sync_folder(path.parent)


def find_key_file(first: Path, kek_id: str) -> Path | None:
    """Return the file that should hold a KEK: the one named by its id, else the first one."""
    named = first.with_name(f"master-{kek_id}.key")
    for path in (named, first):
        if path.exists() or path.is_symlink():
            return path
    return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
