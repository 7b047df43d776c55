"""Narrow pages and people who want no motion."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.support.canvas import Canvas, chain


@pytest.fixture
def narrow(canvas: Canvas) -> Iterator[Canvas]:
    """The canvas of a chain; the page is wide again afterwards."""
    canvas.draw(chain())
    yield canvas
    canvas.page.emulate_media(reduced_motion="no-preference")
    canvas.page.set_viewport_size({"width": 1440, "height": 900})


def test_at_900_px_panels_come_when_asked_for(narrow: Canvas) -> None:
    narrow.page.set_viewport_size({"width": 900, "height": 800})
    palette = narrow.page.locator(".palette")
    expect(palette).to_be_hidden()
    narrow.page.get_by_test_id("add-node").click()
    expect(palette).to_be_visible()
    narrow.press("Escape")
    narrow.page.mouse.click(*narrow.at(420, 60))
    narrow.press("f")
    narrow.open_node("log")
    narrow.press("Escape")
    expect(narrow.page.get_by_test_id("inspector")).to_be_hidden()


def test_at_900_px_one_can_undo_and_a_banner_covers_no_panel(narrow: Canvas) -> None:
    narrow.page.set_viewport_size({"width": 900, "height": 800})
    narrow.focus()
    narrow.press("f")
    narrow.page.context.set_offline(True)
    try:
        narrow.open_node("text")
        narrow.page.get_by_test_id("inspector").locator("#f-template").fill("other")
        banner = narrow.page.locator("[data-banner]")
        expect(banner).to_contain_text("can't be reached")
        box = banner.bounding_box()
        for other in (narrow.page.get_by_test_id("inspector"),
                      narrow.page.get_by_test_id("add-node")):  # fmt: skip
            there = other.bounding_box()
            assert box
            assert there
            assert (box["x"] + box["width"] <= there["x"]
                    or there["y"] + there["height"] <= box["y"])  # fmt: skip
    finally:
        narrow.page.context.set_offline(False)
    narrow.page.get_by_test_id("undo").click()
    assert narrow.saved()["nodes"][3]["config"]["template"] == "hello"


def test_at_760_px_one_looks_and_runs(narrow: Canvas) -> None:
    narrow.page.set_viewport_size({"width": 740, "height": 800})
    saved = narrow.page.get_by_test_id("saved")
    expect(saved).to_be_visible()
    expect(saved).to_have_text("View only at this width")
    before = narrow.api.get(f"/flows/{narrow.flow}").get_json()["revision"]
    narrow.focus()
    narrow.press("f", "n")
    expect(narrow.page.get_by_test_id("quick-add")).to_be_hidden()
    x, y = narrow.centre(narrow.node("text").locator(".node__name"))
    narrow.drag((x, y), (x + 60, y + 60))
    narrow.press("Delete")
    narrow.press("Control+z")
    expect(narrow.said).to_have_text("This canvas is view only.")
    expect(narrow.page.locator("article.node")).to_have_count(5)
    expect(narrow.page.get_by_test_id("run")).to_be_enabled()
    assert narrow.api.get(f"/flows/{narrow.flow}").get_json()["revision"] == before
    narrow.page.set_viewport_size({"width": 390, "height": 780})
    narrow.page.wait_for_function("innerWidth === 390")
    run = narrow.page.get_by_test_id("run").bounding_box()
    assert run
    assert run["x"] + run["width"] <= 390
    narrow.page.set_viewport_size({"width": 1440, "height": 900})
    expect(saved).to_contain_text("Saved")


def test_a_save_that_ends_while_one_only_looks(narrow: Canvas) -> None:
    held: list[Route] = []
    narrow.page.route(
        f"**/api/v1/flows/{narrow.flow}",
        lambda route: held.append(route) if route.request.method == "PUT" else route.continue_(),
    )
    saved = narrow.page.get_by_test_id("saved")
    narrow.page.set_viewport_size({"width": 1440, "height": 900})
    narrow.focus("text")
    narrow.press("d")
    expect(saved).to_have_text("Saving…")
    narrow.page.set_viewport_size({"width": 740, "height": 800})
    expect(saved).to_have_text("View only at this width")
    held.pop().continue_()
    expect(saved).to_have_attribute("data-state", "saved")
    expect(saved).to_have_text("View only at this width")
    narrow.page.set_viewport_size({"width": 1440, "height": 900})
    expect(saved).to_contain_text("Saved")


def test_nothing_moves_by_itself_where_motion_is_not_wanted(narrow: Canvas) -> None:
    narrow.page.emulate_media(reduced_motion="reduce")
    moving = narrow.page.evaluate(
        """() => {
          const wire = document.querySelector(".x6-edge");
          wire.classList.add("is-live");
          const spin = document.createElement("i");
          spin.className = "icon spin";
          document.getElementById("main").append(spin);
          const names = [wire.querySelector(".wire-hit"), spin]
            .map((element) => getComputedStyle(element).animationName);
          spin.remove();
          wire.classList.remove("is-live");
          return names;
        }"""
    )
    assert moving == ["none", "none"]
