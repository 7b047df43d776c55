"""The worker's parent: takes runs from the queue and has fresh processes perform them.

This process holds the enrolled key and runs nobody's code. It keeps RQ's books, signs a ticket for
each claim, tells the server that it lives, and reports processes that died.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from redis import Redis
from redis.exceptions import RedisError

from app.components.folders import read_folders
from app.config import drain_seconds
from app.elsewhere import queue_url
from app.errors import ConfigError, TacitError, Unavailable
from app.log import set_up
from worker import confine, messages
from worker.client import RuntimeClient
from worker.errors import RuntimeRefused, RuntimeUnreachable
from worker.horses import Horse, Stable, ZygoteGone
from worker.jobs import RunWorker, Waiting
from worker.limits import ProcessLimits
from worker.machine import Machine
from worker.settings import keep_alive, own_urls
from worker.tokens import Identity, load_identity
from worker.watch import CANCELLED, LOOK_SECONDS, Signs

HEARTBEAT_SECONDS: Final = 10.0
TICK_SECONDS: Final = 15.0
OVERTIME_SECONDS: Final = 30.0
"""How long after its deadline a run's process is killed, should it not end by itself."""
LOST_PATIENCE: Final = 20.0
STOPPING_PATIENCE: Final = 3.0
STOPPED: Final = "worker stopped"

log = logging.getLogger("tacit.worker")


class RunLostByChild(Exception):
    """The run's process ended before the run did."""


class Parent:
    """The worker's parent process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        key_file = environ.get("TACIT_WORKER_KEY_FILE", "")
        if not key_file:
            raise ConfigError(
                "setting_missing",
                "TACIT_WORKER_KEY_FILE isn't set. Enrol this worker and set it to the key file.",
            )
        self._key_file = Path(key_file)
        self._identity: Identity = load_identity(self._key_file)
        url = environ.get("TACIT_RUNTIME_URL") or "https://localhost:8444"
        ca = Path(environ.get("TACIT_CA", ""))
        self._client = RuntimeClient(url, ca)
        self._redis_url = queue_url(environ.get("TACIT_REDIS_URL", ""))
        self._queues = environ.get("TACIT_QUEUE", "runs:default").replace(",", " ").split()
        self._scratch = environ.get("TACIT_WORKER_SCRATCH", "")
        self._own_scratch = not self._scratch
        if self._own_scratch:
            self._scratch = tempfile.mkdtemp(prefix="tacit-worker-")
            Path(self._scratch).chmod(0o711)  # runs may have a user of their own
        self._stable = Stable(
            {**environ, "TACIT_RUNTIME_URL": url, "TACIT_WORKER_SCRATCH": self._scratch},
            own_urls(environ, url, self._redis_url),
        )
        self._machine = Machine(environ, self._key_file)
        self._confinement: Mapping[str, Any] = {}
        self._horse: Horse | None = None
        self._stopping = threading.Event()
        # Said here, where an operator looks.
        ProcessLimits.of(environ)
        read_folders({**environ, "TACIT_WORKER_SCRATCH": self._scratch}, [self._key_file])
        self._drain_seconds = drain_seconds(environ.get("TACIT_DRAIN_SECONDS", ""))
        self._asked = False
        self._drained: float | None = None  # when a run under way has had its time
        # A signal doesn't end a select: the handler's byte does.
        self._stop_read, self._stop_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, *, burst: bool = False) -> None:
        """Work until told to stop.

        :raises ConfigError: something is set up in a way that can't work.
        :raises Unavailable: the queue doesn't answer at the start.
        """
        try:
            self._stable.start()
            self._confinement = self._wait_ready()
        except BaseException:
            self._stable.stop()
            raise
        for sentence in confine.shortcomings(
            confine.Confinement(**self._confinement), self._key_file
        ):
            log.warning("%s", sentence)
        log.info("Runs are confined: %s", self._confinement)
        threading.Thread(target=self._heartbeats, name="heartbeat", daemon=True).start()
        try:
            with Redis.from_url(
                self._redis_url, health_check_interval=30, **keep_alive(self._redis_url)
            ) as connection:
                worker = RunWorker(
                    self._queues, self._hand_over, self._kill, self._drain, connection=connection,
                    name=f"{self._identity.worker_id}-{os.getpid()}-{os.urandom(3).hex()}",
                )
                worker.work(logging_level="WARNING", burst=burst)
        except RedisError as error:
            raise Unavailable(
                "queue_unreachable",
                f"The queue (TACIT_REDIS_URL) doesn't answer: {type(error).__name__}. Start it, "
                "or set TACIT_REDIS_URL to the one that runs.",
            ) from None
        finally:
            self._stopping.set()
            self._stable.stop()
            self._client.close()
            if self._own_scratch:
                shutil.rmtree(self._scratch, ignore_errors=True)

    def _wait_ready(self) -> Mapping[str, Any]:
        try:
            return self._stable.wait_ready()
        except ZygoteGone:
            raise ConfigError(
                "worker_start",
                "The process that makes the runs' processes didn't start; its words are above.",
            ) from None

    def _hand_over(self, run_id: str) -> Waiting:
        """Give a run to a fresh process; what is returned waits until that has ended."""
        horse = self._take()
        self._horse = horse
        try:
            ticket = self._identity.signer.sign(
                "tacit:claim", {"run": run_id, "pub": horse.public}, now=self._client.now()
            )
            with contextlib.suppress(OSError):
                messages.send(horse.sock, {
                    "run": run_id, "ticket": ticket, "worker": self._identity.worker_id,
                })
        except BaseException:
            horse.kill()
            self._let_go(horse)
            raise
        return lambda tick: self._see_through(run_id, horse, tick)

    def _see_through(self, run_id: str, horse: Horse, tick: Callable[[], None]) -> None:
        """Look after a run's process until it has ended.

        :raises RunLostByChild: it ended before the run did; the server was told.
        """
        signs = Signs()
        try:
            self._watch(horse, signs, run_id, tick)
            status = self._stable.exit_status(horse)
        except BaseException:
            horse.kill()
            self._let_go(horse)
            self._report_lost(run_id, signs.claim, STOPPED)
            raise
        self._let_go(horse)
        self._refill()
        if status == 0:
            return
        reason = _describe(status, signs.news)
        log.error("The process of run %s ended early: %s", run_id, reason)
        # Without a claim that it knew of it has done nothing: its key tells the server which.
        self._report_lost(run_id, signs.claim, reason, "" if signs.claim else horse.public)
        raise RunLostByChild(reason)

    def _let_go(self, horse: Horse) -> None:
        self._horse = None
        horse.sock.close()

    def _take(self) -> Horse:
        try:
            return self._stable.take()
        except ZygoteGone:
            log.warning("The zygote is gone; starting another one")
            self._stable.stop()
            self._stable.start()
            return self._stable.take()

    def _refill(self) -> None:
        if not self._asked:
            with contextlib.suppress(ZygoteGone):  # the next run starts another one
                self._stable.refill()

    def _watch(self, horse: Horse, signs: Signs, run_id: str, tick: Callable[[], None]) -> None:
        """Listen to a run's process until it ends; what it says goes into ``signs``."""
        ticked = time.monotonic()
        while True:
            pause = TICK_SECONDS if signs.claim is None else LOOK_SECONDS
            if self._drained is not None:
                pause = min(pause, max(0.0, self._drained - time.monotonic()))
            sources: list[Any] = [horse.sock, self._stop_read]
            ready, _, _ = select.select(sources, [], [], pause)
            if self._stop_read in ready:
                os.read(self._stop_read, 512)
            if horse.sock in ready:
                message, _ = messages.receive(horse.sock)
                if message is None:
                    return
                if "reference" in message:
                    self._machine.answer(horse.sock, str(message["reference"]))
                    continue
                signs.hear(message)
                if "ended" in message:
                    self._refill()
            self._look_at_clock(horse, signs, run_id)
            if time.monotonic() - ticked >= TICK_SECONDS:
                ticked = time.monotonic()
                tick()

    def _look_at_clock(self, horse: Horse, signs: Signs, run_id: str) -> None:
        if self._drained is not None and time.monotonic() >= self._drained:
            log.warning("Process %d isn't done in time and is killed: worker stopped", horse.pid)
            signs.news["killed"] = STOPPED
            self._drained = None
            horse.kill()
        due = signs.due()
        if due == "kill" or (due == "ask" and self._is_to_stop(run_id, signs.claim)):
            log.warning("Process %d doesn't stop by itself and is killed", horse.pid)
            signs.news["killed"] = CANCELLED
            horse.kill()
        deadline = signs.news.get("deadline")
        if deadline is not None and self._client.now() > deadline + OVERTIME_SECONDS:
            log.error("Process %d is over its time and is killed", horse.pid)
            horse.kill()

    def _is_to_stop(self, run_id: str, claim: int | None) -> bool:
        """Ask the server whether it wants a run stopped, and renew the run's lease if it doesn't;
        an answer that doesn't come is a no."""
        body = {**self._report(), "runs": [[run_id, claim]]}
        try:
            answer = self._client.call(
                "POST", "/runtime/v1/workers/heartbeat", token=self._token, body=body
            )
        except (RuntimeRefused, RuntimeUnreachable):
            return False
        stop = answer.get("stop")
        return isinstance(stop, list) and run_id in stop

    def _drain(self) -> None:
        """In a signal's handler: what is under way gets its time, and no more."""
        self._drained = time.monotonic() + self._drain_seconds
        self._asked = True
        with contextlib.suppress(OSError):
            os.write(self._stop_write, b".")

    def _report_lost(
        self, run_id: str, claim: int | None, reason: str, public: str = ""
    ) -> None:
        try:
            self._client.call(
                "POST", f"/runtime/v1/runs/{run_id}/lost", token=self._token,
                body={"claim": claim, "reason": reason, **({"public": public} if public else {})},
                patience=STOPPING_PATIENCE if self._asked else LOST_PATIENCE,
            )
        except (RuntimeRefused, RuntimeUnreachable) as error:
            # The lease runs out by itself; the server finds out a little later.
            log.warning("The server couldn't be told about run %s: %s", run_id, error)

    def _kill(self) -> None:
        horse = self._horse
        if horse is not None:
            horse.kill()

    def _token(self) -> str:
        return self._identity.signer.sign("tacit:worker", {}, now=self._client.now())

    def _report(self) -> dict[str, Any]:
        return {"version": _version(), "confinement": dict(self._confinement), "capacity": 1}

    def _heartbeats(self) -> None:
        told = ""
        while not self._stopping.is_set():
            pause = HEARTBEAT_SECONDS
            try:
                if not told:
                    self._client.warm()
                answer = self._client.call(
                    "POST", "/runtime/v1/workers/heartbeat", token=self._token,
                    body=self._report(),
                )
                self._client.learn_time(answer.get("unix"))
                if told != "well":
                    log.info("The server knows this worker as %s", answer.get("name"))
                told = "well"
            except (RuntimeRefused, RuntimeUnreachable) as error:
                pause = 1.0 if told in ("", "away") else HEARTBEAT_SECONDS
                if told != "away":
                    log.warning("No heartbeat: %s", error)
                told = "away"
            self._stopping.wait(pause)


def _describe(status: int | None, news: Mapping[str, Any]) -> str:
    if news.get("killed"):
        return str(news["killed"])
    if status is None:
        return "ended together with the zygote"
    if status < 0:
        return f"killed by signal {-status}"
    refused = news.get("refused")
    return f"exit code {status}" + (f" ({refused})" if refused else "")


def _version() -> str:
    try:
        return version("tacit")
    except PackageNotFoundError:
        return "0"


def _quit(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def start(environ: Mapping[str, str] | None = None) -> int:
    """Work until told to stop; returns the exit status."""
    env = dict(os.environ if environ is None else environ)
    set_up("worker", env.get("TACIT_LOG_LEVEL", "INFO").upper())
    warnings.filterwarnings("ignore", module="rq")
    # Before the first job RQ takes the signals over: one drains, a second one kills.
    signal.signal(signal.SIGTERM, _quit)
    confine.become_undumpable()
    started = time.monotonic()
    try:
        Parent(env).run(burst="--burst" in sys.argv[1:])
    except TacitError as error:
        log.error("%s", error.detail)
        return 2
    except KeyboardInterrupt:
        return 0
    log.info("Stopped after %.0f seconds", time.monotonic() - started)
    return 0
