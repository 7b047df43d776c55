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
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ConfigError(
            "key_missing", f"The key file {path} is missing. Put it back from its backup."
        ) from None
    except OSError:
        raise ConfigError(
            "key_file_unsafe",
            f"The key file {path} can't be opened: it must be a regular file, not a link, and "
            "readable by the user that runs Tacit.",
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError("key_file_unsafe", f"The key file {path} is not a regular file.")
        if found.st_uid != os.geteuid():
            raise ConfigError(
                "key_file_unsafe",
                f"The key file {path} belongs to user id {found.st_uid}, and Tacit runs as "
                f"{os.geteuid()}. Change its owner.",
            )
        if stat.S_IMODE(found.st_mode) not in (0o400, 0o600):
            raise ConfigError(
                "key_file_unsafe",
                f"The key file {path} has mode {stat.S_IMODE(found.st_mode):04o}, so others could "
                f"read it. Run: chmod 600 {path}",
            )
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise ConfigError(
            "key_wrong_size", f"The key file {path} must hold exactly {KEY_BYTES} bytes."
        )
    return key


def create_key_file(path: Path) -> bytes:
    """Make a key of 32 random bytes in a new file of mode 0600; an existing file is an error.

    :raises FileExistsError: the file is there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key
