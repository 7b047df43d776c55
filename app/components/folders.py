"""Folders that runs may use besides their own: listed by the worker (``TACIT_FILE_ROOTS``), granted
to the environment, and never Tacit's own.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.errors import ConfigError

VARIABLE: Final = "TACIT_FILE_ROOTS"
CLOSED: Final = "TACIT_FILE_CLOSED"
"""Paths that no listed folder may hold or be in, divided by colons: TACIT_HOME and the keys."""
GRANT: Final = "folder:"


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder with all that is in it.

    :param name: its absolute path as it is listed, which flows use.
    :param path: where it really is.
    :param writable: whether runs may write there.
    """

    name: str
    path: Path
    writable: bool = False


def is_plain(path: str) -> bool:
    """Say whether a text is an absolute path without dots, doubled or final slashes."""
    return path.startswith("/") and "\0" not in path and posixpath.normpath(path) == path


def is_grant(text: str) -> bool:
    """Say whether a text grants a folder: ``folder:/path``."""
    return text.startswith(GRANT) and is_plain(text.removeprefix(GRANT))


def is_below(path: str, folder: str) -> bool:
    """Say whether a plain path is a folder, or in it."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def granted(folders: Iterable[Folder], grants: Iterable[str]) -> tuple[Folder, ...]:
    """Return what of the worker's folders is granted: where one is in the other, the inner one."""
    names = [text.removeprefix(GRANT) for text in grants if is_grant(text)]
    found: dict[str, Folder] = {}
    for folder in folders:
        for name in names:
            if is_below(folder.name, name):
                found[folder.name] = folder
            elif is_below(name, folder.name):
                inner = folder.path / name[len(folder.name.rstrip("/")) + 1 :]
                found.setdefault(name, replace(folder, name=name, path=inner))
    return tuple(found.values())


def find_folder(folders: Iterable[Folder], path: str) -> Folder | None:
    """Return the folder that a path is in; the innermost, where several are."""
    fitting = [one for one in folders if is_below(path, one.name) and path != one.name]
    return max(fitting, key=lambda one: len(one.name), default=None)


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
