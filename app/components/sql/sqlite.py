"""One statement on a SQLite file in the run's own folder."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.components.errors import NodeError
from app.components.sql.statement import Statement
from app.components.sql.values import Rows, bound, from_sqlite, size_of, to_sqlite

if TYPE_CHECKING:
    from app.providers.egress import Stop

_STEPS: Final = 5_000
_MIB: Final = 1024 * 1024
_PAGES: Final = 256 * _MIB // 4096
_DENIED: Final = frozenset({
    sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_SAVEPOINT, sqlite3.SQLITE_CREATE_VTABLE, sqlite3.SQLITE_DROP_VTABLE,
})  # fmt: skip
"""Other files, virtual tables (extensions), and ends of the transaction that is around it."""
_PRAGMAS: Final = frozenset({
    "table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list",
})  # fmt: skip
_FUNCTIONS: Final = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile"})
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def query(
    file: Path,
    statement: Statement,
    parameters: Mapping[str, Any],
    rows: Rows,
    stop: Stop,
    *,
    write: bool,
) -> int:
    """Run a statement in a transaction of its own; returns how many rows it was about.

    :param rows: takes the result.
    :param write: whether it may change data.
    :raises NodeError: ``sql_failed``, ``sql_not_allowed``, ``sql_read_only``…
    """
    values = dict(zip(
        statement.names, map(to_sqlite, bound(statement.names, parameters)), strict=True
    ))
    if file.is_symlink():
        raise NodeError("file_linked", "The database file is a link. Name another one.")
    halt = _Halt(stop)
    with contextlib.closing(_open(file, halt, write=write)) as connection:
        try:
            return _within(connection, statement, values, rows, write=write, halt=halt)
        except sqlite3.Error as error:
            halt.raise_if_reached()
            raise _failed(error) from None
        except OverflowError:
            raise NodeError(
                "sql_parameter_not_valid", "A parameter is a number that SQLite can't take."
            ) from None


class _Halt:
    """Looks now and then whether to stop, from inside SQLite, which no exception may cross."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._reason: BaseException | None = None

    def __call__(self) -> bool:
        try:
            self._stop.check()
        except BaseException as error:  # raised again on the way out
            self._reason = error
        return self._reason is not None

    def raise_if_reached(self) -> None:
        if self._reason is not None:
            raise self._reason


def _open(file: Path, halt: Callable[[], bool], *, write: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, timeout=0.2, cached_statements=0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 16 * _MIB)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _MIB)
    for pragma in (
        "temp_store = memory", "trusted_schema = off", f"max_page_count = {_PAGES}",
        f"hard_heap_limit = {256 * _MIB}", f"query_only = {0 if write else 1}",
    ):
        connection.execute(f"pragma {pragma}")
    connection.set_progress_handler(halt, _STEPS)
    return connection


def _within(
    connection: sqlite3.Connection,
    statement: Statement,
    values: Mapping[str, Any],
    rows: Rows,
    *,
    write: bool,
    halt: _Halt,
) -> int:
    """Run the statement between a begin and a commit, which it can't reach itself."""
    while True:
        try:
            connection.execute("begin immediate" if write else "begin")
            break
        except sqlite3.OperationalError as error:
            # Another node of the run is writing; it waits in short steps to see an end of its own.
            if error.sqlite_errorcode not in _BUSY or halt():
                raise
    connection.set_authorizer(_authorize)
    # Closed whatever happens: a statement that isn't over keeps its lock on the file.
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(statement.text, values)
        if cursor.description is not None:
            rows.name([str(column[0]) for column in cursor.description])
        for row in cursor:
            rows.add([from_sqlite(cell) for cell in row], sum(size_of(cell) + 4 for cell in row))
        count = max(cursor.rowcount, len(rows.rows))
    connection.set_authorizer(None)
    connection.execute("commit")
    return count


def _authorize(action: int, one: str | None, two: str | None, *_: Any) -> int:
    if action in _DENIED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and (one or "").lower() not in _PRAGMAS:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (two or "").lower() in _FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _failed(error: sqlite3.Error) -> NodeError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # A function that isn't allowed is told of as a plain error of the statement.
    if code == sqlite3.SQLITE_AUTH or str(error).startswith("not authorized"):
        return NodeError(
            "sql_not_allowed",
            "The statement does what isn't allowed here: other files, extensions, settings, "
            "transactions. Take it out.",
        )
    if code == sqlite3.SQLITE_READONLY:
        return NodeError(
            "sql_read_only",
            "The statement changes data, and this node only reads. Set Access to read and change.",
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG):
        return NodeError(
            "sql_too_large", "The statement needs more than the 256 MiB that a database may have, "
            "or a value has more than 16 MiB. Make it do less.",
        )
    return NodeError(
        "sql_failed", f"The database refused the statement: {str(error).rstrip('.')}.",
        retryable=code in _BUSY,
    )
