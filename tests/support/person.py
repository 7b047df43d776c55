"""A person at the browser: signs in, drags nodes and wires with the mouse, reads what is shown."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.running import ADMIN, ADMIN_PASSWORD

STEPS = 12

PATIENT = """const wait = window.setTimeout;
window.setTimeout = (act, ms, ...more) => wait(act, ms === 1500 ? 20000 : ms, ...more);"""
"""A page gives the live stream 1.5 seconds to open, and asks instead then (run_feed.js); with this
script it has the time that a busy machine may need."""


class Person:
    """Someone with a mouse and a page of an installation."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def sign_in(self, email: str = ADMIN, password: str = ADMIN_PASSWORD) -> None:
        """Open the login page and sign in."""
        self.page.goto("/login")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/")

    def open_menu(self, name: str) -> None:
        """Go to a page by the menu."""
        self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()

    # ---- the canvas ----

    def drop_node(self, component: str, x: float, y: float) -> str:
        """Drag a component from the palette to a place of the stage; returns the node's id."""
        page = self.page
        before = set(self.nodes())
        item = self.centre(page.locator(f'.pal-item[data-component="{component}"]'))
        stage = page.get_by_test_id("canvas").bounding_box()
        assert stage
        self._drag(item, (stage["x"] + x, stage["y"] + y))
        expect(page.locator("article.node")).to_have_count(len(before) + 1)
        (made,) = set(self.nodes()) - before
        return made

    def nodes(self) -> list[str]:
        """Return the ids of the nodes on the stage."""
        found: list[str] = self.page.eval_on_selector_all(
            "article.node", "nodes => nodes.map((node) => node.dataset.nodeId)"
        )
        return found

    def node(self, node: str) -> Locator:
        """Return a node of the stage."""
        return self.page.locator(f'article.node[data-node-id="{node}"]')

    def pin(self, port: str, direction: str) -> Locator:
        """Return a pin, ``node.port``."""
        return self.page.locator(f'.pin[data-port="{port}"][data-direction="{direction}"]')

    def wire(self, source: str, target: str) -> None:
        """Drag a wire from an output to an input and let go."""
        self.hold_wire(source, target)
        self.page.mouse.up()

    def hold_wire(self, source: str, target: str) -> None:
        """Drag a wire from an output to an input, without letting go."""
        self._drag(
            self.centre(self.pin(source, "out")), self.centre(self.pin(target, "in")), drop=False
        )

    def open_node(self, node: str) -> Locator:
        """Click a node's name; returns the inspector."""
        self.node(node).locator(".node__name").click()
        inspector = self.page.get_by_test_id("inspector")
        expect(inspector.locator("#insp-label")).to_be_visible()
        return inspector

    def fill_field(self, node: str, field: str, text: str) -> None:
        """Type into a field of a node."""
        control = self.open_node(node).locator(f'[data-field="{field}"]').locator("input, textarea")
        control.fill(text)
        control.blur()

    def rename(self, node: str, label: str) -> None:
        """Give a node another name."""
        self.open_node(node)
        name = self.page.get_by_test_id("node-label")
        name.fill(label)
        name.press("Enter")

    def wait_until_saved(self) -> None:
        """Wait until the editor says that everything is saved."""
        saved = self.page.get_by_test_id("saved")
        # The words stay from the last time while a change waits; the state doesn't.
        expect(saved).to_have_attribute("data-state", "saved")
        expect(saved).to_contain_text("Saved")

    def state_of(self, node: str) -> str:
        """Return the state that a node shows."""
        return self.node(node).locator(".node__state").get_attribute("data-state") or ""

    def centre(self, locator: Locator) -> tuple[float, float]:
        """Return the middle of an element on the page, scrolled into view."""
        locator.scroll_into_view_if_needed()
        box: Any = locator.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def _drag(
        self, begin: tuple[float, float], end: tuple[float, float], *, drop: bool = True
    ) -> None:
        mouse = self.page.mouse
        mouse.move(*begin)
        mouse.down()
        mouse.move(*end, steps=STEPS)
        if drop:
            mouse.up()
