"""A run's row without the ORM: what was set is written with the commit, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, text

from app.db import Database
from app.ids import new_id, utcnow
from app.keys.sealed import Tampered
from app.runs.locked import CHANGED, lock_run
from app.runs.models import Run
from tests.support.runs import Workshop


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The module's database."""
    return workshop.installation.services.db


def _row(db: Database, run_id: str) -> dict[str, Any]:
    with db.read() as session:
        run = session.get_one(Run, run_id)
        return {column.key: getattr(run, column.key) for column in inspect(Run).columns}


def test_it_reads_what_the_orm_reads_and_writes_what_it_reads_back(
    workshop: Workshop, db: Database
) -> None:
    run_id = workshop.run(workshop.flow(), inputs={"day": [1, None, "x"]}).id
    before = _row(db, run_id)
    later = utcnow() + timedelta(hours=1)
    new = {
        "state": "running", "held": True, "problems": [{"code": "a", "message": "b"}], "fence": 3,
        "last_seq": 7, "stored_bytes": 2**40, "started_at": later, "finished_at": later,
        "deadline": later, "lease_expires_at": later,
    }
    assert new.keys() == set(CHANGED)
    with db.begin() as session:
        run = lock_run(session, run_id)
        assert run is not None
        assert vars(run) == {
            name: value for name, value in before.items()
            if name not in {"fired", "created_at", "enqueued_at"}
        }
        for name, value in new.items():
            setattr(run, name, value)
    # The seal stands as it was, and holds.
    assert _row(db, run_id) == before | new


def test_an_error_leaves_the_row_as_it_was(workshop: Workshop, db: Database) -> None:
    run_id = workshop.run(workshop.flow()).id
    before = _row(db, run_id)

    def fail() -> None:
        with db.begin() as session:
            run = lock_run(session, run_id)
            assert run is not None
            run.state = "failed"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _row(db, run_id) == before


def test_what_is_not_written_back_can_not_be_set(workshop: Workshop, db: Database) -> None:
    run_id = workshop.run(workshop.flow()).id
    with db.begin() as session:
        run = lock_run(session, run_id)
        assert run is not None
        for name in ("user_id", "flow_version_id", "cancel_requested", "inputs", "row_mac"):
            with pytest.raises(AttributeError, match=name):
                setattr(run, name, None)


def test_a_row_that_was_changed_outside_is_refused(workshop: Workshop, db: Database) -> None:
    run_id = workshop.run(workshop.flow()).id
    with db.begin() as session:
        session.execute(
            text("UPDATE runs SET user_id = :other WHERE id = :id"),
            {"other": new_id(), "id": run_id},
        )
    with pytest.raises(Tampered), db.begin() as session:
        lock_run(session, run_id)


def test_there_is_none(db: Database) -> None:
    with db.begin() as session:
        assert lock_run(session, new_id()) is None
