"""What the integration tests of the core share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.installation import Installation
from tests.support.runs import Workshop


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """An installation with a person and a worker, for the tests of one module."""
    made = Installation.make(tmp_path_factory.mktemp("workshop") / "home")
    yield Workshop.open(made)
    made.services.close()
