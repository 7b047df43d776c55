"""The parent's side of the zygote: spare processes to hand runs to, and how they ended."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from worker import messages
from worker.limits import SETTINGS

START_SECONDS: Final = 30.0
EXIT_SECONDS: Final = 5.0
PASSED_ON: Final = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "TACIT_RUNTIME_URL", "TACIT_CA", "TACIT_WORKER_SCRATCH", "TACIT_LOG_LEVEL",
    "TACIT_ALLOWED_ENDPOINTS", "TACIT_FILE_ROOTS", "TACIT_FILE_CLOSED", *SETTINGS,
)
"""What of the parent's environment the zygote gets: no queue, no key file."""

log = logging.getLogger("tacit.worker")


class ZygoteGone(Exception):
    """The zygote ended, or doesn't answer; a new one has to be started."""


@dataclass
class Horse:
    """A process for one run.

    :param public: its public key, base64url.
    """

    pid: int
    sock: socket.socket
    public: str = ""
    confinement: Mapping[str, Any] = field(default_factory=dict)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the process and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class Stable:
    """Starts the zygote and takes spares from it. For one thread."""

    def __init__(self, environ: Mapping[str, str], refused: tuple[str, ...]) -> None:
        self._environ = {name: environ[name] for name in PASSED_ON if name in environ}
        self._environ["TACIT_EGRESS_REFUSED"] = " ".join(refused)
        self._environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._spares: dict[int, Horse] = {}
        self._exits: dict[int, int] = {}
        self._ordered = 0  # spares asked for that were not born yet

    def start(self) -> None:
        """Start the zygote and ask for a first spare."""
        ours, theirs = messages.pair()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "worker.zygote", str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()], env=self._environ, stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._control = ours
        self._spares.clear()
        self._exits.clear()
        self._ordered = 0
        self.refill()

    def stop(self) -> None:
        """End the zygote and every process it made."""
        if self._control is not None:
            self._control.close()
            self._control = None
        for horse in self._spares.values():
            horse.sock.close()
        self._spares.clear()
        if self._process is not None:
            try:
                self._process.wait(EXIT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def refill(self) -> None:
        """See to it that there is a spare, or that one is on its way.

        To be called when a run has ended: a fork, its TLS connection and its copies of pages
        would take time from a run that is under way.

        :raises ZygoteGone: there is nobody to ask.
        """
        if self._spares or self._ordered:
            return
        try:
            messages.send(self._socket(), {"spawn": True})
        except OSError:
            raise ZygoteGone from None
        self._ordered += 1

    def take(self) -> Horse:
        """Return a spare that is ready.

        :raises ZygoteGone: none came.
        """
        give_up = time.monotonic() + START_SECONDS
        self.refill()
        while True:
            for horse in list(self._spares.values()):
                if horse.public:
                    del self._spares[horse.pid]
                    return horse
            self._look(give_up)

    def wait_ready(self) -> Mapping[str, Any]:
        """Wait for a spare and return what confines it.

        :raises ZygoteGone: none came.
        """
        give_up = time.monotonic() + START_SECONDS
        while True:
            for horse in self._spares.values():
                if horse.public:
                    return horse.confinement
            self._look(give_up)

    def exit_status(self, horse: Horse) -> int | None:
        """Return how a horse ended: its exit code, minus a signal's number, or None if unknown."""
        give_up = time.monotonic() + EXIT_SECONDS
        while horse.pid not in self._exits:
            try:
                self._look(give_up)
            except ZygoteGone:
                return None
        return self._exits.pop(horse.pid)

    def _look(self, give_up: float) -> None:
        """Take in what the zygote and the spares have to say."""
        control = self._socket()
        left = give_up - time.monotonic()
        waiting = {horse.sock.fileno(): horse for horse in self._spares.values()}
        sources: list[int] = [control.fileno(), *waiting]
        ready, _, _ = select.select(sources, [], [], max(0.0, left))
        if not ready:
            raise ZygoteGone
        for found in ready:
            if found in waiting:
                self._hear_spare(waiting[found])
            else:
                self._hear_zygote(control)

    def _hear_zygote(self, control: socket.socket) -> None:
        message, descriptors = messages.receive(control)
        if message is None:
            raise ZygoteGone
        if "spawned" in message:
            self._ordered -= 1
            pid = int(message["spawned"])
            self._spares[pid] = Horse(pid, socket.socket(fileno=descriptors[0]))
        elif "exited" in message:
            pid = int(message["exited"])
            self._exits[pid] = int(message["status"])
            spare = self._spares.pop(pid, None)
            if spare is not None:
                self._replace(spare)

    def _hear_spare(self, horse: Horse) -> None:
        message, _ = messages.receive(horse.sock)
        if message is None:
            if self._spares.pop(horse.pid, None) is not None:
                self._replace(horse)
            return
        horse.public = str(message.get("ready", ""))
        horse.confinement = message.get("confinement") or {}

    def _replace(self, horse: Horse) -> None:
        log.warning("A spare process ended before it had a run (pid %d)", horse.pid)
        horse.sock.close()
        time.sleep(0.2)  # one that can't start at all must not become a storm of forks
        self.refill()

    def _socket(self) -> socket.socket:
        if self._control is None:
            raise ZygoteGone
        return self._control
