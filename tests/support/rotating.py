"""Rotations and audit writers in processes of their own, forked from one that imported all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from app.accounts.actor import system_actor
from app.audit import Action, record
from app.config import Config
from app.factory import open_services
from app.vault.service import rotate_secret
from tests.support.database import home_variables


def forking() -> ForkServerContext:
    """Return a context whose processes start quickly and share nothing with this one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def rotate(home: Path, environment_id: str, secret_id: str, value: str, step: int) -> None:
    """Rotate a secret, killed (SIGKILL) before a step: a statement, the commit, or what follows
    it. Exits 0 where there is no such step.
    """
    services = open_services(Config.load(home_variables(home)))
    vault = services.vault
    assert vault is not None
    taken = 0

    def count(*_: object) -> None:
        nonlocal taken
        taken += 1
        if taken == step:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "after_cursor_execute", count)
    event.listen(Engine, "commit", count)
    event.listen(Session, "after_commit", count)
    with services.db.begin() as session:
        rotate_secret(session, system_actor(environment_id), vault, secret_id, value=value)
    os._exit(0)


def write_events(home: Path, environment_id: str, threads: int, seconds: float) -> None:
    """Write events into the chains of an environment and of the installation, as fast as it goes.
    """
    services = open_services(Config.load(home_variables(home)), with_vault=False)
    until = time.monotonic() + seconds
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            count = 0
            while time.monotonic() < until:
                count += 1
                where = None if count % 5 == 0 else environment_id
                who = system_actor(environment_id, f"writer {number}").who()
                with services.db.begin() as session:
                    for _ in range(1 + count % 3):
                        record(
                            session, actor=type(who)(who.kind, who.id, who.name, where),
                            action=Action.SECRET_READ, data={"n": count, "text": "ü\n\u2028"},
                        )
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(threads)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    os._exit(1 if failed else 0)
