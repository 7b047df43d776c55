"""Fingers: real touch events, as the browser makes them of a screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from tests.support.canvas import Canvas, chain
from tests.support.installation import Installation

STEPS = 8
Point = tuple[float, float]


class Fingers:
    """Up to two fingers on the screen."""

    def __init__(self, session: CDPSession) -> None:
        self.session = session

    def drag(self, *paths: tuple[Point, Point]) -> None:
        """Put a finger on the start of each path and draw all of them to their ends."""
        self._send("touchStart", [start for start, _ in paths])
        for step in range(1, STEPS + 1):
            self._send("touchMove", [
                (a[0] + (b[0] - a[0]) * step / STEPS, a[1] + (b[1] - a[1]) * step / STEPS)
                for a, b in paths
            ])  # fmt: skip
        self._send("touchEnd", [])

    def _send(self, kind: str, points: list[Point]) -> None:
        self.session.send("Input.dispatchTouchEvent", {
            "type": kind,
            "touchPoints": [{"x": x, "y": y, "id": number}
                            for number, (x, y) in enumerate(points)],
        })  # fmt: skip


@pytest.fixture(scope="module")
def opened(browser: Browser, place: Installation, origin: str) -> Iterator[Canvas]:
    """A signed-in person's page on a screen that is touched."""
    context = browser.new_context(
        ignore_https_errors=True, viewport={"width": 1200, "height": 900}, has_touch=True
    )
    canvas = Canvas(context.new_page(), place.api(place.token()), origin)
    canvas.enter(place)
    yield canvas
    context.close()


@pytest.fixture
def fingers(canvas: Canvas) -> Fingers:
    """Fingers on the canvas of a chain."""
    canvas.draw(chain())
    return Fingers(canvas.page.context.new_cdp_session(canvas.page))


def test_one_finger_moves_a_node_and_pans_beside_it(canvas: Canvas, fingers: Fingers) -> None:
    before = canvas.positions()
    x, y = canvas.centre(canvas.node("text").locator(".node__name"))
    fingers.drag(((x, y), (x + 60, y + 40)))
    moved = canvas.positions()
    assert moved["text"] != before["text"]
    x, y = canvas.centre(canvas.node("text").locator(".node__name"))
    start = canvas.at(60, 560)
    fingers.drag((start, (start[0] + 120, start[1] - 50)))
    after = canvas.centre(canvas.node("text").locator(".node__name"))
    assert after == pytest.approx((x + 120, y - 50), abs=2)
    assert canvas.positions() == moved


def test_two_fingers_zoom_around_their_middle(canvas: Canvas, fingers: Fingers) -> None:
    before = canvas.positions()
    percent = canvas.page.locator('[data-zoom="reset"]')
    at_first = int((percent.text_content() or "").rstrip("%"))
    x, y = canvas.centre(canvas.node("text").locator(".node__name"))
    fingers.drag(((x - 100, y), (x - 50, y)), ((x + 100, y), (x + 50, y)))
    at_last = int((percent.text_content() or "").rstrip("%"))
    assert at_last == pytest.approx(at_first / 2, abs=2)
    after = canvas.centre(canvas.node("text").locator(".node__name"))
    assert after == pytest.approx((x, y), abs=12)
    assert canvas.positions() == before


def test_a_finger_draws_a_wire(canvas: Canvas, fingers: Fingers) -> None:
    canvas.page.keyboard.press("f")
    fingers.drag((canvas.centre(canvas.pin("text.text", "out")),
                  canvas.centre(canvas.pin("other.message", "in"))))
    expect(canvas.said).to_contain_text("Connected Text.text to Other.message")
    assert "text.text>other.message" in canvas.wires()


def test_a_tap_opens_and_a_tap_beside_closes(canvas: Canvas, fingers: Fingers) -> None:
    at = canvas.centre(canvas.node("log").locator(".node__name"))
    canvas.page.touchscreen.tap(*at)
    expect(canvas.page.get_by_test_id("node-label")).to_have_value("Log")
    canvas.page.touchscreen.tap(*canvas.at(60, 600))
    expect(canvas.page.get_by_test_id("node-label")).to_have_count(0)
