"""``tacit up``: everything on one machine."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.cli import embedded, ports, readiness
from app.cli.children import (
    RunAs,
    become_undumpable,
    execute,
    forbid_core_dumps,
    fork,
    take_variable,
)
from app.cli.confinement import shortcoming, worker_user
from app.cli.places import HomeLock, Running, meeting_place, prepare_home
from app.cli.prepare import DEFAULT, FirstAdmin, Prepared, prepare
from app.cli.scheduler import run_scheduler
from app.cli.serve import LIVE, serve
from app.cli.supervisor import Child, Stopped, Supervisor
from app.cli.worker import LocalWorker, grace, own_files
from app.components.folders import read_folders
from app.components.registry import BUILTINS, Registry
from app.config import Config
from app.errors import ConfigError

A_DAY = 86_400.0
START_TIMEOUT = 90.0
OPENS_THE_MASTER_KEY = (
    "TACIT_MASTER_KEY", "TACIT_PASSPHRASE", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
)
"""Variables that web and runtime may need, and nobody else."""


class Installation:
    """One ``tacit up``: takes what it needs, starts the processes, looks after them.

    :param config: the settings; ports of 0 take free ones.
    :param admin: the first administrator, if the environment names one.
    :param say: prints a line for the operator.
    """

    def __init__(
        self, config: Config, admin: FirstAdmin | None, say: Callable[[str], None]
    ) -> None:
        self._config = config
        self._admin = admin
        self._say = say
        self._lock = HomeLock(config.home)
        self._supervisor = Supervisor(say)
        self._sockets: dict[str, socket.socket] = {}
        self._place: Path | None = None
        self._worker_queue = ""
        self._worker_grace = grace(os.environ)

    def run(self) -> None:
        """Start, look after everything, stop when asked to.

        :raises TacitError: it can't start, with the reason.
        """
        os.umask(0o077)
        forbid_core_dumps()
        prepare_home(self._config.home)
        self._lock.take()
        self._supervisor.listen()
        try:
            self._start()
            self._supervisor.run(self._renew_certificate, every=A_DAY)
        except Stopped:
            self._say("Stopping …")
        finally:
            self._supervisor.stop()
            Running.forget(self._config.home)
            if self._place:
                shutil.rmtree(self._place, ignore_errors=True)
        self._say("Stopped.")

    def _start(self) -> None:
        self._take_ports()
        user = worker_user()
        place = meeting_place(self._config.home, user.gid if user else None)
        self._place = place
        # Said here, where an operator looks: the workers would refuse it, again and again.
        read_folders(os.environ, own_files(self._config, place))
        if self._config.redis_url:
            self._check_queue()
        else:
            self._start_queue(place, shared=user is not None)
        prepared = self._prepare()
        self._export()
        self._add("runtime", lambda: self._serve("create_runtime_app", "runtime"))
        self._add("web", lambda: self._serve("create_web_app", "web"))
        self._add("live", self._without_master_key(lambda: self._serve(LIVE, "live")))
        self._add("scheduler", self._without_master_key(lambda: run_scheduler(self._config)))
        for environment in prepared.environments:
            self._add_worker(place, user, environment)
        self._wait_until_ready()
        self._greet(prepared)

    def _take_ports(self) -> None:
        config = self._config
        self._sockets["web"] = ports.bind(config.bind, config.port, "--port")
        self._sockets["runtime"] = ports.bind(
            config.bind, config.runtime_port, "--runtime-port"
        )
        self._sockets["live"] = ports.bind(config.bind, config.live_port, "--live-port")
        taken = {name: int(sock.getsockname()[1]) for name, sock in self._sockets.items()}
        # On its own machine the worker dials the address, sparing it a look-up per connection.
        near = config.bind in ("127.0.0.1", "::1")
        host = f"[{config.bind}]" if ":" in config.bind else config.bind
        self._config = replace(
            config,
            port=taken["web"],
            runtime_port=taken["runtime"],
            live_port=taken["live"],
            runtime_url=os.environ.get("TACIT_RUNTIME_URL")
            or f"https://{host if near else config.host}:{taken['runtime']}",
        )

    def _start_queue(self, place: Path, *, shared: bool) -> None:
        path = place / embedded.SOCKET_NAME
        listed = self._config.home / "queue" / "users.acl"
        users = embedded.Users()
        users.write(listed)
        arguments = embedded.arguments(
            path, self._config.home / "queue", shared=shared, users=listed
        )

        def program() -> None:
            path.unlink(missing_ok=True)
            environment = {"PATH": os.defpath, "LANG": "C.UTF-8"}
            folder = self._config.home / "queue"
            execute(arguments, environment, folder=folder, keep=[self._lock.descriptor])

        self._supervisor.add(
            Child("queue", lambda: self._fork("queue", program), self._log("queue"))
        )
        self._config = replace(
            self._config, redis_url=embedded.url(path, embedded.SERVER, users.server)
        )
        self._worker_queue = embedded.url(path, embedded.WORKER, users.worker)
        self._supervisor.run_until(
            lambda: embedded.answers(path, password=users.server), START_TIMEOUT, interval=0.005
        )

    def _check_queue(self) -> None:
        from app.runs.queue import RunQueue

        if not RunQueue.open(self._config).ping():
            raise ConfigError(
                "queue_silent",
                "The queue's server that TACIT_REDIS_URL names does not answer. Start it, or "
                "unset TACIT_REDIS_URL to use the embedded one.",
            )

    def _prepare(self) -> Prepared:
        reading, writing = os.pipe()

        def body() -> None:
            os.close(reading)
            become_undumpable()
            prepare(self._config, self._admin).send(writing)

        pid = self._fork("prepare", body)
        os.close(writing)
        self._preload()
        status = self._supervisor.wait_for(pid, START_TIMEOUT)
        prepared = Prepared.receive(reading)
        if prepared.error:
            raise ConfigError(*prepared.error)
        if status:
            raise ConfigError(
                "start_failed",
                f"Preparing the installation failed; {self._log('prepare')} says why.",
            )
        return prepared

    @staticmethod
    def _preload() -> None:
        """Load once what three children need, while another core prepares: they share its pages.

        Nothing is made by it that a child must not have: no thread, no connection, no key.
        """
        for name in ("app.factory", "app.models", "app.runs.scheduler", "gunicorn.workers.gthread",
                     "gunicorn.workers.gasgi", "sqlite3"):
            importlib.import_module(name)
        importlib.import_module("sqlalchemy.orm").configure_mappers()
        # Those of installed packages are left to the children: one may end its process.
        for component in Registry(BUILTINS):
            component.input_ports()
            component.output_ports()
        # A collection in a child would write to every object, and so copy all of these pages.
        gc.collect()
        gc.freeze()

    def _export(self) -> None:
        """Put the settings as they turned out into what the children inherit."""
        config = self._config
        os.environ.update(
            TACIT_HOME=str(config.home),
            TACIT_PORT=str(config.port),
            TACIT_RUNTIME_PORT=str(config.runtime_port),
            TACIT_LIVE_PORT=str(config.live_port),
            TACIT_RUNTIME_URL=config.runtime_url,
            TACIT_REDIS_URL=config.redis_url,
        )

    def _add_worker(self, place: Path, user: RunAs | None, environment: str) -> None:
        name = "worker" if environment == DEFAULT else f"worker-{environment}"
        worker = LocalWorker(
            replace(self._config, redis_url=self._worker_queue or self._config.redis_url),
            place, user, environment,
        )
        self._supervisor.add(
            Child(name, lambda: self._fork(name, worker.run), self._log(name),
                  grace=self._worker_grace)
        )

    def _add(self, name: str, body: Callable[[], None]) -> None:
        self._supervisor.add(Child(name, lambda: self._fork(name, body), self._log(name)))

    def _without_master_key(self, body: Callable[[], None]) -> Callable[[], None]:
        """Take what opens the master key out of a child's environment and memory."""

        def reduced() -> None:
            self._config.keys.wipe()
            for name in OPENS_THE_MASTER_KEY:
                take_variable(name)
            body()

        return reduced

    def _serve(self, factory: str, name: str) -> None:
        for other, listener in self._sockets.items():
            if other != name:
                listener.close()
        serve(factory, self._config, f"fd://{self._sockets[name].fileno()}")

    def _fork(self, name: str, body: Callable[[], None]) -> int:
        return fork(name, self._log(name), body)

    def _log(self, name: str) -> Path:
        return self._config.home / "logs" / f"{name}.log"

    def _wait_until_ready(self) -> None:
        def body() -> None:
            readiness.wait(self._config)

        status = self._supervisor.wait_for(self._fork("ready", body), START_TIMEOUT)
        if status:
            raise ConfigError(
                "start_failed", f"Tacit doesn't get ready; {self._log('ready')} says why."
            )

    def _greet(self, prepared: Prepared) -> None:
        config = self._config
        Running(
            pid=os.getpid(),
            url=config.public_url,
            runtime_url=config.runtime_url,
            redis_url=config.redis_url,
            worker_user=user.uid if (user := worker_user()) else os.geteuid(),
        ).write(config.home)
        if concern := shortcoming():
            self._say(f"Note: {concern}")
        if prepared.ca_replaced:
            self._say(f"Note: the local CA was replaced; import {config.ca_file} again.")
        self._say(f"Tacit is ready at {config.public_url}")
        if prepared.setup_token:
            self._say(
                "Create the first administrator here (works once, for an hour):\n"
                f"  {config.public_url}/setup/{prepared.setup_token}"
            )
        self._say(
            f"Data: {config.home}   CA for your browser: {config.ca_file}   Ctrl+C stops it."
        )

    def _renew_certificate(self) -> None:
        """Once a day: a new certificate in time, taken up without a pause."""
        result, writing = os.pipe()

        def body() -> None:
            from app.keys.ca import ensure_tls

            files = ensure_tls(self._config.home, [self._config.host, self._config.bind])
            os.write(writing, b"renewed" if files.renewed else b"")

        pid = self._fork("prepare", body)
        os.close(writing)
        status = self._supervisor.wait_for(pid, START_TIMEOUT)
        with os.fdopen(result, "rb") as pipe:
            renewed = pipe.read() == b"renewed"
        if status == 0 and renewed:
            self._say("The listeners' certificate was renewed.")
            for name in ("web", "runtime", "live"):
                self._supervisor.signal(name, signal.SIGHUP)
        elif status:
            self._say(f"The certificate could not be checked; {self._log('prepare')} says why.")


