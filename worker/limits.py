"""What one run's process may use of its machine, and how a limit becomes a clear failure."""

from __future__ import annotations

import errno
import resource
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Final

from app.errors import ConfigError
from worker.errors import LimitReached

GRACE_SECONDS: Final = 30
"""Processor seconds between the notice and the kernel's end of a process that doesn't mind it."""
RESERVED_FILES: Final = 32
"""File descriptors above the limit, for the end of a run whose nodes have used up the others."""
_FULL = frozenset({errno.EMFILE, errno.ENFILE})


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Limits of a run's process, and of each process that it starts.

    :param cpu_seconds: processor time.
    :param memory_mb: address space in MiB.
    :param open_files: file descriptors.
    """

    cpu_seconds: int = 3600
    memory_mb: int = 4096
    open_files: int = 1024

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> ProcessLimits:
        """Read the limits of an environment; what isn't set keeps its default.

        :raises ConfigError: a limit that is no whole number, or too small to run anything.
        """
        standard = cls()
        return cls(
            _number(environ, "TACIT_RUN_CPU_SECONDS", 1, standard.cpu_seconds),
            _number(environ, "TACIT_RUN_MEMORY_MB", 256, standard.memory_mb),
            _number(environ, "TACIT_RUN_OPEN_FILES", 64, standard.open_files),
        )

    def apply(self) -> None:
        """Put them in force for this process. Can't be undone."""
        lower(resource.RLIMIT_CORE, 0)
        lower(resource.RLIMIT_NOFILE, self.open_files, self.open_files + RESERVED_FILES)
        lower(resource.RLIMIT_AS, self.memory_mb * 1024**2)
        lower(resource.RLIMIT_CPU, self.cpu_seconds, self.cpu_seconds + GRACE_SECONDS)


SETTINGS: Final = ("TACIT_RUN_CPU_SECONDS", "TACIT_RUN_MEMORY_MB", "TACIT_RUN_OPEN_FILES")


def lower(limit: int, most: int, hardest: int | None = None) -> None:
    """Lower one of the process's limits for good; never raises it.

    :param hardest: where the kernel ends what went past ``most``, if not there.
    """
    soft, hard = resource.getrlimit(limit)
    infinite = resource.RLIM_INFINITY
    end = most if hardest is None else hardest
    end = end if hard == infinite else min(end, hard)
    new = min(most, end)
    if soft == infinite or soft > new or hard != end:
        resource.setrlimit(limit, (new, end))


def use_reserve() -> None:
    """Let this process open the last few files: the end of a run has to be told in any case."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def on_cpu_limit(tell: Callable[[LimitReached], None]) -> None:
    """Have ``tell`` called when this process has used its processor time; main thread only."""
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(_number: int, _frame: FrameType | None) -> None:
        seconds = resource.getrlimit(resource.RLIMIT_CPU)[0]
        tell(LimitReached(
            "run_cpu_limit",
            f"The run used more than {seconds} s of processor time. Make it do less, or raise "
            "TACIT_RUN_CPU_SECONDS on its worker.",
        ))

    signal.signal(signal.SIGXCPU, handle)


def find_limit(error: BaseException) -> LimitReached | None:
    """Return the limit of the process that an error comes from, if it does."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, MemoryError):
            return LimitReached(
                "run_memory_limit",
                "There wasn't enough memory for it within the run's limit. Give it less data, or "
                "raise TACIT_RUN_MEMORY_MB on the worker.",
            )
        if isinstance(found, OSError) and found.errno in _FULL:
            return LimitReached(
                "run_files_limit",
                "The run has too many files and connections open. Do less at the same time, or "
                "raise TACIT_RUN_OPEN_FILES on the worker.",
            )
        found = found.__cause__ or found.__context__
    return None


def _number(environ: Mapping[str, str], name: str, least: int, standard: int) -> int:
    text = environ.get(name, "")
    if not text:
        return standard
    if not text.isdecimal() or not least <= int(text[:12]) <= 10**9:
        raise ConfigError("setting_invalid", f"{name} has to be a whole number from {least} on.")
    return int(text)
