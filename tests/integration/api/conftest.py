"""Fixtures of the JSON API's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own."""
    made = Installation.make(tmp_path / "home")
    yield made
    made.services.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that the tests of a module share; each makes its own people."""
    made = Installation.make(tmp_path_factory.mktemp("shared") / "home")
    yield made
    made.services.close()
