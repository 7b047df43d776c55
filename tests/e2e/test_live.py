"""A run's page follows the run by the live listener's stream, and by asking where it is blocked."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.person import PATIENT, Person
from tests.support.running import (
    ADMIN,
    ADMIN_PASSWORD,
    TACIT,
    Echo,
    Running,
    tacit_up,
    telling_echo,
)


@pytest.fixture(scope="module")
def house() -> Iterator[Running]:
    """An installation with an administrator."""
    with tacit_up(TACIT_ADMIN_EMAIL=ADMIN, TACIT_ADMIN_PASSWORD=ADMIN_PASSWORD) as running:
        yield running


@pytest.fixture(scope="module")
def api(house: Running) -> Iterator[httpx.Client]:
    """A program that starts runs."""
    made = subprocess.run(
        [TACIT, "token", "create", "--user", ADMIN, "--scope", "flows:manage",
         "--scope", "runs:manage", "--scope", "runs:read"],
        env=house.environment, capture_output=True, text=True, check=True,
    )
    with httpx.Client(
        base_url=f"{house.url}/api/v1", timeout=30,
        headers={"Authorization": f"Bearer {made.stdout.strip()}"},
        verify=ssl.create_default_context(cafile=str(house.home / "tls" / "ca.pem")),
    ) as client:
        yield client


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server whose ``/slow`` waits for the test."""
    with telling_echo() as serving:
        yield serving


@pytest.fixture
def page(house: Running, browser: Browser) -> Iterator[Page]:
    """A page on which the administrator is signed in."""
    context = browser.new_context(ignore_https_errors=True, base_url=house.url)
    page = context.new_page()
    Person(page).sign_in()
    yield page
    context.close()


def _start(api: httpx.Client, echo: Echo) -> str:
    """Start a run that waits in its first node; returns its id."""
    nodes = [
        {"id": "call", "component": "http.request", "label": "Call", "position": [0, 0],
         "config": {"method": "GET", "url": f"{echo.url}/slow"}},
        {"id": "say", "component": "output.log", "label": "Say", "position": [300, 0],
         "config": {"message": "the gate is open"}},
    ]
    edges = [{"id": "e", "source": {"node": "call", "port": "done"},
              "target": {"node": "say", "port": "start"}}]
    flow = api.post("/flows", json={
        "name": f"Slow {echo.url}", "graph": {"schema": 1, "nodes": nodes, "edges": edges},
    })
    assert flow.status_code == 201, flow.text
    run = api.post(f"/flows/{flow.json()['id']}/runs", json={})
    assert run.status_code == 202, run.text
    assert echo.arrived.wait(60)
    return str(run.json()["id"])


def test_a_page_follows_by_the_stream(api: httpx.Client, echo: Echo, page: Page) -> None:
    run_id = _start(api, echo)
    page.add_init_script(PATIENT)
    polls: list[str] = []
    page.on("request", lambda sent: polls.append(sent.url) if "/events?" in sent.url else None)
    with page.expect_response(lambda answer: "/stream?" in answer.url) as opened:
        page.goto(f"/runs/{run_id}")
    live = page.locator('meta[name="tacit-live"]').get_attribute("content")
    assert opened.value.url.startswith(f"{live}/")
    assert opened.value.status == 200
    echo.gate.set()
    expect(page.locator("#run-log")).to_contain_text("the gate is open")
    expect(page.locator("#run-head")).to_contain_text("Succeeded")
    assert polls == [], "a page that has the stream asks for nothing else"


def test_a_page_asks_where_the_live_listener_is_blocked(
    api: httpx.Client, echo: Echo, page: Page
) -> None:
    page.route("**/stream?*", lambda route: route.abort())
    run_id = _start(api, echo)
    with page.expect_response(lambda answer: "/events?" in answer.url):
        page.goto(f"/runs/{run_id}")
    echo.gate.set()
    expect(page.locator("#run-log")).to_contain_text("the gate is open")
    expect(page.locator("#run-head")).to_contain_text("Succeeded")


def test_a_program_is_sent_on_to_the_stream(
    api: httpx.Client, echo: Echo, house: Running
) -> None:
    run_id = _start(api, echo)
    frames: list[str] = []
    with api.stream("GET", f"/runs/{run_id}/stream", follow_redirects=True) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.url.port != httpx.URL(house.url).port
        assert "Authorization" not in answer.request.headers, "the ticket does it"
        for line in answer.iter_lines():
            if line.startswith("data: "):
                frames.append(line.removeprefix("data: "))
                if len(frames) == 3:
                    echo.gate.set()
    events = [json.loads(frame) for frame in frames]
    assert events[-1] == {"state": "succeeded"}
    items = api.get(f"/runs/{run_id}/events").json()["items"]
    assert events[:-1] == items
