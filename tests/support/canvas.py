"""A flow's canvas in the browser, for tests of what hands do there."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.installation import PASSWORD, Api, Installation
from tests.support.person import Person


def node(
    key: str, component: str, x: float, y: float, label: str = "", **config: Any
) -> dict[str, Any]:
    """Return a node of a graph document."""
    return {
        "id": key, "component": component, "label": label or key.title(), "position": [x, y],
        "config": config,
    }  # fmt: skip


def edge(key: str, source: str, target: str) -> dict[str, Any]:
    """Return a wire between two ``node.port``."""
    (a, out), (b, into) = source.split("."), target.split(".")
    return {"id": key, "source": {"node": a, "port": out}, "target": {"node": b, "port": into}}


def graph(
    nodes: list[dict[str, Any]], edges: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a graph document."""
    return {"schema": 1, "nodes": nodes, "edges": edges or [], **more}


def chain() -> dict[str, Any]:
    """A secret, a call and a log, wired; a template and a second log, loose."""
    return graph(
        [
            node("fetch", "secret.fetch", 0, 0, "Token", secretName="echo_token"),
            node("call", "http.request", 300, 0, "Call", url="https://example.org/"),
            node("log", "output.log", 620, 0, "Log"),
            node("text", "text.template", 300, 400, "Text", template="hello"),
            node("other", "output.log", 620, 400, "Other"),
        ],
        [edge("e1", "fetch.value", "call.bearer_token"), edge("e2", "call.body", "log.message")],
    )


class Canvas(Person):
    """A person at the canvas of a flow.

    :param api: reads what was saved.
    """

    def __init__(self, page: Page, api: Api, origin: str) -> None:
        super().__init__(page)
        self.api, self.origin = api, origin
        self.flow = ""
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def enter(self, installation: Installation, **who: Any) -> None:
        """Sign in as a new person."""
        _, email = installation.person(**who)
        self.page.goto(f"{self.origin}/login")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/")

    def draw(self, document: dict[str, Any]) -> None:
        """Make a flow of a graph and open its canvas."""
        made = self.api.post("/flows", json={"name": "Canvas", "graph": document})
        assert made.status_code == 201, made.get_json()
        self.open(made.get_json()["id"])

    def open(self, flow: str) -> None:
        """Open the canvas of a flow."""
        self.flow = flow
        self.page.goto(f"{self.origin}/flows/{flow}")
        self.page.wait_for_selector("#editor[data-ready]")

    @property
    def stage(self) -> Locator:
        """The stage."""
        return self.page.get_by_test_id("canvas")

    @property
    def said(self) -> Locator:
        """What is announced to screen readers."""
        return self.page.get_by_test_id("announce")

    def press(self, *keys: str) -> None:
        """Press keys, with focus where it is."""
        for key in keys:
            self.page.keyboard.press(key)

    def focus(self, key: str = "") -> None:
        """Select a node by its head, or nothing and focus the stage."""
        if key:
            self.node(key).locator(".node__name").click()
        else:
            self.stage.focus()
            self.press("Escape")
            self.stage.focus()

    def select(self, *keys: str) -> None:
        """Select several nodes with Shift and the mouse."""
        self.focus()
        for key in keys:
            self.node(key).locator(".node__name").click(modifiers=["Shift"])

    def drag(
        self, begin: tuple[float, float], end: tuple[float, float], *, drop: bool = True
    ) -> None:
        """Drag from one point of the page to another."""
        self._drag(begin, end, drop=drop)

    def wire_end(self, at: str, to: str) -> None:
        """Take the wire in an input and let go of it over another input."""
        self.drag(self.centre(self.pin(at, "in")), self.centre(self.pin(to, "in")))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the page, given from the corner of the stage."""
        box = self.stage.bounding_box()
        assert box
        return box["x"] + x, box["y"] + y

    def saved(self) -> dict[str, Any]:
        """Save, and return the graph as the server has it."""
        self.press("Control+s")
        self.wait_until_saved()
        answer = self.api.get(f"/flows/{self.flow}").get_json()
        return dict(answer["graph"])

    def wires(self) -> set[str]:
        """Save, and return the wires as ``a.out>b.in``."""
        return {
            f"{one['source']['node']}.{one['source']['port']}>"
            f"{one['target']['node']}.{one['target']['port']}"
            for one in self.saved()["edges"]
        }

    def positions(self) -> dict[str, list[float]]:
        """Save, and return where every node is."""
        return {one["id"]: one["position"] for one in self.saved()["nodes"]}

    def labels(self) -> list[str]:
        """Save, and return the nodes' labels."""
        return [one["label"] for one in self.saved()["nodes"]]

    def steps(self, label: str) -> None:
        """Expect the undo button to name a step."""
        expect(self.page.get_by_test_id("undo")).to_have_attribute("aria-label", f"Undo: {label}")
