"""One statement on a PostgreSQL server, by libpq without blocking.

libpq opens its own connections, so the egress guard can't make them: it resolves and checks, and
libpq is given the checked address (``hostaddr``) and asks no name server. Nothing else of its own
is left to it: no service or password file, no client certificate, no second host.
"""

from __future__ import annotations

import contextlib
import math
import re
import select
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, PollingStatus

from app.components.errors import NodeError, NodeTimeout
from app.components.sql.address import Address
from app.components.sql.statement import Statement
from app.components.sql.values import Rows, bound, from_postgres, to_postgres
from app.providers.egress import SLICE
from app.providers.errors import EgressError

if TYPE_CHECKING:
    from app.providers.egress import EgressGuard, Stop

_CANCEL_SECONDS: Final = 1.0
_ROWS: Final = frozenset({ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_OK})
_COPIES: Final = frozenset({ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH})
#: SQLSTATE classes after which trying again may help: connection, resources, shutdown, conflicts.
_PASSING: Final = ("08", "53", "57P", "40")
_REFUSALS: Final = (
    (
        "authentication failed|no pg_hba.conf entry|role .* does not exist|no password supplied",
        "sql_login_failed",
        "The database refused the user or the password. Look at the secrets that are wired in.",
        False,
    ),
    (
        "database .* does not exist", "sql_database_missing",
        "The server has no database of that name. Correct it in the node or in the address.",
        False,
    ),
    (
        "too many (connections|clients)|connection slots|starting up|shutting down|recovery mode",
        "sql_busy", "The server takes no connection for now. Try again later.", True,
    ),
    (
        "does not support SSL", "tls_failed",
        "The server has no TLS. Set it up there, or choose a connection without it where you "
        "trust the network.", False,
    ),
    (
        "certificate|SSL error", "tls_not_trusted",
        "The server's certificate isn't trusted, or is for another name. Give its authority in "
        "CA certificate, or correct the host.", False,
    ),
    (
        "authentication method requirement", "sql_password_in_clear",
        "The server asks for the password in clear text on a connection without TLS, so it wasn't "
        "sent. Turn TLS on, or have the server use scram-sha-256.", False,
    ),
)  # fmt: skip
_NO_ANSWER: Final = "refused|timeout|timed out|unreachable|No route|reset by peer|could not connect"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a statement is run.

    :param tls: whether to encrypt and verify, where the address doesn't say.
    :param ca_file: a PEM file of authorities.
    :param write: whether it may change data.
    """

    tls: bool
    ca_file: str
    write: bool


class Postgres:
    """A connection for one statement. To be closed."""

    def __init__(self, guard: EgressGuard, address: Address, terms: Terms, stop: Stop) -> None:
        self._stop = stop
        self._terms = terms
        self._connection = _connect(guard, address, terms, stop)

    def query(self, statement: Statement, parameters: Mapping[str, Any], rows: Rows) -> int:
        """Run a statement in a transaction of its own; returns how many rows it was about.

        :param rows: takes the result.
        :raises NodeError: ``sql_failed``, ``sql_read_only``, ``sql_denied``, ``sql_timeout``…
        """
        values = [to_postgres(value) for value in bound(statement.names, parameters)]
        milliseconds = max(1, int(self._stop.remaining() * 1000))
        self._simply(
            f"SET statement_timeout = {milliseconds}; SET datestyle = 'ISO'; "
            "SET intervalstyle = 'iso_8601'; SET extra_float_digits = 1; SET bytea_output = 'hex'; "
            f"BEGIN {'READ WRITE' if self._terms.write else 'READ ONLY'}"
        )
        # Parameters are sent apart, and a text sent so can hold one statement only.
        self._connection.send_query_params(statement.text.encode(), values)
        self._connection.set_single_row_mode()
        count = self._take(statement, rows)
        self._simply("COMMIT")
        return count

    def close(self) -> None:
        """Hang up; what is under way is cancelled on the server first."""
        try:
            if self._connection.transaction_status == pq.TransactionStatus.ACTIVE:
                _cancel(self._connection)
        finally:
            self._connection.finish()

    def _take(self, statement: Statement, rows: Rows) -> int:
        count = 0
        for result in self._results():
            if result.status in _ROWS:
                if not rows.columns:
                    rows.name([_text(result.fname(at)) for at in range(result.nfields)])
                kinds = [result.ftype(at) for at in range(result.nfields)]
                for row in range(result.ntuples):
                    cells = [result.get_value(row, at) for at in range(result.nfields)]
                    rows.add(
                        [from_postgres(cell, kind)
                         for cell, kind in zip(cells, kinds, strict=True)],
                        sum(len(cell or b"") + 4 for cell in cells),
                    )
            elif result.status in _COPIES:
                raise NodeError(
                    "sql_not_allowed", "COPY can't be used here. Use select and insert instead."
                )
            elif result.status != ExecStatus.COMMAND_OK:
                raise _failed(result, statement)
            count = result.command_tuples or count
        return max(count, len(rows.rows))

    def _simply(self, commands: str) -> None:
        """Run commands of our own."""
        self._connection.send_query(commands.encode())
        for result in self._results():
            if result.status != ExecStatus.COMMAND_OK:
                # A deferred constraint speaks at the end.
                raise _failed(result, None)

    def _results(self) -> Iterator[Any]:
        """Yield the results of what was sent, looking several times a second whether to stop."""
        connection = self._connection
        while connection.flush():
            self._wait(select.POLLOUT)
        while True:
            self._stop.check()
            while connection.is_busy():
                self._wait(select.POLLIN)
                try:
                    connection.consume_input()
                except psycopg.OperationalError:
                    raise _lost() from None
            result = connection.get_result()
            if result is None:
                return
            yield result

    def _wait(self, events: int) -> None:
        _wait(self._connection.socket, events, self._stop)


def _connect(guard: EgressGuard, address: Address, terms: Terms, stop: Stop) -> Any:
    """Connect to the first checked address that answers.

    :raises EgressError: what the guard raises; ``connection_failed``.
    :raises NodeError: ``sql_login_failed``, ``sql_database_missing``, ``tls_failed``…
    """
    found = guard.check(address.host, address.port, stop)
    for left, one in zip(range(len(found), 0, -1), found, strict=True):
        # The last one has all the time there is, and then it is the node's time that is over.
        until = math.inf if left == 1 else time.monotonic() + stop.remaining() / left
        connection = _open(_settings(address, terms, str(one)), until, stop)
        if connection is not None:
            return connection
    raise EgressError(
        "connection_failed", f"{address.origin.partition('://')[2]} can't be reached.",
        retryable=True,
    )


def _settings(address: Address, terms: Terms, hostaddr: str) -> bytes:
    tls = terms.tls if address.tls is None else address.tls
    settings = {
        "host": address.host, "hostaddr": hostaddr, "port": str(address.port),
        "dbname": address.database, "user": address.user, "password": address.password,
        "client_encoding": "UTF8", "application_name": "tacit",
        "passfile": "/dev/null", "gssencmode": "disable", "sslcertmode": "disable",
        "sslmode": "verify-full" if tls else "disable", "sslrootcert": terms.ca_file,
        "keepalives_idle": "30",
        # Without TLS the password itself must not be asked for: scram and md5 prove it.
        **({} if tls else {"require_auth": "!password"}),
    }
    return make_conninfo(**{name: value for name, value in settings.items() if value}).encode()


def _open(settings: bytes, until: float, stop: Stop) -> Any:
    """Return a connection; None where nothing answers at that address."""
    connection = pq.PGconn.connect_start(settings)
    try:
        while True:
            if connection.status == ConnStatus.BAD:
                break
            state = connection.connect_poll()
            if state == PollingStatus.OK:
                connection.nonblocking = 1
                return connection
            if state == PollingStatus.FAILED:
                break
            waiting = select.POLLIN if state == PollingStatus.READING else select.POLLOUT
            if not _wait(connection.socket, waiting, stop) and time.monotonic() >= until:
                connection.finish()
                return None
        _say(connection)
    except BaseException:
        connection.finish()
        raise
    connection.finish()
    return None


def _say(connection: Any) -> None:
    """Say why the server let nobody in; libpq's own words name user and database.

    libpq keeps no SQLSTATE of a refused start, so its words are read, and never shown.

    :raises NodeError: the server answered, and said no. Returns where nothing answered.
    """
    words = _text(connection.get_error_message())
    for pattern, code, sentence, retryable in _REFUSALS:
        if re.search(pattern, words):
            raise NodeError(code, sentence, retryable=retryable)
    if not re.search(_NO_ANSWER, words):
        raise NodeError(
            "sql_not_opened",
            "The database didn't let the node in, or isn't PostgreSQL. Look at its address, user, "
            "password and TLS.",
        )


def _failed(result: Any, statement: Statement | None) -> NodeError:
    state = _text(result.error_field(DiagnosticField.SQLSTATE))
    if state == "57014":
        return NodeTimeout(
            "The database gave the statement up: its time was over. Raise the time limit, or ask "
            "for less.", code="sql_timeout",
        )
    if state == "25006":
        return NodeError(
            "sql_read_only",
            "The statement changes data, and this node only reads. Set Access to read and change.",
        )
    if not state:
        return _lost()
    words = _text(result.error_field(DiagnosticField.MESSAGE_PRIMARY)).rstrip(".")
    position = _text(result.error_field(DiagnosticField.STATEMENT_POSITION))
    where = ""
    if statement is not None and position.isdecimal():
        where = f" in line {statement.line_at(int(position) - 1)}"
    return NodeError(
        "sql_denied" if state == "42501" else "sql_failed",
        f"The database refused the statement{where}: {words} (SQLSTATE {state}).",
        retryable=state.startswith(_PASSING),
    )


def _lost() -> NodeError:
    return NodeError(
        "connection_lost", "The connection to the database broke. Nothing was changed, unless it "
        "broke at the very end.", retryable=True,
    )


def _cancel(connection: Any) -> None:
    """Have the server give up what it is at; for a second at most, and whatever happens."""
    give_up = time.monotonic() + _CANCEL_SECONDS
    with contextlib.suppress(psycopg.Error, OSError):
        cancel = connection.cancel_conn()
        try:
            cancel.start()
            while (state := cancel.poll()) in (PollingStatus.READING, PollingStatus.WRITING):
                left = give_up - time.monotonic()
                if left <= 0:
                    break
                reading = state == PollingStatus.READING
                _ready(cancel.socket, select.POLLIN if reading else select.POLLOUT, left)
        finally:
            cancel.finish()


def _wait(descriptor: int, events: int, stop: Stop) -> bool:
    """Wait until a connection can go on, a short while at most; say whether it can."""
    stop.check()
    return _ready(descriptor, events, SLICE)


def _ready(descriptor: int, events: int, seconds: float) -> bool:
    # Not select(): it can't watch descriptors above 1023.
    poll = select.poll()
    poll.register(descriptor, events)
    return bool(poll.poll(seconds * 1000))


def _text(data: bytes | str | None) -> str:
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data or ""
