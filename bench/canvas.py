"""The canvas in headless Chromium beside a bare X6 page with the same graph, in the same run.

Ratios, since both sides share a noisy machine: what is asked of the canvas is what it adds to X6.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, sync_playwright

from app.components.registry import registry
from app.flows.graph import parse_graph
from app.flows.validation import find_problems
from bench.installation import EMAIL, Installation

STATIC = Path(__file__).parents[1] / "static"
NODES, WIRES = 1_000, 1_500
COLUMNS = 40
FRAMES = 60
OPENINGS = 3
#: Milliseconds that a busy machine may take for one step.
PATIENCE = 180_000
MIXED = ("secret.fetch", "http.request", "text.template", "output.log", "trigger.manual")

#: Draws the same boxes and wires with X6 alone; `bare` is what the measurements drive.
BARE = """
const graph = new X6.Graph({container: document.getElementById("stage"), width: 1100, height: 800,
  async: false, interacting: {nodeMovable: true}});
fetch("/graph.json").then((answer) => answer.json()).then((document_) => {
  graph.fromJSON({
    nodes: document_.nodes.map((node) => ({id: node.id, x: node.position[0], y: node.position[1],
      width: 204, height: 160, label: node.label, attrs: {body: {rx: 10}}})),
    edges: document_.edges.map((edge) => ({source: {cell: edge.source.node},
      target: {cell: edge.target.node}})),
  });
  graph.zoomToFit({padding: 40, maxScale: 1});
  window.bare = graph;
  requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("tacit-ready")));
});
"""
PAGE = """<!doctype html><meta charset="utf-8"><style>#stage{width:1100px;height:800px}</style>
<link rel="stylesheet" href="/x6.css"><div id="stage"></div><script src="/x6.js"></script>
<script src="/bare.js"></script>"""
#: Turns wheels on an element and measures the time from one frame to the next.
WHEEL = """async ([selector, frames, ctrlKey]) => {
  const target = document.querySelector(selector);
  const box = target.getBoundingClientRect();
  const taken = [];
  const next = () => new Promise(requestAnimationFrame);
  await next();
  let last = await next();
  for (let count = 0; count < frames; count += 1) {
    const sign = count % 20 < 10 ? 1 : -1;
    const event = new WheelEvent("wheel", {
      deltaX: ctrlKey ? 0 : 25 * sign, deltaY: 30 * sign, ctrlKey,
      clientX: box.x + 500, clientY: box.y + 400, bubbles: true, cancelable: true});
    if (window.bare && ctrlKey) bare.zoom(sign * 0.02);
    else if (window.bare) bare.translateBy(-25 * sign, -30 * sign);
    else target.dispatchEvent(event);
    const now = await next();
    taken.push(now - last);
    last = now;
  }
  return taken;
}"""

#: Asked in the page itself: its policy forbids the evaluation that Playwright's own waiting needs.
READY = """() => new Promise((done) => {
  const look = () => {
    const [mark] = performance.getEntriesByName("tacit-ready");
    if (mark) done(mark.startTime); else setTimeout(look, 20);
  };
  look();
})"""


@dataclass(frozen=True, slots=True)
class Canvas:
    """What was measured, in milliseconds; ``bare`` is X6 alone."""

    nodes: int
    wires: int
    open_ms: float
    open_bare_ms: float
    pan_p95: float
    pan_bare_p95: float
    zoom_p95: float
    zoom_bare_p95: float
    drag_p50: float
    key_ms: float
    undo_ms: float
    validate_ms: float

    def lines(self) -> list[str]:
        """Return the report: what is asked, what was found."""
        rows = [
            ("open to interactive", self.open_ms, f"{self.open_ms / self.open_bare_ms:.2f}x of "
             f"{self.open_bare_ms:.0f} ms", "at most 1.5x"),
            ("pan, p95 frame", self.pan_p95, f"{self.pan_p95 / self.pan_bare_p95:.2f}x of "
             f"{self.pan_bare_p95:.1f} ms", "at most 1.25x"),
            ("zoom, p95 frame", self.zoom_p95, f"{self.zoom_p95 / self.zoom_bare_p95:.2f}x of "
             f"{self.zoom_bare_p95:.1f} ms", "at most 1.25x"),
            ("drag a node with 10 wires, p50 frame", self.drag_p50, "", "60 Hz: 16.7 ms"),
            ("keystroke in the inspector to paint", self.key_ms, "", "under 50 ms"),
            ("undo of a paste of 200 nodes", self.undo_ms, "", "under 200 ms"),
            ("validation of 2,000 nodes on the server", self.validate_ms, "", "under 50 ms"),
        ]  # fmt: skip
        head = f"The canvas with {self.nodes:,} nodes and {self.wires:,} wires, beside bare X6:"
        return [head, *(f"  {name:42} {value:8.1f} ms  {ratio:18} ({asked})"
                        for name, value, ratio, asked in rows)]


def make_graph(nodes: int, wires: int) -> dict[str, Any]:
    """Return a graph of mixed nodes in columns; the first one has ten wires."""
    made = [
        {"id": f"n{number}", "component": MIXED[number % len(MIXED)], "label": f"Node {number}",
         "position": [number % COLUMNS * 280, number // COLUMNS * 320], "config": {}}
        for number in range(nodes)
    ]  # fmt: skip
    pairs = [(0, other) for other in range(1, 11)]
    step = 1
    while len(pairs) < wires:
        for number in range(1, nodes - step):
            if len(pairs) < wires:
                pairs.append((number, number + step))
        step += 1
    edges = [
        {"id": f"e{number}", "source": {"node": f"n{a}", "port": "done"},
         "target": {"node": f"n{b}", "port": "start"}}
        for number, (a, b) in enumerate(pairs)
    ]  # fmt: skip
    return {"schema": 1, "nodes": made, "edges": edges}


def measure(installation: Installation) -> Canvas:
    """Open, pan, zoom, drag, type and undo in both pages."""
    document = make_graph(NODES, WIRES)
    flow = installation.call("POST", "/flows", {"name": "Large", "graph": document})["id"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        context = browser.new_context(
            ignore_https_errors=True, viewport={"width": 1440, "height": 900},
            permissions=["clipboard-read", "clipboard-write"],
        )  # fmt: skip
        context.set_default_timeout(PATIENCE)
        bare, page = context.new_page(), context.new_page()
        _serve_bare(bare, json.dumps(document))
        _sign_in(page, installation)
        url = f"{installation.running['url']}/flows/{flow}"
        page.goto(url)
        page.wait_for_selector("#editor[data-ready]", state="attached")
        opened, opened_bare = [], []
        for _ in range(OPENINGS):
            opened_bare.append(_open(bare, "http://bare.test/"))
            opened.append(_open(page, url))
        bare.bring_to_front()
        pan_bare, zoom_bare = (_wheel(bare, "#stage", ctrl) for ctrl in (False, True))
        page.bring_to_front()
        pan, zoom = (_wheel(page, "#main", ctrl) for ctrl in (False, True))
        drag, key, undo = _drag(page), _key(page), _undo(page)
        browser.close()
    return Canvas(
        NODES, WIRES, statistics.median(opened), statistics.median(opened_bare), pan, pan_bare,
        zoom, zoom_bare, drag, key, undo, _validate(),
    )  # fmt: skip


def _serve_bare(page: Page, document: str) -> None:
    files = {"/x6.css": STATIC / "vendor/x6/x6.css", "/x6.js": STATIC / "vendor/x6/x6.min.js"}

    def answer(route: Route) -> None:
        path = "/" + route.request.url.rpartition("/")[2]
        if path in files:
            route.fulfill(path=files[path])
        elif path == "/bare.js":
            route.fulfill(body=BARE, content_type="text/javascript")
        elif path == "/graph.json":
            route.fulfill(body=document, content_type="application/json")
        else:
            route.fulfill(body=PAGE, content_type="text/html")

    page.route("http://bare.test/**", answer)


def _open(page: Page, url: str) -> float:
    """Load a page; until the second frame after everything is drawn and bound."""
    page.bring_to_front()
    page.goto(url)
    return float(page.evaluate(READY))


def _sign_in(page: Page, installation: Installation) -> None:
    page.goto(f"{installation.running['url']}/login")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(installation.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


def _wheel(page: Page, selector: str, ctrl: bool) -> float:
    taken = page.evaluate(WHEEL, [selector, FRAMES, ctrl])
    return float(sorted(taken)[int(len(taken) * 0.95)])


def _drag(page: Page) -> float:
    """Drag the node that has ten wires, one step a frame."""
    page.get_by_test_id("canvas").focus()
    page.keyboard.press("Control+f")
    page.get_by_test_id("quick-search").fill("n0")
    page.keyboard.press("Enter")
    page.keyboard.press("0")
    page.wait_for_timeout(300)
    return float(
        page.evaluate(
            """async () => {
              const stage = document.getElementById("main");
              const head = document.querySelector('[data-node-id="n0"] .node__name');
              const box = head.getBoundingClientRect();
              const send = (type, x, y) => (type === "pointerdown" ? head : stage).dispatchEvent(
                new PointerEvent(type, {clientX: x, clientY: y, bubbles: true, cancelable: true,
                  pointerId: 1, button: 0, pointerType: "mouse"}));
              stage.setPointerCapture = () => {};
              send("pointerdown", box.x + 5, box.y + 5);
              const next = () => new Promise(requestAnimationFrame);
              let last = await next();
              const taken = [];
              for (let count = 1; count <= 60; count += 1) {
                send("pointermove", box.x + 5 + count * 4, box.y + 5 + count * 2);
                const now = await next();
                taken.push(now - last);
                last = now;
              }
              send("pointerup", box.x + 245, box.y + 125);
              return taken.sort((a, b) => a - b)[30];
            }"""
        )
    )


def _key(page: Page) -> float:
    """Type into a field of an HTTP Request; from the key to the frame after."""
    page.keyboard.press("Control+f")
    page.get_by_test_id("quick-search").fill("n1 http")
    page.keyboard.press("Enter")
    field = page.get_by_test_id("inspector").locator("#f-url")
    field.focus()
    taken = [
        float(
            page.evaluate(
                """async () => {
                  const field = document.getElementById("f-url");
                  const begin = performance.now();
                  field.value += "x";
                  field.dispatchEvent(new Event("input", {bubbles: true}));
                  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
                  return performance.now() - begin;
                }"""
            )
        )
        for _ in range(9)
    ]
    return statistics.median(taken)


def _undo(page: Page) -> float:
    """Paste 200 nodes and undo; from the key to the frame after."""
    clip = make_graph(200, 300)
    page.evaluate("text => navigator.clipboard.writeText(text)", json.dumps(clip))
    page.get_by_test_id("canvas").focus()
    page.keyboard.press("Control+v")
    page.locator(f"article.node >> nth={NODES + 199}").wait_for(state="attached")
    page.wait_for_timeout(1500)
    return float(
        page.evaluate(
            """async () => {
              const begin = performance.now();
              document.getElementById("main").dispatchEvent(
                new KeyboardEvent("keydown", {key: "z", ctrlKey: true, bubbles: true}));
              await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
              return performance.now() - begin;
            }"""
        )
    )


def _validate() -> float:
    """Parse and check 2,000 nodes as a save does; the CPU time of the best of five."""
    document = make_graph(2_000, 3_000)
    taken = []
    for _ in range(5):
        begin = time.process_time()
        find_problems(parse_graph(document), registry())
        taken.append(1000 * (time.process_time() - begin))
    return min(taken)
