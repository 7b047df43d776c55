"""The canvas in headless Chromium beside a bare X6 page with the same graph, in the same run.

Ratios, since both sides share a noisy machine: what is asked of the canvas is what it adds to X6.
The browser trusts the installation's certificate, as a person's does: what it may keep, it keeps.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import BrowserContext, Page, Route, sync_playwright

from app.components.registry import registry
from app.flows.graph import parse_graph
from app.flows.validation import find_problems
from bench import canvas_pages as pages
from bench.figures import Requirement
from bench.installation import EMAIL, Installation

STATIC = Path(__file__).parents[1] / "static"
NODES, WIRES = 1_000, 1_500
MANY = 2_000
COLUMNS = 40
FRAMES = 60
OPENINGS = 3
#: Milliseconds that a busy machine may take for one step.
PATIENCE = 60_000
MIXED = ("secret.fetch", "http.request", "text.template", "output.log", "trigger.manual")


@dataclass(frozen=True, slots=True)
class Canvas:
    """What was measured, in milliseconds; ``bare`` is X6 alone.

    :param many_ms: opening 2,000 nodes and 3,000 wires.
    :param live_ms: the page's longest task, in processor time, while a run of 100 nodes tells its
        events.
    :param live_events: how many these were.
    """

    nodes: int
    wires: int
    open_ms: float
    open_bare_ms: float
    pan_p95: float
    pan_bare_p95: float
    read_p95: float
    read_bare_p95: float
    zoom_p95: float
    zoom_bare_p95: float
    drag_p50: float
    key_ms: float
    refusal_ms: float
    undo_ms: float
    many_ms: float
    validate_ms: float
    live_ms: float
    live_events: int

    def lines(self) -> list[str]:
        """Return what was found beside what bare X6 took."""
        rows = [
            ("open to interactive", self.open_ms, self.open_bare_ms),
            ("pan, p95 frame", self.pan_p95, self.pan_bare_p95),
            ("pan at full size, p95", self.read_p95, self.read_bare_p95),
            ("zoom, p95 frame", self.zoom_p95, self.zoom_bare_p95),
        ]
        return [
            f"The canvas with {self.nodes:,} nodes and {self.wires:,} wires, beside bare X6:",
            *(f"  {name:24} {mine:7.0f} ms, {bare:7.0f} ms alone" for name, mine, bare in rows),
            f"  {MANY:,} nodes open in {self.many_ms:.0f} ms; a run of 100 nodes told "
            f"{self.live_events:,} events.",
        ]

    def requirements(self) -> list[Requirement]:
        """Return what must hold."""
        return [
            Requirement("canvas, open 1,000 nodes beside bare X6",
                        self.open_ms / self.open_bare_ms, 1.5, "×"),
            Requirement("canvas, pan p95 frame beside bare X6",
                        self.pan_p95 / self.pan_bare_p95, 1.25, "×"),
            Requirement("canvas, pan at full size p95 frame beside bare X6",
                        self.read_p95 / self.read_bare_p95, 1.25, "×"),
            Requirement("canvas, zoom p95 frame beside bare X6",
                        self.zoom_p95 / self.zoom_bare_p95, 1.25, "×"),
            Requirement("canvas, drag a node with 10 wires, p50 frame", self.drag_p50, 17, " ms"),
            Requirement("canvas, keystroke in the inspector to paint", self.key_ms, 50, " ms"),
            Requirement("canvas, reason of a refused wire", self.refusal_ms, 80, " ms"),
            Requirement("canvas, undo of a paste of 200 nodes", self.undo_ms, 200, " ms"),
            Requirement("validation of 2,000 nodes on the server", self.validate_ms, 50, " ms"),
            Requirement("canvas, longest task in a live run", self.live_ms, 100, " ms"),
        ]


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
    return {"schema": 1, "nodes": made, "edges": _order(pairs)}


def make_busy_graph() -> dict[str, Any]:
    """Return a graph of 100 calls that nobody answers, ten tries each: 2,000 changes of state."""
    made = [
        {"id": f"n{number}", "component": "http.request", "label": f"Call {number}",
         "position": [number % 10 * 280, number // 10 * 320],
         "config": {"url": "http://127.0.0.1:1/"},
         "retry": {"count": 9, "backoff_seconds": 0, "jitter": 0}, "on_error": "continue"}
        for number in range(100)
    ]  # fmt: skip
    return {"schema": 1, "nodes": made, "edges": _order([(n, n + 10) for n in range(90)])}


def _order(pairs: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [
        {"id": f"e{number}", "source": {"node": f"n{a}", "port": "done"},
         "target": {"node": f"n{b}", "port": "start"}}
        for number, (a, b) in enumerate(pairs)
    ]  # fmt: skip


def measure(installation: Installation) -> Canvas:
    """Open, pan, zoom, drag, type, refuse and undo; follow a run."""
    document = make_graph(NODES, WIRES)
    graphs = {"Large": document, "Many": make_graph(MANY, 3_000), "Busy": make_busy_graph()}
    flows = {name: installation.call("POST", "/flows", {"name": name, "graph": graph})["id"]
             for name, graph in graphs.items()}  # fmt: skip
    urls = {name: f"{installation.running['url']}/flows/{flow}" for name, flow in flows.items()}
    with _browser(installation) as context:
        bare, page = context.new_page(), context.new_page()
        _serve_bare(bare, json.dumps(document))
        _sign_in(page, installation)
        _open(page, urls["Large"])  # what may be kept is kept from now on
        opened, opened_bare = [], []
        for _ in range(OPENINGS):
            opened_bare.append(_open(bare, "http://bare.test/"))
            opened.append(_open(page, urls["Large"]))
        pan, pan_bare = _wheels(page, bare, ctrl=False)
        zoom, zoom_bare = _wheels(page, bare, ctrl=True)
        page.bring_to_front()
        middle = f"n{NODES // 2}"
        _find(page, middle)
        bare.evaluate(pages.CENTRE, middle)
        read, read_bare = _wheels(page, bare, ctrl=False)
        page.bring_to_front()
        _find(page, "n0")
        refusal, drag = float(page.evaluate(pages.REFUSE)), float(page.evaluate(pages.DRAG))
        key, undo = _key(page), _undo(page)
        many = _open(page, urls["Many"])
        _find(page, f"n{MANY - 1}")
        _open(page, urls["Busy"])
        live = _live(page)
    run = installation.call("GET", f"/runs?flow_id={flows['Busy']}")["items"][0]["id"]
    return Canvas(
        NODES, WIRES, statistics.median(opened), statistics.median(opened_bare), pan, pan_bare,
        read, read_bare, zoom, zoom_bare, drag, key, refusal, undo, many, _validate(), live,
        _count_events(installation, run),
    )  # fmt: skip


@contextmanager
def _browser(installation: Installation) -> Iterator[BrowserContext]:
    pem = (installation.home / "tls" / "server.pem").read_bytes()
    key = x509.load_pem_x509_certificate(pem).public_key()
    public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = base64.b64encode(hashlib.sha256(public).digest()).decode()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", f"--ignore-certificate-errors-spki-list={trusted}"],
        )
        context = browser.new_context(
            viewport={"width": 1440, "height": 900},
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(PATIENCE)
        yield context
        browser.close()


def _serve_bare(page: Page, document: str) -> None:
    files = {"/x6.css": STATIC / "vendor/x6/x6.css", "/x6.js": STATIC / "vendor/x6/x6.min.js"}

    def answer(route: Route) -> None:
        path = "/" + route.request.url.rpartition("/")[2]
        if path in files:
            route.fulfill(path=files[path])
        elif path == "/bare.js":
            route.fulfill(body=pages.BARE, content_type="text/javascript")
        elif path == "/graph.json":
            route.fulfill(body=document, content_type="application/json")
        else:
            route.fulfill(body=pages.PAGE, content_type="text/html")

    page.route("http://bare.test/**", answer)


def _open(page: Page, url: str) -> float:
    """Load a page; until the second frame after everything is drawn and bound."""
    page.bring_to_front()
    page.goto(url)
    return float(page.evaluate(pages.READY))


def _sign_in(page: Page, installation: Installation) -> None:
    page.goto(f"{installation.running['url']}/login")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(installation.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


def _wheels(page: Page, bare: Page, *, ctrl: bool) -> tuple[float, float]:
    """Turn the wheel on both pages in turns; the median of three p95 frames of each."""
    turns = [(_wheel(page, "#main", ctrl), _wheel(bare, "#stage", ctrl)) for _ in range(3)]
    mine, alone = zip(*turns, strict=True)
    return statistics.median(mine), statistics.median(alone)


def _wheel(page: Page, selector: str, ctrl: bool) -> float:
    page.bring_to_front()
    taken = page.evaluate(pages.WHEEL, [selector, FRAMES, ctrl])
    return float(sorted(taken)[int(len(taken) * 0.95)])


def _find(page: Page, words: str) -> None:
    """Go to a node by its name, at a scale at which it can be read."""
    page.get_by_test_id("canvas").focus()
    page.keyboard.press("Control+f")
    page.get_by_test_id("quick-search").fill(words)
    page.keyboard.press("Enter")
    page.locator(f'[data-node-id="{words.split()[0]}"] .node__name').wait_for()
    page.wait_for_timeout(300)


def _key(page: Page) -> float:
    """Type into a field of an HTTP Request; from the key to the frame after."""
    _find(page, "n1 http")
    page.get_by_test_id("inspector").locator("#f-url").focus()
    return statistics.median(float(page.evaluate(pages.KEY)) for _ in range(9))


def _undo(page: Page) -> float:
    """Paste 200 nodes and undo; from the key to the frame after; the median of three."""
    clip = json.dumps(make_graph(200, 300))
    page.evaluate("text => navigator.clipboard.writeText(text)", clip)
    taken = []
    for _ in range(3):
        page.get_by_test_id("canvas").focus()
        page.keyboard.press("Control+v")
        page.locator(f"article.node >> nth={NODES + 199}").wait_for(state="attached")
        page.wait_for_timeout(1500)
        taken.append(float(page.evaluate(pages.UNDO)))
        page.wait_for_timeout(1000)
    return statistics.median(taken)


def _live(page: Page) -> float:
    """Run the flow that is open; the longest task of the page's main thread until it is over.

    In processor time: the run's own processes want the machine at the same moments.
    """
    browser = page.context.browser
    assert browser is not None
    browser.start_tracing(page=page, categories=["toplevel"])
    page.get_by_test_id("run").click()
    page.locator('[data-testid="run-state"][data-state="succeeded"]').wait_for()
    page.wait_for_timeout(500)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {(event["pid"], event["tid"]) for event in events
               if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"}
    return max(
        event.get("tdur", 0) / 1000
        for event in events
        if event["name"] == "ThreadControllerImpl::RunTask"
        and (event["pid"], event["tid"]) in threads
    )


def _count_events(installation: Installation, run: str) -> int:
    counted, after = 0, 0
    while items := installation.call(
        "GET", f"/runs/{run}/events?after={after}&limit=500"
    )["items"]:
        counted, after = counted + len(items), items[-1]["seq"]
    return counted


def _validate() -> float:
    """Parse and check 2,000 nodes as a save does; the CPU time of the best of five."""
    document = make_graph(MANY, 3_000)
    taken = []
    gc.collect()
    gc.freeze()  # what this process has loaded meanwhile; servers do the same with theirs
    for _ in range(5):
        begin = time.process_time()
        find_problems(parse_graph(document), registry())
        taken.append(1000 * (time.process_time() - begin))
    gc.unfreeze()
    return min(taken)
