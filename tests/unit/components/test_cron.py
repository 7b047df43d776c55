"""Cron expressions: which are taken, and when they are due on the days when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from app.components.binding import find_config_problems
from app.components.cron import is_expression, latest_times, times_after
from app.components.registry import registry

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    """Read a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def after(expression: str, zone: str, moment: str, count: int) -> list[str]:
    """Return the next times."""
    return [
        f"{time:%d %H:%M}" for time in islice(times_after(expression, zone, at(moment)), count)
    ]


@pytest.mark.parametrize("good", ["* * * * *", "30 6 * * 1-5", "0 0 L * *", "*/7 1,2 * JAN MON#1"])
def test_what_is_an_expression(good: str) -> None:
    assert is_expression(good)


@pytest.mark.parametrize(
    "bad",
    ["", "* * * *", "* * * * * *", "61 * * * *", "@daily", "0 0 30 2 *", "a b c d e", "R * * * *"],
)
def test_what_is_none(bad: str) -> None:
    assert not is_expression(bad)
    component = registry().get("trigger.schedule")
    (problem,) = find_config_problems(component, {"cron": bad})
    assert problem.field == "cron"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "/etc/passwd", "", "Europe"])
def test_what_is_no_time_zone(zone: str) -> None:
    component = registry().get("trigger.schedule")
    (problem,) = find_config_problems(component, {"cron": "* * * * *", "timezone": zone})
    assert problem.field == "timezone"
    assert "IANA" in problem.message


def test_clocks_that_go_forward_and_back() -> None:
    # 2026-03-29: 02:30 doesn't exist in Berlin; it runs right after the gap.
    assert after("30 2 * * *", BERLIN, "2026-03-28T12:00", 2) == ["29 01:00", "30 00:30"]
    # 2026-10-25: 02:30 comes twice; it runs once. A wildcard runs in both hours.
    assert after("30 2 * * *", BERLIN, "2026-10-24T12:00", 2) == ["25 00:30", "26 01:30"]
    assert after("30 * * * *", BERLIN, "2026-10-25T00:00", 3) == [
        "25 00:30", "25 01:30", "25 02:30"
    ]


def test_the_last_times_are_counted_backwards() -> None:
    until = at("2026-11-25T12:00")
    found = latest_times("* * * * *", "UTC", until - timedelta(days=365), until, 3)
    assert found == [until - timedelta(minutes=n) for n in (2, 1, 0)]
    assert latest_times("0 6 * * *", "UTC", at("2026-11-25T06:00"), until, 24) == [
        at("2026-11-25T06:00")
    ]
    assert latest_times("0 6 * * *", "UTC", at("2026-11-25T06:01"), until, 24) == []
    late = at("2026-11-25T06:00:30")
    assert latest_times("0 6 * * *", "UTC", at("2026-11-25T06:00"), late, 24) == [
        at("2026-11-25T06:00")
    ]
