"""Fresh processes ahead of need: started by exec, so that it never held the enrolled key.

The worker's parent talks to it over one socket: ``{"spawn": true}`` makes one spare, whose own
socket comes back with its process id; ``{"exited": pid, "status": n}`` says how one ended. A spare
confines itself, makes a key, sends its public half and waits for one run.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import select
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from app import lean
from app.components.folders import own_places, read_folders
from app.components.registry import registry
from app.errors import ConfigError
from worker import confine, messages, offspring
from worker.client import RuntimeClient
from worker.errors import RuntimeRefused, RuntimeUnreachable
from worker.limits import ProcessLimits
from worker.machine import Asking
from worker.rehearsal import rehearse
from worker.run import Assignment, Surroundings, perform
from worker.tokens import Signer

log = logging.getLogger("tacit.worker")

KEPT_VARIABLES = (
    "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONHASHSEED",
)
"""What of the environment a run's process keeps."""
IDLE_SECONDS = 0.01
"""After which a spare takes it that no run waits for it."""


class Zygote:
    """The process that forks.

    :param control: the socket to the worker's parent.
    """

    def __init__(self, control: socket.socket, environ: Mapping[str, str]) -> None:
        self._control = control
        self._client = RuntimeClient(environ["TACIT_RUNTIME_URL"], Path(environ["TACIT_CA"]))
        self._scratch = Path(environ["TACIT_WORKER_SCRATCH"])
        self._refused = tuple(environ.get("TACIT_EGRESS_REFUSED", "").split())
        self._endpoints = environ.get("TACIT_ALLOWED_ENDPOINTS", "")
        self._level = logging.getLevelNamesMapping().get(
            environ.get("TACIT_LOG_LEVEL", "INFO").upper(), logging.INFO
        )
        self._limits = ProcessLimits.of(environ)
        self._folders = read_folders(environ, own_places(environ))
        self._user = confine.other_user()
        if self._user is not None:
            closed = confine.closed_above(self._scratch)
            if closed is not None:
                raise ConfigError(
                    "scratch_closed",
                    f"Runs get a user of their own, who can't enter {closed} on the way to "
                    f"TACIT_WORKER_SCRATCH ({self._scratch}). Set it to a folder open to all, "
                    "such as one below /tmp or /var/tmp.",
                )
        self._children: dict[int, Path] = {}
        self._wake: tuple[int, ...] = ()

    def rehearse(self) -> None:
        """Do once what every run does, so that its imports and tables are there already."""
        registry().prepare()
        confine.readable()
        with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=self._scratch) as scratch:
            try:
                rehearse(Path(scratch))
            except Exception as error:
                # Runs are slower then, and go on. Its words could be a package's own.
                log.warning("No rehearsal of a run: %s", type(error).__name__)
        with contextlib.suppress(RuntimeUnreachable, RuntimeRefused):
            self._client.warm()
        self._client.close()
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Fork on demand until the parent goes away."""
        # Its socket tells, and then what the runs started has to be ended first: out of reach of
        # what ends the parent.
        os.setpgid(0, 0)
        confine.die_with_parent(os.getppid(), 0)
        wake, wake_write = self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        while True:
            sources: list[int] = [self._control.fileno(), wake]
            ready, _, _ = select.select(sources, [], [])
            if wake in ready:
                os.read(wake, 512)
                self._reap()
            if self._control.fileno() in ready:
                message, _ = messages.receive(self._control)
                if message is None:
                    break
                if message.get("spawn"):
                    self._spawn()
        for pid, scratch in self._children.items():
            _kill_group(pid)
            # Seen to its end, so that who waits for the worker finds nothing of it left.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
            offspring.end(self._children)
            shutil.rmtree(scratch, ignore_errors=True)

    def _spawn(self) -> None:
        ours, theirs = messages.pair()
        scratch = Path(tempfile.mkdtemp(prefix="run-", dir=self._scratch))
        if self._user is not None:
            os.chown(scratch, self._user, self._user)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._be_spare(theirs, scratch, parent)
        theirs.close()
        self._children[pid] = scratch
        messages.send(self._control, {"spawned": pid}, [ours.fileno()])
        ours.close()

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            scratch = self._children.pop(pid, None)
            if scratch is None:
                continue
            # What it may have started must not outlive it.
            _kill_group(pid)
            offspring.end(self._children)
            shutil.rmtree(scratch, ignore_errors=True)
            code = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(OSError):
                messages.send(self._control, {"exited": pid, "status": code})

    def _be_spare(self, sock: socket.socket, scratch: Path, parent: int) -> NoReturn:
        status = 1
        try:
            self._control.close()
            _settle(scratch)
            for descriptor in self._wake:
                os.close(descriptor)
            confinement = confine.confine(
                scratch, parent, uid=self._user, limits=self._limits,
                folders=self._folders,
            )
            surroundings = Surroundings(
                self._client, scratch, self._refused, self._endpoints, Asking(sock).ask,
                self._level, alone=True, folders=self._folders,
            )
            status = _live(sock, surroundings, confinement)
        except BaseException as error:
            # Nothing of a run was seen yet, or its masker is gone: the kind of error only.
            os.write(2, f"run process stopped on {type(error).__name__}\n".encode())
        finally:
            os._exit(status)


def _live(
    sock: socket.socket, surroundings: Surroundings, confinement: confine.Confinement
) -> int:
    """Wait for a run, perform it; returns the exit status: 0 when there is no more to say."""
    signer = Signer.generate()
    surroundings.client.reopen()
    with contextlib.suppress(RuntimeUnreachable, RuntimeRefused):
        surroundings.client.open()
    messages.send(sock, {"ready": signer.public, "confinement": confinement.to_json()})
    _warm_up(sock, surroundings)
    message, _ = messages.receive(sock)
    if message is None:
        return 0
    assignment = Assignment(message["run"], message["ticket"], message["worker"])

    def notify(news: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            messages.send(sock, news)

    def abandon() -> None:
        os._exit(0)

    try:
        state = perform(surroundings, signer, assignment, notify, abandon)
    except RuntimeRefused as error:
        notify({"refused": error.code, "status": error.status})
        return 3
    except RuntimeUnreachable:
        notify({"refused": "runtime_unreachable", "status": 0})
        return 4
    notify({"ended": state})
    return 0


def _warm_up(sock: socket.socket, surroundings: Surroundings) -> None:
    """Go the way of each run once in a spare, while nobody waits, for its pages.

    A forked process copies every page that it writes to, and Python writes to all that it reads
    (counts of references): half of what a small run spends by itself. Where runs wait for spares
    there is nothing to gain: the run copies them in the same time.
    """
    if select.select([sock], [], [], IDLE_SECONDS)[0]:
        return
    with contextlib.suppress(Exception):  # the run is slower then, and goes on
        surroundings.client.warm()
        rehearse(surroundings.scratch, 1)


def _settle(scratch: Path) -> None:
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, HOME=str(scratch), TMPDIR=str(scratch))
    tempfile.tempdir = None
    os.chdir(scratch)
    os.umask(0o077)
    random.seed()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """Start on the socket whose number is the only argument."""
    number, parent = int(sys.argv[1]), int(sys.argv[2])
    lean.leave_out(lean.HTTPX_COMMAND)
    confine.die_with_parent(parent)
    confine.become_undumpable()
    confine.adopt()
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    control = socket.socket(fileno=number)
    control.set_inheritable(False)
    try:
        zygote = Zygote(control, dict(os.environ))
    except ConfigError as error:
        print(error.detail, file=sys.stderr)
        raise SystemExit(2) from None
    zygote.rehearse()
    zygote.serve()


if __name__ == "__main__":
    main()
