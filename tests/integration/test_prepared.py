"""Statements on the driver's own cursor: conversions, errors, and the refusals of the seals."""

from __future__ import annotations

import gc
import sqlite3
import threading
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Table, bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from app.db import Database, build_engine
from app.ids import new_id, utcnow
from app.keys.records import Reading
from app.keys.sealed import Tampered
from app.prepared import Prepared
from app.runs.models import Worker
from app.vault.models import SpentToken
from tests.support.database import sqlite_only
from tests.support.installation import canary
from tests.support.runs import SigningWorker, Workshop

_TOKENS = cast(Table, SpentToken.__table__)
_SPENT = Prepared(insert(_TOKENS))
_MOVED = Prepared(
    update(_TOKENS).where(_TOKENS.c.jti == bindparam("of")).values(expires_at=bindparam("end"))
)
_WORKER = Reading(Worker)
_READ = Prepared(select(*_WORKER.columns).where(Worker.id == bindparam("id")))


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The module's database."""
    return workshop.installation.services.db


def _enrolled(workshop: Workshop) -> str:
    return SigningWorker.enrol(workshop.installation, f"w{new_id()}").id


def test_writes_what_the_orm_reads(db: Database) -> None:
    first, second, end = new_id(), new_id(), utcnow()
    with db.begin() as session:
        _SPENT.write(
            session, {"jti": first, "expires_at": utcnow()}, {"jti": second, "expires_at": end}
        )
        _MOVED.write(session, {"of": first, "end": end})
    with db.read() as session:
        assert [session.get_one(SpentToken, jti).expires_at for jti in (first, second)] == [end] * 2


def test_errors_are_sqlalchemys_and_name_no_parameter(db: Database) -> None:
    jti = canary()[:64]
    row = {"jti": jti, "expires_at": utcnow()}
    with pytest.raises(IntegrityError) as refused, db.begin() as session:
        _SPENT.write(session, row, row)
    assert "INSERT INTO spent_tokens" in str(refused.value)
    # PostgreSQL's own text names the key that was there already.
    assert jti not in str(refused.value).partition("DETAIL")[0]
    with db.read() as session:
        assert session.get(SpentToken, jti) is None

    unknown = Prepared(select(text("nothing")).select_from(text("nowhere")))
    with pytest.raises(SQLAlchemyError) as refused2, db.begin() as session:
        unknown.rows(session, {})
    assert isinstance(refused2.value, ProgrammingError) or "nowhere" in str(refused2.value)


def test_a_parameter_that_is_left_out_is_an_error(db: Database) -> None:
    with pytest.raises(KeyError), db.begin() as session:
        _SPENT.write(session, {"jti": new_id()})


def test_a_row_that_was_good_is_refused_once_it_is_changed(
    db: Database, workshop: Workshop
) -> None:
    worker_id = _enrolled(workshop)

    def read() -> Worker:
        with db.begin() as session:
            row = _READ.row(session, {"id": worker_id})
            assert row is not None
            return _WORKER.get(session, row)

    first = read()
    # Remembered: the same row is the same record.
    assert read() is first
    with db.begin() as session:
        session.execute(
            text("UPDATE workers SET environment_id = :other WHERE id = :id"),
            {"other": workshop.installation.environment(f"e{new_id()}"), "id": worker_id},
        )
    with pytest.raises(Tampered):
        read()
    with db.begin() as session:
        session.execute(
            text("UPDATE workers SET environment_id = :own WHERE id = :id"),
            {"own": first.environment_id, "id": worker_id},
        )
    assert read() is first


def test_rows_are_checked_anew_under_other_keys(db: Database, workshop: Workshop) -> None:
    seals = workshop.installation.services.db._info["seals"]
    with db.begin() as session:
        row = _READ.row(session, {"id": _enrolled(workshop)})
        assert row is not None
        _WORKER.get(session, row)
        assert seals.known_good
        kept = seals._rows
        try:
            seals._rows = type(kept).of(b"another key that never sealed anything"[:32])
            with pytest.raises(Tampered):
                _WORKER.get(session, row)
        finally:
            seals._rows = kept


@sqlite_only
def test_the_rest_of_a_failed_session_stops_no_thread(tmp_path: Path) -> None:
    """What an error leaves behind is collected while another waits on the same connection."""
    database = Database(build_engine(f"sqlite:///{tmp_path}/one.db"))
    with database.begin() as session:
        session.execute(text("create table spent_tokens (jti text unique, expires_at text)"))
    gc.disable()
    try:
        with pytest.raises(IntegrityError) as left:
            _write_twice(database)
        del left
        other = sqlite3.connect(tmp_path / "one.db", isolation_level=None)
        other.execute("begin immediate")
        waiting = threading.Thread(target=_write_one, args=(database,))
        waiting.start()
        while not database.engine.pool.checkedout():  # type: ignore[attr-defined]
            waiting.join(0.01)
        # It waits inside SQLite by now, or the next line proves less than it could.
        waiting.join(0.3)
        assert gc.collect()
        assert waiting.is_alive(), "the collector waited until the database's lock was given up"
        other.execute("rollback")
        waiting.join(30)
        with database.read() as session:
            assert session.scalar(text("select count(*) from spent_tokens")) == 1
    finally:
        gc.enable()
        database.dispose()


def _write_twice(database: Database) -> None:
    row = {"jti": "a", "expires_at": utcnow()}
    with database.begin() as session:
        # A circle, as a traceback that names itself is one: only the collector ends it.
        session.info["itself"] = session
        _SPENT.write(session, row, row)


def _write_one(database: Database) -> None:
    with database.begin() as session:
        _SPENT.write(session, {"jti": new_id(), "expires_at": utcnow()})
