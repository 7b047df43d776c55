"""What holds for all tests."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest
from hypothesis import settings
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from tests.support import database

# A busy machine is slow, not wrong: how long one example takes says nothing here.
settings.register_profile("tacit", deadline=None)
settings.load_profile("tacit")

_session = ExitStack()


@event.listens_for(Session, "do_orm_execute")
def _no_lock_while_reading(state: ORMExecuteState) -> None:
    """SQLite passes over what PostgreSQL refuses: FOR UPDATE where a transaction only reads."""
    if getattr(state.statement, "_for_update_arg", None) is not None:
        options = state.session.get_bind().get_execution_options()
        assert not options.get("ro"), "rows are locked in a transaction that only reads"


def pytest_configure(config: pytest.Config) -> None:
    """One PostgreSQL server for the whole session; xdist's processes inherit its address."""
    if database.ON_POSTGRES and not hasattr(config, "workerinput"):
        os.environ[database.SERVER] = _session.enter_context(database.postgres_server())


def pytest_unconfigure() -> None:
    """Stop what the session started."""
    _session.close()
