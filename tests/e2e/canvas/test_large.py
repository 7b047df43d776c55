"""A graph of which most is out of sight: that isn't painted, and nothing else is different."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.support.canvas import Canvas, graph, node

AWAY = "article.node.is-away"


def _many(count: int) -> dict[str, Any]:
    places = [(number % 20 * 300, number // 20 * 300) for number in range(count)]
    return graph(
        [node(f"n{number}", "output.log", *place) for number, place in enumerate(places)]
    )


def _find(canvas: Canvas, words: str) -> None:
    canvas.stage.focus()
    canvas.press("Control+f")
    canvas.page.get_by_test_id("quick-search").fill(words)
    canvas.press("Enter")


def _is_seen(canvas: Canvas, key: str) -> None:
    expect(canvas.node(key)).to_be_visible()
    expect(canvas.node(key)).to_be_in_viewport(ratio=0.9)
    expect(canvas.node(key).locator(".node__name")).to_be_visible()


def test_what_is_out_of_sight_is_not_painted_and_tab_finds_it(canvas: Canvas) -> None:
    canvas.draw(_many(200))
    away = canvas.page.locator(AWAY)
    expect(away).to_have_count(0)
    _find(canvas, "N110")
    _is_seen(canvas, "n110")
    expect(canvas.node("n2")).to_be_hidden()
    assert 100 < away.count() < 198

    # Tab goes from node to node in run order, in view or not.
    focused = canvas.page.locator("article.node:focus")
    before = "n110"
    for _ in range(12):
        canvas.press("Tab")
        expect(canvas.node(before)).not_to_be_focused()
        before = focused.get_attribute("data-node-id") or ""
        _is_seen(canvas, before)

    # All of it is painted where all of it is in view.
    canvas.focus()
    canvas.press("f")
    expect(away).to_have_count(0)
    expect(canvas.node("n2")).to_be_visible()


def test_what_has_the_focus_keeps_it_out_of_sight(canvas: Canvas) -> None:
    canvas.draw(_many(200))
    _find(canvas, "N0")
    expect(canvas.node("n0")).to_be_focused()
    stage = canvas.stage.bounding_box()
    assert stage
    canvas.page.mouse.move(stage["x"] + 300, stage["y"] + 300)
    for _ in range(30):
        canvas.page.mouse.wheel(100, 60)
    expect(canvas.node("n1")).to_be_hidden()
    expect(canvas.node("n0")).to_be_focused()
    canvas.press("d")
    assert canvas.saved()["nodes"][0]["disabled"] is True
    for _ in range(30):
        canvas.page.mouse.wheel(-100, -60)
    _is_seen(canvas, "n1")


def test_few_nodes_are_always_painted(canvas: Canvas) -> None:
    canvas.draw(_many(100))
    _find(canvas, "N99")
    _is_seen(canvas, "n99")
    canvas.page.wait_for_timeout(600)
    expect(canvas.page.locator(AWAY)).to_have_count(0)
    expect(canvas.node("n0")).to_be_visible()


def test_everything_lies_on_one_sheet(canvas: Canvas) -> None:
    """Pieces far from each other make a browser slow (docs/adr/0008-nodes-out-of-sight.md)."""
    canvas.draw(graph([node("a", "output.log", 0, 0), node("b", "output.log", 6000, 4000)]))
    _is_within_the_sheet(canvas, "a", "b")
    _find(canvas, "B")
    for _ in range(40):
        canvas.press("Shift+ArrowRight")
    assert canvas.positions()["b"][0] > 6000 + 2000
    canvas.press("f")
    _is_within_the_sheet(canvas, "a", "b")
    # The pointer goes through it: a double click on empty ground adds a node.
    box = canvas.stage.bounding_box()
    assert box
    canvas.page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(canvas.page.get_by_test_id("quick-search")).to_be_focused()


def _sheet(canvas: Canvas) -> Any:
    return canvas.page.locator(".stage__sheet").bounding_box()


def _is_within_the_sheet(canvas: Canvas, *keys: str) -> None:
    sheet = _sheet(canvas)
    for key in keys:
        box = canvas.node(key).bounding_box()
        assert box
        assert sheet["x"] < box["x"]
        assert sheet["y"] < box["y"]
        assert box["x"] + box["width"] < sheet["x"] + sheet["width"]
        assert box["y"] + box["height"] < sheet["y"] + sheet["height"]
