"""What holds for all tests."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest
from hypothesis import settings

from tests.support import database

# A busy machine is slow, not wrong: how long one example takes says nothing here.
settings.register_profile("tacit", deadline=None)
settings.load_profile("tacit")

_session = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """One PostgreSQL server for the whole session; xdist's processes inherit its address."""
    if database.ON_POSTGRES and not hasattr(config, "workerinput"):
        os.environ[database.SERVER] = _session.enter_context(database.postgres_server())


def pytest_unconfigure() -> None:
    """Stop what the session started."""
    _session.close()
