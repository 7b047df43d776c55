"""Statements that are compiled once and run on the driver's own cursor.

SQLAlchemy's execution of a prepared statement costs eight times what SQLite takes for it (86 µs
beside 10, measured). Where a request runs a dozen of them, that is the request. What is kept: its
SQL for each dialect, its types' conversion of parameters, its errors. Everything else of the
product goes through SQLAlchemy itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeEngine

Row = tuple[Any, ...]
_Convert = Callable[[Any], Any]
_CURSOR = "prepared_cursor"


class _Compiled:
    """A statement as one dialect's driver takes it."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.dialect = dialect
        self.text: str = compiled.string
        self._positions: list[str] | None = compiled.positiontup
        self._fixed: dict[str, Any] = {
            name: value for name, value in compiled.params.items() if value is not None
        }
        self._convert: dict[str, _Convert] = {}
        for bind, name in compiled.bind_names.items():
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                self._convert[name] = convert

    def values(self, parameters: Mapping[str, Any]) -> Any:
        """Return what the driver binds: a tuple or a mapping, as it counts or names them."""
        given = {**self._fixed, **parameters} if self._fixed else dict(parameters)
        for name, convert in self._convert.items():
            given[name] = convert(given[name])
        if self._positions is None:
            return given
        return tuple([given[name] for name in self._positions])


class Prepared:
    """One statement, run in the transaction of a session of :class:`app.db.Database`.

    Every parameter is named by each call; what the statement itself holds stays as it is.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, session: Session, parameters: Mapping[str, Any]) -> list[Row]:
        """Return the rows as the driver has them; types that need it are converted by the reader.

        :raises DBAPIError: the database refuses.
        """
        cursor, compiled = self._ready(session)
        try:
            cursor.execute(compiled.text, compiled.values(parameters))
            found: list[Row] = cursor.fetchall()
        except compiled.dialect.loaded_dbapi.Error as error:
            raise _wrapped(compiled, error) from error
        return found

    def row(self, session: Session, parameters: Mapping[str, Any]) -> Row | None:
        """Return the first row, or None.

        :raises DBAPIError: the database refuses.
        """
        found = self.rows(session, parameters)
        return found[0] if found else None

    def write(self, session: Session, *each: Mapping[str, Any]) -> None:
        """Run the statement once for each set of parameters.

        :raises DBAPIError: the database refuses, ``IntegrityError`` among them.
        """
        cursor, compiled = self._ready(session)
        try:
            if len(each) == 1:
                cursor.execute(compiled.text, compiled.values(each[0]))
            else:
                cursor.executemany(compiled.text, [compiled.values(one) for one in each])
        except compiled.dialect.loaded_dbapi.Error as error:
            raise _wrapped(compiled, error) from error

    def _ready(self, session: Session) -> tuple[Any, _Compiled]:
        cursor = driver_cursor(session)
        dialect: Dialect = session.info["dialect"]
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled(self._statement, dialect)
        return cursor, compiled


def driver_cursor(session: Session) -> Any:
    """Return the session's own cursor of the driver, its transaction begun.

    It belongs to the connection and lives as long: a cursor that died with its session could be
    collected as garbage while another thread has the connection, and SQLite's driver then waits
    for that thread without letting any other go on, until the database's lock is given up.
    """
    cursor = session.info.get(_CURSOR)
    if cursor is None:
        connection = session.connection()
        session.info["dialect"] = connection.dialect
        kept = connection.info
        if _CURSOR not in kept:
            kept[_CURSOR] = connection.connection.cursor()
        cursor = session.info[_CURSOR] = kept[_CURSOR]
    return cursor


def converters(types: Sequence[TypeEngine[Any]], dialect: Dialect) -> list[tuple[int, _Convert]]:
    """Return what has to be done to a driver's row: places, and the conversion at each."""
    found: list[tuple[int, _Convert]] = []
    for place, one in enumerate(types):
        convert = one.dialect_impl(dialect).result_processor(dialect, None)
        if convert is not None:
            found.append((place, convert))
    return found


def _wrapped(compiled: _Compiled, error: Exception) -> BaseException:
    """Return a driver's error as SQLAlchemy's, which names no parameters."""
    return DBAPIError.instance(
        compiled.text, None, error, compiled.dialect.loaded_dbapi.Error,
        hide_parameters=True, dialect=compiled.dialect,
    )
