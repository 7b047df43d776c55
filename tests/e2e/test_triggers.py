"""What starts runs, with real processes: the form on Run, a signed delivery, a schedule."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from app.config import Config
from tests.support.database import home_variables
from tests.support.hunt import Hunt
from tests.support.installation import canary
from tests.support.person import Person
from tests.support.running import ADMIN, ADMIN_PASSWORD, Running, tacit_up, until

CALL = """async ([method, path, body]) => {
  const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
  const headers = {"Content-Type": "application/json", "X-CSRF-Token": meta("csrf-token"),
                   "X-Tacit-Environment": meta("tacit-environment")};
  const answer = await fetch(`/api/v1${path}`,
                             {method, headers, body: body ? JSON.stringify(body) : undefined});
  return [answer.status, await answer.json()];
}"""
GRAPH: dict[str, Any] = {
    "schema": 1,
    "nodes": [
        {"id": "start", "component": "trigger.manual", "label": "Start", "position": [80, 80],
         "config": {"inputs": [{"name": "day", "label": "Day", "required": True},
                               {"name": "count", "label": "Rows", "type": "number"}]}},
        {"id": "hook", "component": "trigger.webhook", "label": "Hook", "position": [80, 260],
         "config": {"secretName": "signing"}},
        {"id": "clock", "component": "trigger.schedule", "label": "Clock", "position": [80, 420],
         "config": {"cron": "* * * * *", "inputs": {"day": "any"}}},
        {"id": "log", "component": "output.log", "label": "Log", "position": [420, 80],
         "config": {"message": "told"}},
    ],
    "edges": [{"id": "e1", "source": {"node": "start", "port": "payload"},
               "target": {"node": "log", "port": "data"}}],
}


@pytest.fixture
def installation() -> Iterator[Running]:
    with tacit_up(TACIT_ADMIN_EMAIL=ADMIN, TACIT_ADMIN_PASSWORD=ADMIN_PASSWORD) as running:
        yield running


def call(page: Page, method: str, path: str, body: Any = None) -> Any:
    """Call the API as the signed-in page does; returns a good answer's body."""
    status, answer = page.evaluate(CALL, [method, path, body])
    assert status < 300, answer
    return answer


def deliver(installation: Running, path: str, key: str, body: Any) -> tuple[int, Any]:
    """Send a signed delivery, as another system would."""
    raw, at = json.dumps(body).encode(), str(int(time.time()))
    tag = hmac.new(key.encode(), at.encode() + b"." + raw, hashlib.sha256).hexdigest()
    where = urlsplit(installation.url)
    trust = ssl.create_default_context(cafile=str(installation.home / "tls" / "ca.pem"))
    connection = http.client.HTTPSConnection(
        where.hostname or "", where.port, context=trust, timeout=30
    )
    connection.request(
        "POST", path, raw,
        {"Content-Type": "application/json", "X-Tacit-Timestamp": at,
         "X-Tacit-Signature": f"sha256={tag}"},
    )
    answer = connection.getresponse()
    status, text = answer.status, answer.read()
    connection.close()
    return status, json.loads(text)


def test_a_form_a_delivery_and_a_clock_start_runs(
    browser: Browser, installation: Running
) -> None:
    key = canary()
    page = browser.new_page(ignore_https_errors=True, base_url=installation.url)
    Person(page).sign_in()
    call(page, "POST", "/secrets", {"name": "signing", "value": key})
    flow = call(page, "POST", "/flows", {"name": "Told", "graph": GRAPH})["id"]
    assert call(page, "POST", f"/flows/{flow}/check")["problems"] == []

    def succeeded(kind: str) -> list[dict[str, Any]]:
        runs = call(page, "GET", f"/runs?flow_id={flow}&state=succeeded")["items"]
        return [run for run in runs if run["trigger"]["kind"] == kind]

    _run_with_the_form(page, flow)
    until(lambda: succeeded("manual"))
    (by_hand,) = succeeded("manual")
    assert call(page, "GET", f"/runs/{by_hand['id']}")["inputs"] == {"day": "Monday", "count": 4}

    until(lambda: time.time() % 60 < 45, 60)  # both in one minute: the next one is the same
    call(page, "POST", f"/flows/{flow}/activate", {})
    clock, hook = sorted(
        call(page, "GET", f"/flows/{flow}/triggers")["items"], key=lambda one: one["kind"]
    )
    assert len(clock["next_times"]) == 5
    path = urlsplit(hook["url"]).path
    assert deliver(installation, path, "CANARY-not-the-key", {"n": 1})[0] == 404
    status, taken = deliver(installation, path, key, {"n": 2})
    assert status == 202, taken
    until(lambda: succeeded("webhook"))
    run = call(page, "GET", f"/runs/{taken['run_id']}")
    assert (run["inputs"], run["flow_version"]) == ({"n": 2}, 1)

    # It is due each minute; the scheduler looks each second.
    until(lambda: succeeded("schedule"), timeout=120)
    first = call(page, "GET", f"/runs/{succeeded('schedule')[-1]['id']}")
    assert first["inputs"]["day"] == "any"
    assert first["inputs"]["scheduled_for"] == clock["next_times"][0]
    page.goto(f"/flows/{flow}/settings")
    expect(page.get_by_text("Next times")).to_be_visible()

    hunt = Hunt({"signing": key})
    hunt.search("the flow's page", page.content())
    hunt.search("logs", installation.logs())
    hunt.database(Config.load(home_variables(installation.home)))
    assert not hunt.hits, hunt.hits


def _run_with_the_form(page: Page, flow: str) -> None:
    page.goto(f"/flows/{flow}")
    page.wait_for_selector("#editor[data-ready]")
    page.get_by_test_id("run").click()
    form = page.get_by_test_id("run-form")
    form.get_by_label("Rows").fill("many")
    page.get_by_test_id("run-form-start").click()
    expect(form.get_by_text("Rows has to be a number.")).to_be_visible()
    form.get_by_label("Rows").fill("4")
    page.get_by_test_id("run-form-start").click()
    expect(form.get_by_text("Day is needed.")).to_be_visible()
    form.get_by_label("Day").fill("Monday")
    page.get_by_test_id("run-form-start").click()
    expect(form).to_be_hidden()
