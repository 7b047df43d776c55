"""The key that signs Flask's own cookie, which carries flash messages and nothing else."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from app.errors import ConfigError

_SIZE = 32


def load_session_key(home: Path) -> bytes:
    """Read the key from its file of its own, made on the first start.

    :raises ConfigError: ``session_key_invalid``: the file is no key of ours.
    """
    path = home / "keys" / "session.key"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(file, "wb") as stream:
            stream.write(secrets.token_bytes(_SIZE))
            stream.flush()
            os.fsync(stream.fileno())
    key = path.read_bytes()
    if len(key) != _SIZE:
        raise ConfigError(
            "session_key_invalid",
            f"{path} should hold {_SIZE} bytes. Delete it: the next start makes a new one, and "
            "nobody is signed out by that.",
        )
    return key
