"""Keep the children of ``tacit up`` alive, and stop them in order."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from app.errors import TacitError, Unavailable

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
STEADY_AFTER = 30.0
"""Seconds after which a child counts as well again, and its next restart is quick."""
HOPELESS = 4
"""Ends before the installation was ever ready, after which starting it is given up."""


@dataclass(slots=True)
class Child:
    """A process to be kept alive.

    :param start: makes the process and returns its id; called again for every restart.
    :param log: where its output goes, to be named when something is wrong.
    :param grace: seconds it gets to stop by itself.
    """

    name: str
    start: Callable[[], int]
    log: Path
    grace: float = 10.0
    pid: int | None = None
    started: float = 0.0
    ends: int = 0
    pause: float = FIRST_PAUSE
    due: float | None = field(default=None)


class Stopped(Exception):
    """Somebody asked for an end, by Ctrl+C or a signal."""


class Supervisor:
    """Starts children, restarts those that end, stops them in reverse order.

    :param say: prints a line for the operator.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[Child] = []
        self._waited: dict[int, int] = {}
        self._requests = 0
        self._ready = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def listen(self) -> None:
        """Take over the signals; to be called once, in the main thread."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_request)
        # Whoever started this with nohup wants it to outlive the terminal.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._on_request)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def add(self, child: Child) -> None:
        """Start a child and keep it alive from now on."""
        self._children.append(child)
        self._start(child)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to the child of that name, if it lives."""
        for child in self._children:
            if child.name == name and child.pid is not None:
                os.kill(child.pid, number)

    def wait_for(self, pid: int, timeout: float) -> int:
        """Wait for a process that isn't kept alive and return its exit status.

        :raises Stopped: an end was asked for meanwhile.
        :raises Unavailable: it took longer than ``timeout`` seconds.
        """
        self._waited[pid] = -1
        self.run_until(lambda: self._waited[pid] != -1, timeout)
        return os.waitstatus_to_exitcode(self._waited.pop(pid))

    def run_until(
        self, done: Callable[[], bool], timeout: float, *, interval: float = 0.02
    ) -> None:
        """Look after the children until ``done()``.

        :raises Stopped: an end was asked for meanwhile.
        :raises Unavailable: it took longer than ``timeout`` seconds.
        """
        give_up = time.monotonic() + timeout
        while not done():
            if time.monotonic() > give_up:
                raise Unavailable("start_timeout", self._what_is_late(timeout))
            self._turn(interval)

    def run(self, chore: Callable[[], None], every: float) -> None:
        """Look after the children until an end is asked for, with a chore now and then.

        :raises Stopped: always.
        """
        self._ready = True
        due = time.monotonic() + every
        while True:
            self._turn(max(0.0, min(due - time.monotonic(), 3600.0)))
            if time.monotonic() >= due:
                due = time.monotonic() + every
                try:
                    chore()
                except TacitError as error:
                    self._say(error.detail)

    def stop(self) -> None:
        """Stop all children, the last one started first; a second request hurries it."""
        first_requests = self._requests
        for child in reversed(self._children):
            child.due = None
            if child.pid is None:
                continue
            self._send(child.pid, signal.SIGTERM)
            give_up = time.monotonic() + child.grace
            while child.pid is not None:
                hurried = self._requests > first_requests + (first_requests == 0)
                if hurried or time.monotonic() > give_up:
                    self._send(child.pid, signal.SIGKILL, group=True)
                    give_up = time.monotonic() + child.grace
                self._sleep(0.05)
                self._reap(restart=False)

    def _turn(self, pause: float) -> None:
        now = time.monotonic()
        dues = [child.due for child in self._children if child.due is not None]
        self._sleep(max(0.0, min([pause, *(due - now for due in dues)])))
        if self._requests:
            raise Stopped
        self._reap(restart=True)
        now = time.monotonic()
        for child in self._children:
            if child.due is not None and child.due <= now:
                self._start(child)

    def _sleep(self, seconds: float) -> None:
        readable, _, _ = select.select([self._wake_read], [], [], seconds)
        if readable:
            os.read(self._wake_read, 512)

    def _start(self, child: Child) -> None:
        child.due = None
        child.started = time.monotonic()
        child.pid = child.start()

    def _reap(self, *, restart: bool) -> None:
        for pid in [pid for pid, status in self._waited.items() if status == -1]:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._waited[pid] = status
        for child in self._children:
            if child.pid is None:
                continue
            found, status = os.waitpid(child.pid, os.WNOHANG)
            if found:
                # What it may have left behind in its session must not outlive it.
                self._send(child.pid, signal.SIGKILL, group=True)
                child.pid = None
                if restart:
                    self._plan_restart(child, status)

    def _plan_restart(self, child: Child, status: int) -> None:
        now = time.monotonic()
        if now - child.started > STEADY_AFTER:
            child.pause = FIRST_PAUSE
        child.ends += 1
        how = _describe_end(status)
        if not self._ready and child.ends >= HOPELESS:
            raise Unavailable(
                "child_keeps_ending",
                f"The {child.name} process keeps ending ({how}). Its last words are in "
                f"{child.log}.",
            )
        child.due = now + child.pause
        child.pause = min(child.pause * 2, LONGEST_PAUSE)
        self._say(f"The {child.name} process ended ({how}); starting it again.")

    def _what_is_late(self, timeout: float) -> str:
        logs = ", ".join(str(child.log) for child in self._children)
        return (
            f"Tacit was not ready within {timeout:.0f} seconds. What its processes say is in: "
            f"{logs}."
        )

    def _send(self, pid: int, number: int, *, group: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if group else os.kill)(pid, number)

    def _on_request(self, _number: int, _frame: FrameType | None) -> None:
        self._requests += 1


def _describe_end(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
