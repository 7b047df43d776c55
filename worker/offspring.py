"""The processes that a run's nodes started: all of them end with the run.

A process group isn't enough: who makes a session of its own has left it. So a run's process, and
the zygote after it, adopt what lost its parent (:func:`worker.confine.adopt`), and whatever is
theirs in the end is killed, round by round, until nothing is left.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Container
from pathlib import Path
from typing import Final

_ROUNDS: Final = 1_000
"""Nothing waits for ever for processes that start others faster than they can be killed."""


def children() -> list[int]:
    """Return the ids of this process's children; none where the kernel doesn't tell."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            # A thread may end while the list is read.
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def end(spared: Container[int] = ()) -> None:
    """Kill this process's children and all that they started, and take note of their ends.

    :param spared: ids of children that go on.
    """
    for _ in range(_ROUNDS):
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return  # what most runs have: none
        killed = []
        for pid in children():
            # A child's id isn't given to another process before somebody has waited for it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if pid not in spared:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
        if not killed:
            return
        for pid in killed:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
