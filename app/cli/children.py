"""How ``tacit up`` makes a child: its own session and log, and an end when the parent ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
LOG_LIMIT = 16 * 1024 * 1024
"""Bytes after which a log file is set aside at the next start (one older one is kept)."""

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class RunAs:
    """Another user that a child gives itself over to, for good."""

    uid: int
    gid: int


def fork(name: str, log: Path, body: Callable[[], None]) -> int:
    """Run ``body`` in a forked child and return its process id.

    The child leads a session of its own, so that Ctrl+C in a terminal reaches the parent alone,
    which then stops its children in order.
    """
    parent = os.getpid()
    _flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _settle(name, log, parent)
        body()
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        _flush()
        os._exit(status)


def execute(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path,
    run_as: RunAs | None = None,
    keep: Sequence[int] = (),
) -> NoReturn:
    """Become another program, perhaps as another user; to be called in a forked child.

    :param keep: file descriptors that the program inherits beside the standard three.
    """
    os.chdir(folder)
    if run_as is not None:
        os.setgroups([])
        os.setresgid(run_as.gid, run_as.gid, run_as.gid)
        os.setresuid(run_as.uid, run_as.uid, run_as.uid)
        # A change of user clears the wish to die with the parent.
        die_with_parent(os.getppid())
    for descriptor in keep:
        os.set_inheritable(descriptor, True)
    os.execve(arguments[0], list(arguments), dict(environment))  # noqa: S606 - no shell is wanted


def die_with_parent(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send ``number`` to this process when its parent ends."""
    _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before the kernel knew of the wish.
        os._exit(1)


def take_variable(name: str) -> str:
    """Take a variable out of the environment and return it; empty if there is none.

    Its bytes are overwritten where the kernel put them: unsetting alone would leave them in
    ``/proc/PID/environ`` of this process and of every forked child.
    """
    value = os.environ.get(name, "")
    getenv = _libc.getenv
    getenv.restype = ctypes.c_void_p
    address = getenv(name.encode())
    if address:
        ctypes.memset(address, 0, len(os.fsencode(value)))
    os.environ.pop(name, None)
    return value


def forbid_core_dumps() -> None:
    """No core file, whatever happens; children inherit it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def become_undumpable() -> None:
    """Shut this process's memory to other processes of the same user."""
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def processes_of(pid: int) -> list[int]:
    """Return a process and everything that it started, itself first."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        # The name is in parentheses and may hold anything; one that ended meanwhile is none.
        with contextlib.suppress(OSError, IndexError):
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _settle(name: str, log: Path, parent: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    die_with_parent(parent)
    _libc.prctl(PR_SET_NAME, f"tacit-{name}".encode()[:15], 0, 0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    output = _open_log(log)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def _open_log(log: Path) -> int:
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(log.name + ".1"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    return os.open(log, flags, 0o600)
