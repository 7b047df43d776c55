"""Start a worker: another program, with its own key and a reduced environment.

The server never imports the worker (ARCHITECTURE, "The rooms"): it starts it by name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from app.cli.children import RunAs, execute
from app.cli.prepare import DEFAULT, worker_key_file
from app.components import folders
from app.config import Config, drain_seconds
from app.errors import ConfigError
from app.providers.managers.machine import is_granted

INHERITED = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ")
"""Variables that a worker may see, beside its own settings."""
RUN_LIMITS = ("TACIT_RUN_CPU_SECONDS", "TACIT_RUN_MEMORY_MB", "TACIT_RUN_OPEN_FILES")
"""What one run's process may use of its machine; the worker knows the defaults."""
STOP_SECONDS = 5.0
"""What a worker needs to stop beside ``TACIT_DRAIN_SECONDS``: to tell the server, and to end its
processes."""


class LocalWorker:
    """A worker of ``tacit up``: each environment has one, with a key and a queue of its own.

    :param place: the meeting place, where it finds its key, the CA and its scratch folder.
    :param user: whom it is given over to; None leaves it with this user.
    :param environment: the name of the environment it serves.
    """

    def __init__(
        self, config: Config, place: Path, user: RunAs | None, environment: str = DEFAULT
    ) -> None:
        self._environment = environment
        self._config = config
        self._place = place
        self._user = user

    def run(self) -> None:
        """Become the worker; to be called in a forked child."""
        drain = os.environ.get("TACIT_DRAIN_SECONDS", "")
        suffix = "" if self._environment == DEFAULT else f"-{self._environment}"
        scratch = self._place / f"scratch{suffix}"
        scratch.mkdir(mode=0o700, exist_ok=True)
        key = self._place / f"worker{suffix}.json"
        authority = self._place / f"ca{suffix}.pem"
        self._copy(worker_key_file(self._config.home, self._environment), key, 0o600)
        self._copy(self._config.ca_file, authority, 0o644)
        if self._user:
            os.chown(scratch, self._user.uid, self._user.gid)
            os.chown(key, self._user.uid, self._user.gid)
        become_worker(
            machine_settings(os.environ)
            | {
                "TACIT_RUNTIME_URL": self._config.runtime_url,
                "TACIT_CA": str(authority),
                "TACIT_REDIS_URL": self._config.redis_url,
                "TACIT_WORKER_KEY_FILE": str(key),
                "TACIT_WORKER_SCRATCH": str(scratch),
                "TACIT_LOG_LEVEL": self._config.log_level,
                "TACIT_DRAIN_SECONDS": drain,
                **{name: os.environ[name] for name in RUN_LIMITS if name in os.environ},
                **self._queue(),
                "TACIT_EGRESS_REFUSED": " ".join(own_listeners(self._config)),
            }
            | self._closed(),
            scratch,
            self._user,
        )

    def _closed(self) -> dict[str, str]:
        """Name what no listed folder may hold; where none is listed, the worker needn't know."""
        if not os.environ.get(folders.VARIABLE):
            return {}
        return {folders.CLOSED: ":".join(map(str, own_files(self._config, self._place)))}

    def _queue(self) -> dict[str, str]:
        """Name the queue; of the default environment's worker TACIT_QUEUE may say otherwise."""
        if self._environment == DEFAULT:
            return {}
        return {"TACIT_QUEUE": f"runs:{self._environment}"}

    @staticmethod
    def _copy(source: Path, target: Path, mode: int) -> None:
        target.unlink(missing_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as copy:
            os.fchmod(copy.fileno(), mode)
            copy.write(source.read_bytes())


def grace(environ: Mapping[str, str]) -> float:
    """Return the seconds that the worker gets to stop; one without a run stops at once.

    :raises ConfigError: ``TACIT_DRAIN_SECONDS`` is no number of seconds.
    """
    return drain_seconds(environ.get("TACIT_DRAIN_SECONDS", "")) + STOP_SECONDS


def own_listeners(config: Config) -> list[str]:
    """Return what no run may connect to: the listeners, and a database on the network."""
    bound = f"[{config.bind}]" if ":" in config.bind else config.bind
    urls = [
        f"https://{host}:{port}"
        for port in (config.port, config.runtime_port, config.live_port)
        for host in dict.fromkeys((config.host, bound))
    ]
    parts = urlsplit(config.database_url)
    if parts.hostname:
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        urls.append(f"postgresql://{host}:{parts.port or 5432}")
    return urls


def own_files(config: Config, place: Path) -> list[Path]:
    """Return where no run may read or write, whatever TACIT_FILE_ROOTS lists."""
    paths = [config.home, place, config.master_key_file, config.audit_checkpoints]
    if config.is_sqlite:
        paths.append(Path(config.database_url.partition(":///")[2] or config.home))
    return [path.absolute() for path in paths]


def become_worker(settings: Mapping[str, str], scratch: Path, user: RunAs | None = None) -> None:
    """Become the worker program with these settings and little else."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {"HOME": str(scratch), "PYTHONUNBUFFERED": "1", **settings}
    environment.setdefault("TACIT_QUEUE", os.environ.get("TACIT_QUEUE") or "runs:default")
    execute([sys.executable, "-m", "worker.main"], environment, folder=scratch, run_as=user)


def settings_of_a_remote_worker(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that ``tacit worker`` hands on.

    :raises ConfigError: one that a worker can't do without is missing.
    """
    needed = ("TACIT_RUNTIME_URL", "TACIT_CA", "TACIT_REDIS_URL", "TACIT_WORKER_KEY_FILE")
    missing = [name for name in needed if not environ.get(name)]
    if missing:
        raise ConfigError(
            "worker_settings_missing",
            f"A worker needs {', '.join(missing)}. On the machine of “tacit up” there is one "
            "already.",
        )
    optional = (
        "TACIT_WORKER_SCRATCH", "TACIT_LOG_LEVEL", "TACIT_QUEUE", "TACIT_EGRESS_REFUSED",
        "TACIT_DRAIN_SECONDS", *RUN_LIMITS,
    )
    settings = {name: environ[name] for name in (*needed, *optional) if environ.get(name)}
    home = Path(environ.get("TACIT_HOME") or "~/.local/share/tacit").expanduser().absolute()
    settings[folders.CLOSED] = str(home)
    return machine_settings(environ) | settings


def machine_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the worker needs to reach external secrets and files, and no other variable.

    ``TACIT_WORKER_SECRETS`` names the variables that it may hand to runs; for ``role:aws`` the
    ones that AWS's libraries read go along.
    """
    patterns = environ.get("TACIT_WORKER_SECRETS", "").replace(",", " ").split()
    passed = {
        name: value
        for name, value in environ.items()
        if not name.startswith("TACIT_")
        and (
            is_granted(patterns, f"env:{name}")
            or ("role:aws" in patterns and name.startswith("AWS_"))
        )
    }
    for name in ("TACIT_ALLOWED_ENDPOINTS", "TACIT_FILE_ROOTS", "TACIT_WORKER_SECRETS"):
        if environ.get(name):
            passed[name] = environ[name]
    return passed
