"""What the tests of the statements share: an installation, and what its audit wrote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.installation import Installation
from tests.support.runs import Workshop
from tests.support.runtime_standin import RuntimeStandin, runtime_standin


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """An installation with a person who may do everything and a worker, for one module."""
    made = Installation.make(tmp_path_factory.mktemp("statements") / "home")
    yield Workshop.open(made)
    made.services.close()


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeStandin]:
    """What stands in for the server of a real worker, for one module."""
    with runtime_standin(tmp_path_factory.mktemp("runtime")) as server:
        yield server
