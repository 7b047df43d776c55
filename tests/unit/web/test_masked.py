"""Masked lines, taken apart for named chips."""

from __future__ import annotations

from app.web.masked import Part, mask_parts, output_parts


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


def place(*path: object, offset: int = 0, **more: object) -> dict[str, object]:
    return {"path": list(path), "offset": offset, "secret": "echo", "version": 1, **more}


CHIP = Part("***", "echo", 1)


def test_outputs_name_what_stood_where_at_any_depth() -> None:
    assert output_parts("Bearer ***", [place(offset=7)], longest=99) == [Part("Bearer "), CHIP]
    deep = {"headers": {"Authorization": "Basic *** ***"}, "list": [1, "***"], "***x": None}
    masks = [
        place("headers", "Authorization", offset=6), place("headers", "Authorization", offset=10),
        place("list", 1), place("***x", key=True),
    ]
    assert output_parts(deep, masks, longest=999) == [
        Part('{"headers": {"Authorization": "Basic '), CHIP, Part(" "), CHIP,
        Part('"}, "list": [1, "'), CHIP, Part('"], "'), CHIP, Part('x": null}'),
    ]


def test_outputs_masks_that_lead_nowhere_change_nothing() -> None:
    value = {"a": "***", "\ue000": 1}
    masks = [place("b"), place("a", "b"), place("a", offset=9), place(offset=3)]
    assert output_parts(value, masks, longest=99) == [Part('{"a": "***", "\ue000": 1}')]
    assert output_parts(value, [place("a")], longest=99)[1] == CHIP


def test_long_outputs_are_cut_and_previews_keep_their_masks() -> None:
    assert output_parts("x" * 30, [], longest=10) == [Part("x" * 10 + "…")]
    assert output_parts("***" + "x" * 30, [place()], longest=4) == [CHIP, Part("x…")]
    begun = {"preview": "a *** b", "characters": 9, "truncated": True}
    assert output_parts(begun, [place("preview", offset=2)], longest=99) == [
        Part("a "), CHIP, Part(" b…"),
    ]
