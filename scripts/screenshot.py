"""Take the README's pictures from a real installation: python scripts/screenshot.py

Starts Tacit on a home of its own, makes a secret and a flow, runs it against an echo server, and
photographs the canvas in both themes with Debian's Chromium.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.installation import EMAIL, Installation, helper, installed  # noqa: E402

FOLDER = ROOT / "docs" / "images"
PICTURES = {"light": FOLDER / "canvas.png", "dark": FOLDER / "canvas-dark.png"}
GRAPH = {
    "schema": 1,
    "nodes": [
        {"id": "start", "component": "trigger.manual", "label": "Start", "position": [80, 340],
         "config": {}},
        {"id": "fetch_token", "component": "secret.fetch", "label": "API token",
         "position": [60, 80],
         "config": {"secretName": "echo_token", "version": None, "outputFormat": "raw"}},
        {"id": "call", "component": "http.request", "label": "Call the service",
         "position": [400, 100], "config": {"method": "GET", "url": "URL"}},
        {"id": "log", "component": "output.log", "label": "Log the answer",
         "position": [740, 180], "config": {}},
    ],
    "edges": [
        {"id": "e1", "source": {"node": "start", "port": "done"},
         "target": {"node": "call", "port": "start"}},
        {"id": "e2", "source": {"node": "fetch_token", "port": "value"},
         "target": {"node": "call", "port": "bearer_token"}},
        {"id": "e3", "source": {"node": "call", "port": "body"},
         "target": {"node": "log", "port": "message"}},
    ],
}


def main() -> None:
    """Make the picture."""
    with installed() as installation, helper("bench.echo") as echo:
        port = int(echo.stdout.readline()) if echo.stdout else 0
        flow = _make_flow(installation, port)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            for theme, target in PICTURES.items():
                page = browser.new_page(
                    ignore_https_errors=True, viewport={"width": 1440, "height": 960},
                    color_scheme=theme,
                )
                _sign_in(page, installation)
                page.goto(f"{installation.running['url']}/flows/{flow}")
                _photograph(page, target)
                page.close()
            browser.close()
    print(*PICTURES.values(), sep="\n")


def _photograph(page: Page, target: Path) -> None:
    """Run the flow twice, the first time to warm up, and take the picture."""
    page.wait_for_selector("#editor[data-ready]")
    drawer = page.get_by_test_id("run-drawer")
    for _ in range(2):
        before = drawer.get_attribute("data-run")
        page.get_by_test_id("run").click()
        page.wait_for_function(
            "before => document.querySelector('[data-testid=run-drawer]').dataset.run !== before",
            arg=before,
        )
        page.locator('[data-testid="run-drawer"][data-state="succeeded"]').wait_for()
        page.get_by_text("Run succeeded after").wait_for()
    page.locator('article.node[data-node-id="fetch_token"] .node__name').click()
    page.get_by_role("button", name="Fit the flow").click()
    page.mouse.move(720, 20)
    time.sleep(1)
    target.parent.mkdir(exist_ok=True)
    page.screenshot(path=str(target))


def _make_flow(installation: Installation, port: int) -> str:
    installation.call("POST", "/secrets", {
        "name": "echo_token", "value": "kQ7-vR2x_mZ9pLw4", "tags": ["demo"],
        "owner": "platform", "description": "Token of the echo service",
    })
    GRAPH["nodes"][2]["config"]["url"] = f"http://127.0.0.1:{port}/"
    made = installation.call("POST", "/flows", {"name": "Call a service", "graph": GRAPH})
    return str(made["id"])


def _sign_in(page: Page, installation: Installation) -> None:
    page.goto(f"{installation.running['url']}/login")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(installation.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


if __name__ == "__main__":
    main()
