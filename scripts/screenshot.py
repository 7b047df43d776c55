"""Take the README's picture from a real installation: python scripts/screenshot.py

Starts Tacit on a home of its own, makes a secret and a flow, runs it against an echo server, and
photographs the canvas with Debian's Chromium.
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

TARGET = ROOT / "docs" / "images" / "canvas.png"
GRAPH = {
    "schema": 1,
    "nodes": [
        {"id": "start", "component": "trigger.manual", "label": "Start", "position": [60, 90],
         "config": {}},
        {"id": "fetch_token", "component": "secret.fetch", "label": "API token",
         "position": [60, 280],
         "config": {"secretName": "echo_token", "version": None, "outputFormat": "raw"}},
        {"id": "call", "component": "http.request", "label": "Call the service",
         "position": [400, 150], "config": {"method": "GET", "url": "URL"}},
        {"id": "log", "component": "output.log", "label": "Log the answer",
         "position": [760, 200], "config": {}},
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
            page = browser.new_page(
                ignore_https_errors=True, viewport={"width": 1440, "height": 1000}
            )
            _sign_in(page, installation)
            page.goto(f"{installation.running['url']}/flows/{flow}")
            page.wait_for_selector(".x6-node")
            page.get_by_role("button", name="Run", exact=True).click()
            page.get_by_text("Run succeeded after").wait_for()
            page.keyboard.press("1")
            page.locator(".x6-node", has_text="API token").first.click(position={"x": 70, "y": 25})
            time.sleep(1)
            TARGET.parent.mkdir(exist_ok=True)
            page.screenshot(path=str(TARGET))
            browser.close()
    print(TARGET)


def _make_flow(installation: Installation, port: int) -> str:
    installation.call("POST", "/secrets", {
        "name": "echo_token", "value": "kQ7-vR2x_mZ9pLw4", "tags": ["demo"],
        "description": "Token of the echo service",
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
