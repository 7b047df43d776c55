"""Transactions and times as every room relies on them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import String, event, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.db import Database, UtcDateTime, build_engine
from tests.support.database import new_database, sqlite_only


class _Base(DeclarativeBase):
    pass


class Row(_Base):
    """A table of the tests' own."""

    __tablename__ = "rows"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    count: Mapped[int] = mapped_column(default=0)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """A database with one row."""
    engine = build_engine(new_database(tmp_path))
    _Base.metadata.create_all(engine)
    database = Database(engine)
    with database.begin() as session:
        session.add(Row(id="a", at=None))
    yield database
    database.dispose()


def test_times_come_back_in_utc_to_the_microsecond(db: Database) -> None:
    moment = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with db.begin() as session:
        session.get_one(Row, "a").at = moment
    with db.read() as session:
        found = session.get_one(Row, "a").at
        raw = session.execute(text("select at from rows")).scalar_one()
    assert found == moment
    assert found is not None
    assert found.tzinfo is UTC
    if db.engine.dialect.name == "sqlite":
        assert raw == "2026-03-29 00:30:00.123456"


def test_naive_times_are_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="naive"), db.begin() as session:
        session.get_one(Row, "a").at = datetime(2026, 1, 1)


def test_an_exception_undoes_everything(db: Database) -> None:
    def change_and_fail() -> None:
        with db.begin() as session:
            session.get_one(Row, "a").count = 7
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        change_and_fail()
    with db.read() as session:
        assert session.get_one(Row, "a").count == 0


def test_what_is_called_last_belongs_to_the_transaction(db: Database) -> None:
    def fail(_: object) -> None:
        raise LookupError

    def change_with(last: object) -> None:
        with db.begin() as session:
            session.get_one(Row, "a").count += 1
            session.info["at_commit"].append(last)

    seen: list[int] = []
    change_with(lambda session: seen.append(session.get_one(Row, "a").count))
    assert seen == [1]
    with pytest.raises(LookupError):
        change_with(fail)
    with db.read() as session:
        assert session.get_one(Row, "a").count == 1


def test_writers_wait_for_each_other_and_lose_nothing(db: Database) -> None:
    def add(_: int) -> None:
        with db.begin() as session:
            session.get_one(Row, "a", with_for_update=True).count += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with db.read() as session:
        assert session.get_one(Row, "a").count == 40


@sqlite_only
def test_a_writer_asks_for_the_lock_only_when_the_one_before_it_is_done(db: Database) -> None:
    """Who asks while it is taken sleeps longer than that one takes."""
    asked: list[str] = []
    event.listen(
        db.engine, "begin", lambda _connection: asked.append(threading.current_thread().name),
        insert=True,
    )

    def write() -> None:
        with db.begin() as session:
            session.get_one(Row, "a").count += 1

    second = threading.Thread(target=write, name="second")
    with contextlib.suppress(ZeroDivisionError), db.begin():
        second.start()
        second.join(0.3)
        assert "second" not in asked
        raise ZeroDivisionError
    second.join(20)
    assert asked[-1] == "second"
    write()
    with db.read() as session:
        assert session.get_one(Row, "a").count == 2


def test_a_reader_sees_one_moment_and_never_waits(db: Database) -> None:
    entered, leave = threading.Event(), threading.Event()

    def write() -> None:
        with db.begin() as session:
            session.get_one(Row, "a").count = 5
            session.flush()
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    assert entered.wait(10)
    with db.read() as session:
        assert session.get_one(Row, "a").count == 0
        leave.set()
        thread.join(10)
        session.expire_all()
        assert session.get_one(Row, "a").count == 0
    with db.read() as session:
        assert session.get_one(Row, "a").count == 5


@sqlite_only
def test_commits_are_durable_and_references_hold(db: Database) -> None:
    with db.read() as session:
        pragmas = {
            name: session.execute(text(f"pragma {name}")).scalar_one()
            for name in ("synchronous", "journal_mode", "foreign_keys")
        }
    assert pragmas == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}
