"""Fixtures of the accounts' tests."""

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
