"""``TACIT_FILE_ROOTS``: the folders of this machine that runs may use, and never Tacit's own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from app.components.folders import Folder, is_below, is_plain
from app.errors import ConfigError

VARIABLE: Final = "TACIT_FILE_ROOTS"
CLOSED: Final = "TACIT_FILE_CLOSED"
"""Paths that no listed folder may hold or be in, divided by colons: TACIT_HOME and the keys."""


def read_folders(environ: Mapping[str, str], own: Iterable[Path] = ()) -> tuple[Folder, ...]:
    """Return the listed folders.

    :param own: files and folders of the worker itself, closed like those of :data:`CLOSED`.
    :raises ConfigError: one isn't an absolute path of a folder, or holds or is in a closed place.
    """
    closed = [Path(text) for text in environ.get(CLOSED, "").split(":") if text]
    closed += own
    entries = [text.strip() for text in environ.get(VARIABLE, "").split(",")]
    return tuple(_read(entry, closed) for entry in entries if entry)


def own_places(environ: Mapping[str, str]) -> list[Path]:
    """Return the worker's own files and folders: its key, and the scratch folders of its runs."""
    names = ("TACIT_WORKER_KEY_FILE", "TACIT_WORKER_SCRATCH")
    return [Path(environ[name]) for name in names if environ.get(name)]


def _read(entry: str, closed: list[Path]) -> Folder:
    writable = entry.endswith(":rw")
    name = entry.removesuffix(":rw").removesuffix(":ro")
    if not is_plain(name):
        raise ConfigError(
            "setting_invalid",
            f"{VARIABLE} holds “{entry}”. Write absolute paths by commas, such as "
            "/srv/inbox,/srv/reports:rw.",
        )
    real = os.path.realpath(name)
    if not Path(real).is_dir():
        raise ConfigError("setting_invalid", f"{VARIABLE} names {name}, which is no folder here.")
    for path in closed:
        for other in {str(path), os.path.realpath(path)}:
            if is_below(real, other) or is_below(other, real) or _same(real, other):
                raise ConfigError(
                    "file_root_closed",
                    f"{VARIABLE} names {name}. Runs never get a folder that holds Tacit's own "
                    f"files or is among them ({path}). Choose another one.",
                )
    return Folder(name, Path(real), writable)


def _same(one: str, other: str) -> bool:
    """Say whether two paths are one place, mounted twice."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return False
