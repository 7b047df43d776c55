"""How a refusal says that its first finding isn't the only one."""

from __future__ import annotations

import pytest

from app.components.problems import and_more


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, ""), (1, ""), (2, " There is 1 more."), (3, " There are 2 more.")],
)
def test_and_more(count: int, words: str) -> None:
    assert and_more([object()] * count) == words
