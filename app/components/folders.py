"""Folders that runs may use besides their own: listed by the worker, granted to the environment."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

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
