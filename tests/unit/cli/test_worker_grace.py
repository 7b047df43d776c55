"""How long the supervisor waits for a worker that was asked to stop."""

from __future__ import annotations

import pytest

from app.cli.worker import STOP_SECONDS, grace
from app.config import DRAIN_SECONDS
from app.errors import ConfigError
from worker import parent


def test_it_is_longer_than_the_worker_lets_a_run_go_on() -> None:
    assert parent.STOPPING_PATIENCE < STOP_SECONDS
    assert grace({}) == DRAIN_SECONDS + STOP_SECONDS
    assert grace({"TACIT_DRAIN_SECONDS": "0"}) == STOP_SECONDS
    assert grace({"TACIT_DRAIN_SECONDS": "90.5"}) == 90.5 + STOP_SECONDS


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "1e9"])
def test_what_is_no_number_of_seconds_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="TACIT_DRAIN_SECONDS"):
        grace({"TACIT_DRAIN_SECONDS": text})
