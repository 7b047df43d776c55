"""Keys and gestures of the design's table that no other test presses."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.canvas import Canvas, chain, graph, node


def _place(canvas: Canvas, key: str) -> tuple[float, float]:
    box = canvas.node(key).bounding_box()
    assert box
    return box["x"], box["y"]


def _zoom(canvas: Canvas) -> int:
    shown = canvas.page.locator('[data-zoom="reset"]').inner_text()
    return int(shown.removesuffix("%"))


def test_slash_goes_to_the_palette_and_n_adds(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    canvas.press("/")
    expect(canvas.page.get_by_test_id("palette-search")).to_be_focused()
    # In a field letters are letters.
    canvas.page.keyboard.type("n/r")
    expect(canvas.page.get_by_test_id("palette-search")).to_have_value("n/r")
    expect(canvas.page.get_by_test_id("quick-add")).to_be_hidden()


def test_plus_minus_and_zero_zoom(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    canvas.press("0")
    assert _zoom(canvas) == 100
    canvas.press("+")
    assert _zoom(canvas) == 120
    canvas.press("-", "-")
    assert _zoom(canvas) == 83
    canvas.press("=", "0")
    assert _zoom(canvas) == 100
    canvas.press("f")
    expect(canvas.node("other")).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize(("key", "by"), [("ArrowRight", [20, 0]), ("Shift+ArrowDown", [0, 100])])
def test_arrows_move_the_selection_as_one_step(
    canvas: Canvas, key: str, by: list[float]
) -> None:
    canvas.draw(chain())
    before = canvas.positions()
    canvas.select("call", "log")
    canvas.press(key)
    after = canvas.positions()
    for name in ("call", "log"):
        assert [b - a for a, b in zip(before[name], after[name], strict=True)] == by
    assert after["text"] == before["text"]
    canvas.press("Control+z")
    assert canvas.positions() == before


def test_p_steps_through_the_problems(canvas: Canvas) -> None:
    canvas.draw(graph([
        node("one", "http.request", 0, 0, "One"), node("two", "http.request", 400, 0, "Two"),
    ]))  # fmt: skip
    expect(canvas.page.get_by_test_id("problems")).to_contain_text("2")
    canvas.focus()
    canvas.press("p")
    expect(canvas.page.get_by_test_id("inspector")).to_have_attribute(
        "aria-label", "Inspector: One"
    )
    canvas.stage.focus()
    canvas.press("p")
    expect(canvas.page.get_by_test_id("inspector")).to_have_attribute(
        "aria-label", "Inspector: Two"
    )


def test_control_s_saves_now_also_from_a_field(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus("text")
    field = canvas.page.locator('.insp__body [data-field="template"] textarea')
    field.fill("saved from the field")
    canvas.press("Control+s")
    expect(canvas.said).to_have_text("Saved.")
    nodes = canvas.api.get(f"/flows/{canvas.flow}").get_json()["graph"]["nodes"]
    assert nodes[3]["config"]["template"] == "saved from the field"


def test_control_s_takes_a_name_that_is_being_typed(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus("text")
    label = canvas.page.get_by_test_id("node-label")
    label.fill("Typed just now")
    canvas.press("Control+s")
    expect(canvas.said).to_have_text("Saved.")
    expect(label).to_be_focused()
    nodes = canvas.api.get(f"/flows/{canvas.flow}").get_json()["graph"]["nodes"]
    assert nodes[3]["label"] == "Typed just now"


def test_the_middle_button_and_the_minimap_look_elsewhere(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    canvas.press("0")
    x, y = _place(canvas, "call")
    canvas.page.mouse.move(*canvas.at(420, 620))
    canvas.page.mouse.down(button="middle")
    canvas.page.mouse.move(*canvas.at(480, 590), steps=4)
    canvas.page.mouse.up(button="middle")
    assert _place(canvas, "call") == pytest.approx((x + 60, y - 30), abs=1)
    assert canvas.positions()["call"] == [300, 0]

    stage = canvas.stage.bounding_box()
    map_ = canvas.page.get_by_test_id("minimap").bounding_box()
    assert stage
    assert map_
    corner = map_["x"] + 8, map_["y"] + 8
    canvas.page.mouse.move(*corner)
    canvas.page.mouse.down()
    canvas.page.mouse.up()
    first = _place(canvas, "call")
    canvas.page.mouse.move(map_["x"] + map_["width"] - 8, map_["y"] + map_["height"] - 8)
    canvas.page.mouse.down()
    canvas.page.mouse.up()
    second = _place(canvas, "call")
    # What lay right of and below the middle came towards it.
    assert second[0] < first[0] - 100
    assert second[1] < first[1] - 50


def test_the_outline_has_the_focus_at_once_and_keeps_it(canvas: Canvas) -> None:
    """Whoever types on has their keys where they look, whatever is drawn anew meanwhile."""
    canvas.draw(chain())
    canvas.focus()
    canvas.press("o", "c")
    expect(canvas.page.get_by_test_id("connect-search")).to_be_focused()
    canvas.press("Escape")
    # What is done and undone elsewhere draws the outline anew; the focus stays on the same wire.
    canvas.focus("other")
    canvas.press("d")
    canvas.focus()
    wire = canvas.page.locator('[data-outline-wire="e2"]')
    wire.focus()
    wire.evaluate("button => button.classList.add('of-before')")
    canvas.press("Control+z")
    expect(canvas.page.locator(".of-before")).to_have_count(0)
    expect(wire).to_be_focused()
