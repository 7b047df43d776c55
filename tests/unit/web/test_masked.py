"""Masked lines, taken apart for named chips."""

from __future__ import annotations

from app.web.masked import Part, mask_parts


def mask(offset: int, secret: str = "echo", version: int = 1) -> dict[str, object]:
    return {"offset": offset, "secret": secret, "version": version}


def test_a_chip_stands_where_the_stars_stand() -> None:
    parts = mask_parts("Bearer *** sent", [mask(7)])
    assert parts == [Part("Bearer "), Part("***", "echo", 1), Part(" sent")]


def test_masks_may_touch_and_come_in_any_order() -> None:
    parts = mask_parts("******", [mask(3, "b"), mask(0, "a")])
    assert [part.secret for part in parts] == ["a", "b"]


def test_a_mask_that_points_elsewhere_leaves_the_text_alone() -> None:
    assert mask_parts("Bearer ***", [mask(2), mask(40)]) == [Part("Bearer ***")]


def test_text_without_masks_and_empty_text() -> None:
    assert mask_parts("hello", []) == [Part("hello")]
    assert mask_parts("", []) == [Part("")]
