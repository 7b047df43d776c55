"""What a process of the server holds, made once by :mod:`app.factory`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app

if TYPE_CHECKING:
    from app.config import Config
    from app.db import Database
    from app.runs.queue import RunQueue
    from app.runs.waiting import RunWaiters
    from app.vault import Vault

_KEY = "tacit"


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that requests work with.

    :param vault: opens and seals secret values; None in processes that must not (live, scheduler).
    """

    config: Config
    db: Database
    vault: Vault | None
    queue: RunQueue
    waiters: RunWaiters

    def close(self) -> None:
        """Close the connections to the database; call it when the process ends."""
        self.db.dispose()


def attach(app: Flask, services: Services) -> None:
    """Give an application its services."""
    app.extensions[_KEY] = services


def services() -> Services:
    """Return the services of the application that answers the current request."""
    return cast("Services", current_app.extensions[_KEY])
