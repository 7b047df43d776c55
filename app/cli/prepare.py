"""What has to be there before the first process serves: keys, certificates, tables, accounts.

Runs in a process of its own that ends afterwards, so that the one that lives on and starts the
others never held the master key or a database connection.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.serve import load_factory
from app.config import Config
from app.errors import TacitError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

LOCAL_WORKER = "local"
DEFAULT = "default"
"""The environment that a fresh installation has (:mod:`app.accounts.environments`)."""


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """The administrator that the environment variables name."""

    email: str
    password: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was found or made.

    :param setup_token: of the one-time link, as long as nobody has an account.
    :param ca_replaced: whether browsers that trusted the old CA need the new one.
    :param error: why it failed, as ``(code, sentence)``.
    :param environments: names of those that each get a worker, the default one first.
    """

    setup_token: str | None = None
    ca_replaced: bool = False
    error: tuple[str, str] | None = None
    environments: tuple[str, ...] = ()

    def send(self, descriptor: int) -> None:
        """Write to a pipe."""
        content = {
            "setup_token": self.setup_token,
            "ca_replaced": self.ca_replaced,
            "error": self.error,
            "environments": self.environments,
        }
        os.write(descriptor, json.dumps(content).encode())

    @classmethod
    def receive(cls, descriptor: int) -> Prepared:
        """Read from a pipe whose other end is closed."""
        with os.fdopen(descriptor, "rb") as pipe:
            content = json.loads(pipe.read() or b"{}")
        error = content.get("error")
        return cls(
            content.get("setup_token"),
            bool(content.get("ca_replaced")),
            (error[0], error[1]) if error else None,
            tuple(content.get("environments", ())),
        )


def worker_key_file(home: Path, environment: str = DEFAULT) -> Path:
    """Name the file with the enrolled key of an environment's local worker."""
    suffix = "" if environment == DEFAULT else f"-{environment}"
    return home / "keys" / f"worker-local{suffix}.json"


def prepare(config: Config, admin: FirstAdmin | None) -> Prepared:
    """Make what is missing: keys, TLS, tables, default environment, administrator, worker."""
    try:
        return _prepare(config, admin)
    except TacitError as error:
        return Prepared(error=(error.code, error.detail))


def _prepare(config: Config, admin: FirstAdmin | None) -> Prepared:
    from app.accounts import bootstrap
    from app.accounts.environments import list_environments
    from app.accounts.people import has_users
    from app.cli.upgrading import upgrade
    from app.keys import installation
    from app.keys.ca import ensure_tls

    # First of all, so that a wrong key stops the start before anything is written.
    installation.ensure_keys(config)
    tls = ensure_tls(config.home, [config.host, config.bind])
    upgrade(config)
    services = load_factory("open_services")(config)
    setup_token = None
    with services.db.begin() as session:
        bootstrap.ensure_default_environment(session)
        if not has_users(session):
            if admin is not None:
                bootstrap.ensure_first_admin(session, admin.email, admin.password)
            else:
                setup_token = bootstrap.make_setup_link(session)
        names = [row.name for row in list_environments(session)]
        names.sort(key=lambda name: name != DEFAULT)
        for name in names:
            _enrol_worker(session, worker_key_file(config.home, name), name)
    services.db.dispose()
    return Prepared(setup_token, tls.ca_replaced, environments=tuple(names))


def _enrol_worker(session: Session, file: Path, environment: str) -> None:
    """Give an environment's local worker a key, unless it has one that this database knows.

    A revoked one stays revoked: starting again is no way around that.
    """
    from app.runs import workers

    if file.exists():
        key_id = str(json.loads(file.read_text("utf-8")).get("key_id"))
        if workers.key_state(session, key_id) != "unknown":
            return
        file.unlink()
    content = json.dumps(workers.enroll_local(session, LOCAL_WORKER, environment))
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(content)
