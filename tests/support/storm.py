"""What goes wrong in an installation, on purpose: kills, a flushed queue, locks, cut networks."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from app.config import Config
from tests.support.database import database_locked, home_variables
from tests.support.proxy import Proxy
from tests.support.running import Running

LISTENERS = ("web", "runtime", "live", "scheduler")


@dataclass
class Storm:
    """Strikes at an installation.

    :param network: the proxy between its worker and its runtime listener.
    :param lock_seconds: how long the database is locked.
    """

    running: Running
    network: Proxy
    random: random.Random
    lock_seconds: float = 10.0
    struck: Counter[str] = field(default_factory=Counter)

    def strikes(self) -> dict[str, Callable[[], None]]:
        """Return everything that can be done to it, by name."""
        return {
            "horse": lambda: self.kill(self.horses()),
            "zygote": lambda: self.kill(self.zygotes()),
            "worker": lambda: self.kill(self.workers()),
            **{name: lambda name=name: self.kill(self.named(f"tacit-{name}"))  # type: ignore[misc]
               for name in LISTENERS},
            "queue": lambda: self.kill(self.with_command("valkey-server")),
            "flush": self.flush,
            "cut": self.cut,
            "stall": self.stall,
            "lock": self.lock,
        }

    def blow(self, seconds: float, pause: tuple[float, float] = (0.3, 2.5)) -> None:
        """Strike at random for so long; each kind comes once before any comes again."""
        over = time.monotonic() + seconds
        order: list[str] = []
        while time.monotonic() < over:
            if not order:
                order = list(self.strikes())
                self.random.shuffle(order)
            name = order.pop()
            self.strikes()[name]()
            self.struck[name] += 1
            time.sleep(self.random.uniform(*pause))

    def kill(self, pids: list[int]) -> None:
        """Kill one of the processes, whichever."""
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(pids), signal.SIGKILL)

    def flush(self) -> None:
        """Empty the queue, as its operator could."""
        with contextlib.suppress(RedisError, OSError):
            with Redis.from_url(self.running.facts["redis_url"]) as server:
                for key in server.scan_iter():
                    server.delete(key)

    def cut(self) -> None:
        """Break the network between worker and runtime for some seconds."""
        self.network.cut()
        time.sleep(self.random.uniform(1, 4))
        self.network.mend()

    def stall(self) -> None:
        """Let nothing through for some seconds, without a word."""
        self.network.stall()
        time.sleep(self.random.uniform(1, 4))
        self.network.mend()

    def lock(self) -> None:
        """Hold the database against all writers."""
        with database_locked(Config.load(home_variables(self.running.home))):
            time.sleep(self.lock_seconds)

    # ---- who is who ----

    def workers(self) -> list[int]:
        """Return the workers' parent processes."""
        return self.with_command("worker.main")

    def zygotes(self) -> list[int]:
        """Return the processes that fork the runs' processes."""
        workers = self.workers()
        return [pid for pid in self.with_command("worker.zygote") if _parent(pid) in workers]

    def horses(self) -> list[int]:
        """Return the runs' processes, those that work before those that wait."""
        zygotes = self.zygotes()
        found = [pid for pid in self.with_command("worker.zygote") if _parent(pid) in zygotes]
        return [pid for pid in found if _threads(pid) > 1] or found

    def named(self, name: str) -> list[int]:
        """Return the processes of that name."""
        return [
            pid for pid in self.running.processes()
            if pid != self.running.process.pid and _read(pid, "comm").strip() == name
        ]

    def with_command(self, text: str) -> list[int]:
        """Return the processes whose command line holds a text."""
        return [pid for pid in self.running.processes() if text in _read(pid, "cmdline")]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 - gone while one looks
    except OSError:
        return 0
