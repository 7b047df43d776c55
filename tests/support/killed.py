"""Commands of Tacit that are killed (SIGKILL) at a given step, in a process of their own.

A step is a commit of a writing transaction, or a name given to a key file: what a crash can come
between. Run as ``python killed.py N ARGUMENTS…``: killed before step N, exits 0 if there is none.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

BATCH = 5
"""Values that these commands rewrap, and rows that they seal, in a transaction."""

ROOT = Path(__file__).parents[2]


def run_until(step: int, settings: dict[str, str], *arguments: str) -> bool:
    """Run a command and kill it before a step; says whether it got that far.

    :raises AssertionError: it failed by itself.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(step), *arguments], capture_output=True, text=True,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **settings}, check=False, timeout=120,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def _count_steps(limit: int) -> None:
    from sqlalchemy import Connection, event
    from sqlalchemy.engine import Engine

    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(Engine, "commit")
    def _commit(connection: Connection) -> None:
        if not connection.get_execution_options().get("ro"):
            step()

    def hook(name: str, arguments: tuple[object, ...]) -> None:
        if name in ("os.link", "os.rename") and "/keys/" in str(arguments[1]):
            step()

    sys.addaudithook(hook)


if __name__ == "__main__":
    from app.cli import main
    from app.keys import resealing
    from app.vault import rotation

    rotation.BATCH, resealing.BATCH = BATCH, BATCH
    _count_steps(int(sys.argv[1]))
    main(sys.argv[2:])
