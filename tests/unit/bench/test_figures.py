"""Percentiles by nearest rank, and the table's columns."""

from __future__ import annotations

import pytest

from bench.figures import Requirement, percentile, table


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)]
)
def test_percentile_is_a_measured_value(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_percentile_of_one() -> None:
    assert percentile([7.5], 0.95) == 7.5


def test_table_lines_up() -> None:
    lines = table([("what", "ms"), ("a longer name", "1.0")]).splitlines()
    assert lines == ["what            ms", "-" * 18, "a longer name  1.0"]


@pytest.mark.parametrize(
    ("measured", "most", "holds"), [(9.0, True, True), (11.0, True, False), (9.0, False, False),
                                    (10.0, False, True), (10.0, True, True)]
)
def test_a_requirement_holds_within_its_bound(measured: float, most: bool, holds: bool) -> None:
    requirement = Requirement("speed", measured, 10, " ms", most=most)
    assert requirement.holds is holds
    assert requirement.row()[-1] == ("holds" if holds else "MISSED")
    assert requirement.row()[1:3] == (f"{measured:g} ms", f"{'≤' if most else '≥'} 10 ms")
