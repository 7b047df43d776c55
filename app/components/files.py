"""Files of a run: in its scratch folder, and in the folders that worker and environment both list.

A path is walked from a folder that was opened, one name at a time, and no link is followed, so that
neither ``..`` nor a link that appears on the way leads out of it. The kernel (Landlock) holds the
run's process to the same folders.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from app.components.context import Context
from app.components.cutting import beginning
from app.components.errors import NodeError
from app.components.folders import find_folder

_STEP: Final = 1024 * 1024
_WALK: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Mode = Literal["replace", "append", "create"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is: a folder that may be entered, and the names below it.

    :param shown: the path as the flow has it, for messages.
    """

    folder: Path
    steps: tuple[str, ...]
    writable: bool
    shown: str


def locate(context: Context, path: str) -> Place:
    """Return the place that a path names: relative ones are in the run's scratch folder.

    :raises NodeError: ``file_path_not_valid``, ``file_not_allowed``.
    """
    shown = beginning(context, path, 200)
    inner, folder, writable = path, context.scratch, True
    if path.startswith("/"):
        found = find_folder(context.folders, path)
        if found is None:
            raise NodeError(
                "file_not_allowed",
                f"{shown} isn't in a folder that runs may use. Use a relative path for the run's "
                "own folder, or have the folder listed in TACIT_FILE_ROOTS of the worker and "
                "granted to the environment (tacit reach --grant folder:/path).",
            )
        inner, folder, writable = path[len(found.name):].lstrip("/"), found.path, found.writable
    steps = tuple(inner.split("/"))
    if any(step in ("", ".", "..") or "\0" in step or len(step) > 255 for step in steps):
        raise NodeError(
            "file_path_not_valid",
            f"{shown} isn't the plain path of a file: it has a part that is empty, too long, or "
            "one or two dots. Write it without.",
        )
    return Place(folder, steps, writable, shown)


def read_file(place: Place, limit: int, check: Callable[[], None]) -> tuple[bytes, float]:
    """Return a file's bytes and the time of its last change.

    :param limit: most bytes.
    :param check: raises where it is time to stop.
    :raises NodeError: ``file_missing``, ``file_linked``, ``file_not_regular``, ``file_denied``,
        ``file_too_large``.
    """
    with _opened(place, os.O_RDONLY) as file, _told(place):
        found = os.fstat(file)
        data = bytearray()
        while len(data) <= limit and (piece := os.read(file, _STEP)):
            data += piece
            check()
        if max(found.st_size, len(data)) > limit:
            raise NodeError(
                "file_too_large",
                f"{place.shown} is longer than {limit // 1024} KiB. Raise the limit, or read "
                "another one.",
            )
        return bytes(data), found.st_mtime


def write_file(place: Place, data: bytes, mode: Mode, limit: int, *, make_folders: bool) -> int:
    """Write a file, readable by the run's user alone; returns its size.

    A file that is replaced or created is there whole or not at all.

    :param limit: most bytes that the file may have afterwards.
    :raises NodeError: ``file_read_only``, ``file_exists``, ``file_too_large``,
        ``file_disk_full``, and those of :func:`read_file`.
    """
    if not place.writable:
        raise NodeError(
            "file_read_only",
            f"{place.shown} is in a folder that runs may only read. Write elsewhere, or have it "
            "listed with :rw in TACIT_FILE_ROOTS of the worker.",
        )
    if mode == "append":
        return _append(place, data, limit, make_folders=make_folders)
    if len(data) > limit:
        raise _too_large(place, limit)
    with _parent(place, make=make_folders) as folder, _told(place):
        _place_whole(place, folder, data, only_new=mode == "create")
    return len(data)


def _place_whole(place: Place, folder: int, data: bytes, *, only_new: bool) -> None:
    """Write beside the file and put it there in one step."""
    name, temporary = place.steps[-1], f".tacit-{secrets.token_hex(8)}"
    file = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, 0o600, dir_fd=folder
    )
    try:
        try:
            _write(file, data)
            os.fsync(file)
        finally:
            os.close(file)
        if only_new:
            # A link is never made over a file that is there, whoever made it meanwhile.
            os.link(
                temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False
            )
        else:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            temporary = ""
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
    os.fsync(folder)


def _append(place: Place, data: bytes, limit: int, *, make_folders: bool) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with _opened(place, flags, make=make_folders) as file, _told(place):
        # Two that append at once each write a whole piece.
        fcntl.flock(file, fcntl.LOCK_EX)
        before = os.fstat(file).st_size
        if before + len(data) > limit:
            raise _too_large(place, limit)
        try:
            _write(file, data)
            os.fsync(file)
        except OSError:
            os.ftruncate(file, before)
            raise
        return before + len(data)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view[:_STEP]) :]


@contextmanager
def _parent(place: Place, *, make: bool = False) -> Iterator[int]:
    """Open the folder that the file is in."""
    with _told(place):
        folder = os.open(place.folder, _WALK)
    try:
        for step in place.steps[:-1]:
            with _told(place):
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(step, 0o700, dir_fd=folder)
                inner = os.open(step, _WALK, dir_fd=folder)
            os.close(folder)
            folder = inner
        with _told(place):
            # What was walked can't be written to disk by name: this opens it for use.
            inner = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        os.close(folder)
        folder = inner
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _opened(place: Place, flags: int, *, make: bool = False) -> Iterator[int]:
    """Open the file itself: a regular one, with this name alone."""
    with _parent(place, make=make) as folder:
        name = place.steps[-1]
        with _told(place):
            # Opening a device or a pipe can do something; looking at it first doesn't.
            with contextlib.suppress(FileNotFoundError):
                looked = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                try:
                    _check_kind(place, looked)
                finally:
                    os.close(looked)
            file = os.open(name, flags | _SAFELY, 0o600, dir_fd=folder)
        try:
            _check_kind(place, file)
            yield file
        finally:
            os.close(file)


def _check_kind(place: Place, file: int) -> None:
    found = os.fstat(file)
    if stat.S_ISLNK(found.st_mode) or (found.st_nlink > 1 and stat.S_ISREG(found.st_mode)):
        raise _linked(place)
    if not stat.S_ISREG(found.st_mode):
        raise NodeError(
            "file_not_regular",
            f"{place.shown} is a folder or something else that isn't a file. Name a file.",
        )


@contextmanager
def _told(place: Place) -> Iterator[None]:
    """Say in words what the system refused."""
    try:
        yield
    except FileNotFoundError:
        raise NodeError(
            "file_missing", f"{place.shown} isn't there, or a folder on the way to it. Look at "
            "the path.",
        ) from None
    except FileExistsError:
        raise NodeError(
            "file_exists", f"{place.shown} is there already. Choose another name, or replace it."
        ) from None
    except IsADirectoryError:
        raise NodeError("file_not_regular", f"{place.shown} is a folder. Name a file.") from None
    except PermissionError:
        raise NodeError(
            "file_denied",
            f"Runs (user {os.geteuid()}) may not use {place.shown}. Look at the modes of the file "
            "and its folders.",
        ) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise _linked(place) from None
        if error.errno in _FULL:
            raise NodeError(
                "file_disk_full", f"There is no room for {place.shown}. Nothing was written."
            ) from None
        raise NodeError(
            "file_failed", f"{place.shown} can't be used: {os.strerror(error.errno or 0)}.",
            retryable=True,
        ) from None


def _linked(place: Place) -> NodeError:
    return NodeError(
        "file_linked",
        f"{place.shown} is a link, is linked from elsewhere, or a part of its path isn't a folder. "
        "Links aren't followed: name the file itself.",
    )


def _too_large(place: Place, limit: int) -> NodeError:
    return NodeError(
        "file_too_large",
        f"{place.shown} would be longer than {limit // 1024} KiB. Write less, or raise the limit.",
    )
