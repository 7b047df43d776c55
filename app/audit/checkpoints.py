"""Checkpoints written as time passes, one JSON object a line; kept on another host, they prove."""

from __future__ import annotations

import json
import os
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from app.audit.verify import make_checkpoint

_TAIL = 1 << 20
"""More bytes than a line has: the chains of some thousand environments."""


class CheckpointFile:
    """The file that checkpoints are appended to.

    It promises something once it is copied to where who writes the database can't write.

    :param path: the file; it and its folder are made when there is a first checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chains: Any = None

    def append(self, session: Session) -> bool:
        """Append a checkpoint, if a chain has moved since the last one; says whether.

        :raises OSError: the file can't be written.
        """
        checkpoint = make_checkpoint(session)
        if self._chains is None:
            self._chains = self._read_last()
        if not checkpoint["chains"] or checkpoint["chains"] == self._chains:
            return False
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = (json.dumps(checkpoint, sort_keys=True) + "\n").encode()
        opened = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(opened, "r+b", buffering=0) as file:
            _drop_cut_line(file)
            if file.write(line) != len(line):
                raise OSError("the checkpoint was not written whole")
            os.fsync(file.fileno())
        self._chains = checkpoint["chains"]
        return True

    def last_written(self) -> datetime | None:
        """Return when the last checkpoint was made; None when none can be read."""
        try:
            return datetime.fromisoformat(self._read_last_line()["at"])
        except (OSError, IndexError, ValueError, KeyError, TypeError):
            return None

    def _read_last(self) -> Any:
        try:
            return self._read_last_line()["chains"]
        except (FileNotFoundError, IndexError, ValueError, KeyError, TypeError):
            return None

    def _read_last_line(self) -> Any:
        with self._path.open("rb") as file:
            lines = _tail(file).rpartition(b"\n")[0].splitlines()
        return json.loads(lines[-1])


def _tail(file: BinaryIO | FileIO) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
    return file.read()


def _drop_cut_line(file: FileIO) -> None:
    """Take off the end what a crash or a full disk left of a line: it is no checkpoint, and the
    next one must not go on in it.
    """
    left = len(_tail(file).rpartition(b"\n")[2])
    if left:
        file.truncate(file.seek(0, os.SEEK_END) - left)
