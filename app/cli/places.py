"""Folders and files of a running installation: who may open them, and where they lie.

``TACIT_HOME`` is private (0700). What a worker under another user id has to reach (the queue's
socket, its key, a copy of the CA, its scratch folder) lies in a *meeting place* with a short
path: Unix sockets allow 107 bytes, wherever ``TACIT_HOME`` is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from app.errors import ConfigError


def prepare_home(home: Path) -> None:
    """Make ``TACIT_HOME`` and its folders, private to this user.

    :raises ConfigError: it belongs to somebody else or can't be written.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_uid != os.geteuid():
            raise ConfigError(
                "home_not_ours",
                f"TACIT_HOME ({home}) belongs to another user; start Tacit as that user, or set "
                "TACIT_HOME to a folder of your own.",
            )
        home.chmod(0o700)
        for name in ("keys", "logs", "queue", "tls"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            "home_unusable",
            f"TACIT_HOME ({home}) can't be used: {error.strerror}. Set it to a folder that you "
            "can write.",
        ) from error


def meeting_place(home: Path, group: int | None) -> Path:
    """Return the folder where the queue's socket and the worker's files lie.

    :param group: the group that may pass through; None keeps it to this user.
    :raises ConfigError: somebody else sits on the name.
    """
    user = os.geteuid()
    name = f"tacit-{user}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:10]}"
    folder = _base() / name
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:
            raise ConfigError(
                "meeting_place_taken",
                f"{folder} exists and isn't a folder of this user; remove it, or set "
                "XDG_RUNTIME_DIR to a private folder.",
            ) from None
    if group is None:
        folder.chmod(0o700)
    else:
        os.chown(folder, user, group)
        # The set-group-id bit hands the group on to the queue's socket.
        folder.chmod(0o2710)
    return folder


def _base() -> Path:
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    # Root's own runtime folder would keep out the workers' user.
    candidates = [Path("/run")] if os.geteuid() == 0 else [Path(runtime)] if runtime else []
    for candidate in candidates:
        if len(str(candidate)) < 60 and candidate.is_dir() and os.access(candidate, os.W_OK):
            return candidate
    return Path("/tmp")  # noqa: S108 - the folder's owner and kind are checked


@dataclass(frozen=True, slots=True)
class Running:
    """What a running ``tacit up`` says about itself, in ``TACIT_HOME/running.json``."""

    pid: int
    url: str
    runtime_url: str
    redis_url: str
    worker_user: int

    def write(self, home: Path) -> None:
        """Write the file, whole or not at all."""
        temporary = home / "running.json.new"
        temporary.write_text(json.dumps(asdict(self)) + "\n", "utf-8")
        temporary.replace(home / "running.json")

    @classmethod
    def find(cls, home: Path) -> Running | None:
        """Return what is running on this home; None where nothing is."""
        try:
            found = cls(**json.loads((home / "running.json").read_text("utf-8")))
            os.kill(found.pid, 0)
        except (OSError, ValueError, TypeError):
            return None
        return found

    @staticmethod
    def forget(home: Path) -> None:
        """Remove the file."""
        (home / "running.json").unlink(missing_ok=True)


class HomeLock:
    """One ``tacit up`` per home.

    The embedded queue server inherits the lock, so it lasts until nobody writes there any more,
    also when the process that took it was killed.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self.descriptor = -1

    def take(self, patience: float = 5.0) -> None:
        """Take the lock.

        :param patience: seconds to wait for what a killed predecessor left to end.
        :raises ConfigError: another one is running.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self.descriptor = os.open(self._home / "tacit.lock", flags, 0o600)
        give_up = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running = Running.find(self._home)
                if running or time.monotonic() > give_up:
                    raise self._refusal(running) from None
                time.sleep(0.05)
            else:
                return

    def _refusal(self, running: Running | None) -> ConfigError:
        where = f" (process {running.pid}, {running.url})" if running else ""
        return ConfigError(
            "already_running",
            f"Tacit is already running on {self._home}{where}. Stop it first, or set TACIT_HOME "
            "to another folder.",
        )
