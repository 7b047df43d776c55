"""The one setting of live streams."""

from __future__ import annotations

import pytest

from app.config import Config
from app.errors import ConfigError


def test_rights_are_checked_every_15_seconds_or_more_often() -> None:
    assert Config.load({}).live_recheck == 15
    assert Config.load({"TACIT_LIVE_RECHECK": "1"}).live_recheck == 1
    for text in ("0", "16", "-1", "1.5", "x", "٣"):
        with pytest.raises(ConfigError):
            Config.load({"TACIT_LIVE_RECHECK": text})
