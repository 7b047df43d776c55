"""What keeps a run away from the server's files on this machine, and what can't."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from app.cli.children import RunAs

NOBODY = RunAs(65534, 65534)
"""The user of workers that root starts."""

_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_VERSION = 1


def worker_user() -> RunAs | None:
    """Return the user that workers are given over to; None: they stay with ours."""
    return NOBODY if os.geteuid() == 0 and not shut_out() else None


def shut_out() -> Path | None:
    """Return a folder of the code or of Python that other users can't enter, if there is one."""
    worker = find_spec("worker")
    needed = [
        Path(os.path.realpath(sys.executable)).parent,
        Path(sys.prefix),
        Path(sysconfig.get_paths()["stdlib"]),
        Path(sysconfig.get_paths()["purelib"]),
        Path(worker.origin).parent if worker and worker.origin else Path(__file__).parent,
    ]
    for folder in needed:
        for part in (folder, *folder.parents):
            if stat.S_IMODE(part.stat().st_mode) & 0o005 != 0o005:
                return part
    return None


def has_landlock() -> bool:
    """Say whether the kernel lets a process give up its own access to files."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    return bool(version > 0)


def shortcoming() -> str | None:
    """Say in a sentence what is missing between a run and the master key; None: nothing."""
    if worker_user() is not None:
        return None
    if os.geteuid() == 0:
        return _as_root(shut_out(), landlock=has_landlock())
    if has_landlock():
        return None
    return (
        "Workers run as the same user as the server, and this kernel has no Landlock: a run on "
        "this machine could reach the master key. Start Tacit as root (its workers then get a "
        "user of their own), or run the workers on another machine."
    )


def _as_root(closed: Path | None, *, landlock: bool) -> str:
    kept = (
        "Landlock alone keeps a run from the master key"
        if landlock
        else "with no Landlock in this kernel, a run on this machine could reach the master key"
    )
    return (
        f"Workers stay root, since other users can't enter {closed}; {kept}. Move the checkout "
        "to a folder open to all, such as /opt, or run the workers on another machine."
    )
