"""The database: engine, transactions and column types.

The request, job or command owns the transaction (:meth:`Database.begin` or
:meth:`Database.read`); services take the session and never commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    TypeDecorator,
    create_engine,
    event,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeEngine

from app.groups import GroupCommit

T = TypeVar("T")
BUSY_SECONDS = 30
"""How long a transaction waits for SQLite's lock."""

Id = String(36)
"""Column type of ids: a UUIDv7 in its 36 characters, the same text on every database."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC with microseconds; naive times are refused."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive time given to the database")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The root of all models, with constraint names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        datetime: UtcDateTime,
        # None is SQL's NULL, not the text “null”.
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
    }


def build_engine(url: str) -> Engine:
    """Make the engine; call it after any fork, since connections don't survive one.

    Its errors name statements without their parameters: tracebacks end up in logs.
    """
    if not url.startswith("sqlite"):
        # The URL as PostgreSQL's own tools write it means the driver that Tacit brings along.
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        return create_engine(
            url, pool_pre_ping=True, pool_size=16, max_overflow=32, hide_parameters=True
        )
    engine = create_engine(url, pool_size=16, max_overflow=48, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _pragmas(dbapi: Any, _record: object) -> None:
        # The driver's own transaction handling is off: it would begin late, as a reader, and
        # two readers that both want to write deadlock into "database is locked".
        dbapi.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}", "journal_mode=wal", "synchronous=full",
            "foreign_keys=on",
        ):
            dbapi.execute(f"pragma {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("ro")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _for_reading(engine: Engine) -> Engine:
    """Return the engine whose transactions see the database as it was when they began."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(ro=True)
    # By itself PostgreSQL shows each statement what was committed just before it.
    return engine.execution_options(
        ro=True, isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


class Database:
    """Transactions over one engine.

    :param info: what every session carries in ``Session.info``: ``seals``, the row-MAC and
        audit keys (see :mod:`app.keys.seals`).
    """

    def __init__(self, engine: Engine, info: dict[str, Any] | None = None) -> None:
        self.engine = engine
        self._read_engine = _for_reading(engine)
        self._info = info or {}
        lite = engine.dialect.name == "sqlite"
        self._turn = threading.Lock() if lite else None
        self._group = GroupCommit(self.begin) if lite else None

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a writing transaction: committed on leaving, rolled back on an exception.

        What has to be written last is in the list ``Session.info["at_commit"]``: callables that
        take the session, called before the commit (see :mod:`app.audit.events`).
        """
        info = {**self._info, "at_commit": []}
        with self._turn_to_write(), Session(
            self.engine, expire_on_commit=False, info=info
        ) as session:
            with session.begin():
                yield session
                for last in info["at_commit"]:
                    last(session)

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        """Wait for the other writers of this process.

        SQLite has one writer, and who finds its lock taken sleeps a millisecond, then two, five,
        ten: longer than most transactions last.
        """
        # Past the time that SQLite itself waits, SQLite is to say what is wrong.
        taken = self._turn is not None and self._turn.acquire(timeout=BUSY_SECONDS)
        try:
            yield
        finally:
            if self._turn is not None and taken:
                self._turn.release()

    def run(self, do: Callable[[Session], T]) -> T:
        """Do a short work in a writing transaction, committed when this returns.

        On SQLite, works that arrive together share a commit (see :mod:`app.groups`): for what
        many ask for at once, and what waits for nothing but the database.
        """
        if self._group is not None:
            return self._group.run(do)
        with self.begin() as session:
            return do(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a reading transaction: a consistent view that never waits for a writer."""
        with Session(self._read_engine, expire_on_commit=False, info=dict(self._info)) as session:
            with session.begin():
                yield session

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
