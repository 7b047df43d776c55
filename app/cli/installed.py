"""Open an installation from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.accounts.actor import Actor, system_actor
from app.cli.children import become_undumpable, forbid_core_dumps, take_variable
from app.cli.places import Running
from app.cli.serve import load_factory
from app.config import HIDDEN, Config
from app.errors import ConfigError


def take_config() -> Config:
    """Read the settings, and drop those that are keys from the environment.

    A process that holds keys keeps its memory to itself.
    """
    config = Config.load()
    taken = [take_variable(name) for name in HIDDEN]
    if any(taken):
        forbid_core_dumps()
        become_undumpable()
    return config


def load_config() -> Config:
    """Read the settings; the queue and the runtime URL may be those of a running ``tacit up``.

    Those that are keys are dropped from the environment.
    """
    config = take_config()
    running = Running.find(config.home)
    if running is None or config.redis_url:
        return config
    return replace(config, redis_url=running.redis_url, runtime_url=running.runtime_url)


def check_installed(config: Config) -> None:
    """Refuse to work on a home where nothing was installed, rather than make half of it.

    :raises ConfigError: ``not_installed``.
    """
    database = Path(config.database_url.removeprefix("sqlite:///"))
    if config.is_sqlite and not database.exists():
        raise ConfigError(
            "not_installed",
            f"There is no Tacit installation at {config.home}. Run “tacit up” (or “tacit "
            "migrate”) first, or set TACIT_HOME to where it is.",
        )


def operator() -> Actor:
    """Return the actor for who has a shell on this machine, where no environment matters."""
    return system_actor("", "command line")


@contextmanager
def opened(config: Config, *, with_vault: bool = False) -> Iterator[Any]:
    """Open the installation's database for a command; yields its services.

    :param with_vault: open the master keys too.
    """
    check_installed(config)
    services = load_factory("open_services")(config, with_vault=with_vault)
    try:
        yield services
    finally:
        services.db.dispose()
