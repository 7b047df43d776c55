"""Another machine: a network namespace behind a cable that can be pulled, where that may be made.

Elsewhere it is another loopback address, and whoever serves it has to cut what goes through.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Where another machine's programs run.

    :ivar server: the address at which this machine is reached from there.
    :ivar name: the network namespace; None on a loopback address.
    """

    server: str
    name: str | None

    def command(self, *arguments: str) -> list[str]:
        """Return a command that runs a program there."""
        return ["ip", "netns", "exec", self.name, *arguments] if self.name else [*arguments]

    def pull_the_cable(self) -> bool:
        """Take the network away; says whether that could be done."""
        return self._set("down")

    def plug_it_in(self) -> None:
        """Bring the network back."""
        self._set("up")

    def _set(self, state: str) -> bool:
        if self.name is None:
            return False
        _ip("link", "set", self.name, state)
        return True


@contextmanager
def other_machine() -> Iterator[Machine]:
    """Make one, and take it away."""
    name = f"tc{secrets.token_hex(4)}"
    network = f"10.213.{secrets.randbelow(254) + 1}"
    if os.geteuid() != 0 or not _made("netns", "add", name):
        yield Machine("127.0.0.2", None)
        return
    try:
        # The server's end of the cable has the namespace's name too.
        if not _made("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name):
            yield Machine("127.0.0.2", None)
            return
        _ip("addr", "add", f"{network}.1/30", "dev", name)
        _ip("link", "set", name, "up")
        for arguments in (
            ("addr", "add", f"{network}.2/30", "dev", "eth0"), ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *arguments)
        yield Machine(f"{network}.1", name)
    finally:
        _made("link", "del", name)
        _made("netns", "del", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _made(*arguments: str) -> bool:
    try:
        return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
