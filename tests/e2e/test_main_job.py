"""The main job, as a person does it: a secret, a flow, a run, and nothing leaks.

Tacit is started as a user starts it, the browser is a real one, the service that is called echoes
what it was given. Afterwards the secret is hunted in everything that was written, kept or shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.config import Config
from tests.support.database import ON_POSTGRES, home_variables
from tests.support.hunt import Hunt
from tests.support.installation import canary
from tests.support.person import PATIENT, Person
from tests.support.running import ADMIN, ADMIN_PASSWORD, Echo, Running, tacit_up, telling_echo

STORAGE = """async () => JSON.stringify({
  local: {...localStorage}, session: {...sessionStorage}, cookie: document.cookie,
  databases: await indexedDB.databases(), caches: "caches" in window ? await caches.keys() : [],
  html: document.documentElement.outerHTML, history: JSON.stringify(history.state),
})"""
BY_HAND = """async ([flow, graph]) => {
  const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
  const headers = {"Content-Type": "application/json", "X-CSRF-Token": meta("csrf-token"),
                   "X-Tacit-Environment": meta("tacit-environment")};
  const path = `/api/v1/flows/${flow}`;
  const read = await fetch(path, {headers});
  const before = await read.json();
  headers["If-Match"] = read.headers.get("ETag");
  const put = await fetch(path, {method: "PUT", headers, body: JSON.stringify({graph})});
  return {status: put.status, type: put.headers.get("Content-Type"), body: await put.json(),
          before, after: await (await fetch(path, {headers})).json()};
}"""
READ = """async (path) => {
  const environment = document.querySelector('meta[name="tacit-environment"]').content;
  const answer = await fetch(path, {headers: {"X-Tacit-Environment": environment}});
  return [answer.status, await answer.json()];
}"""


@pytest.fixture
def installation(request: pytest.FixtureRequest) -> Iterator[Running]:
    failed = request.session.testsfailed
    with tacit_up(TACIT_ADMIN_EMAIL=ADMIN, TACIT_ADMIN_PASSWORD=ADMIN_PASSWORD) as running:
        yield running
        running.keep = request.session.testsfailed > failed


@pytest.fixture
def echo() -> Iterator[Echo]:
    with telling_echo() as echo:
        yield echo


class Recorder:
    """Keeps what the browser saw: all traffic as HAR, the live stream, pages and storage."""

    def __init__(self, browser: Browser, installation: Running, folder: Path) -> None:
        self.har = folder / "browser.har"
        self.complaints: list[str] = []
        self.stream: list[str] = []
        self.kept: list[str] = []
        self.context: BrowserContext = browser.new_context(
            ignore_https_errors=True, base_url=installation.url,
            viewport={"width": 1440, "height": 1000},
            record_har_path=self.har, record_har_content="embed",
        )
        self.context.add_init_script(PATIENT)
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._console)
        tools = self.context.new_cdp_session(self.page)
        tools.send("Network.enable")
        # A stream never ends while it is of use, so the HAR doesn't hold it.
        tools.on("Network.eventSourceMessageReceived", lambda it: self.stream.append(it["data"]))

    def _console(self, message: Any) -> None:
        self.kept.append(message.text)
        # The edges sent by hand are meant to be refused.
        if message.type in ("error", "warning") and "status of 422" not in message.text:
            self.complaints.append(message.text)

    def keep(self) -> None:
        """Keep the page's HTML and everything the browser stores for the installation."""
        self.kept.append(self.page.evaluate(STORAGE))
        self.kept.append(json.dumps(self.context.storage_state(indexed_db=True)))


def test_a_secret_is_used_by_a_run_and_seen_by_nobody(
    browser: Browser, installation: Running, echo: Echo, tmp_path: Path
) -> None:
    value = f'{canary()}/+=&"x'
    recorder = Recorder(browser, installation, tmp_path)
    person, page = Person(recorder.page), recorder.page
    hunt = Hunt({"echo_token": value, "the administrator's password": ADMIN_PASSWORD})

    person.sign_in()
    _create_secret(person, value)
    recorder.keep()
    nodes = _draw_flow(person, f"{echo.url}/slow")
    flow = page.url.rpartition("/")[2]
    _try_forbidden_wires(person, nodes, flow)
    _run_and_watch(person, nodes, echo, lambda: _hunt_during(hunt, installation))
    assert echo.authorizations == [f"Bearer {value}"]
    recorder.keep()
    _read_the_run(person, nodes, recorder)
    _delete_secret(person)
    _run_is_rejected(person, nodes, flow, recorder)
    assert len(echo.authorizations) == 1

    assert recorder.complaints == []
    recorder.context.close()
    _hunt(hunt, installation, recorder)


def _create_secret(person: Person, value: str) -> None:
    page = person.page
    person.open_menu("Secrets")
    page.get_by_role("link", name="New secret").first.click()
    page.get_by_label("Name", exact=True).fill("echo_token")
    page.get_by_label("Description").fill("Token of the echo service")
    page.get_by_label("Value", exact=True).fill(value)
    page.get_by_label("Tags").fill("demo, echo")
    page.get_by_role("button", name="Save secret").click()
    expect(page.get_by_role("heading", name="echo_token", exact=True)).to_be_visible()
    assert value not in page.content()
    for tag in ("demo", "echo"):
        expect(page.get_by_text(tag, exact=True).first).to_be_visible()


def _draw_flow(person: Person, url: str) -> dict[str, str]:
    page = person.page
    person.open_menu("Flows")
    page.get_by_label("Name", exact=True).fill("Call the echo service")
    page.get_by_role("button", name="Create and open the canvas").click()
    page.wait_for_selector("#editor[data-ready]")
    nodes = {
        "trigger": person.drop_node("trigger.manual", 140, 60),
        "fetch": person.drop_node("secret.fetch", 140, 260),
        "template": person.drop_node("text.template", 140, 500),
        "http": person.drop_node("http.request", 430, 140),
        "log": person.drop_node("output.log", 700, 260),
    }
    picker = person.open_node(nodes["fetch"])
    picker.get_by_test_id("secret-picker").click()
    picker.locator('[role="option"][data-secret="echo_token"]').click()
    expect(picker.get_by_test_id("secret-picker")).to_contain_text("echo_token")
    person.fill_field(nodes["template"], "template", "not a secret")
    person.fill_field(nodes["http"], "url", url)
    person.wire(f"{nodes['trigger']}.done", f"{nodes['http']}.start")
    person.wire(f"{nodes['fetch']}.value", f"{nodes['http']}.bearer_token")
    person.wire(f"{nodes['http']}.body", f"{nodes['log']}.message")
    expect(page.locator(".x6-edge[data-edge-id]")).to_have_count(3)
    person.wait_until_saved()
    return nodes


def _try_forbidden_wires(person: Person, nodes: dict[str, str], flow: str) -> None:
    text = _refused_at_the_pointer(person, f"{nodes['template']}.text",
                                   f"{nodes['http']}.bearer_token")
    secret = _refused_at_the_pointer(person, f"{nodes['fetch']}.value", f"{nodes['log']}.message")
    assert "bearer_token takes secrets only" in text
    assert "log" in secret.lower()
    expect(person.page.locator(".x6-edge[data-edge-id]")).to_have_count(3)
    _refused_by_the_server(person, flow, text, (nodes["template"], "text"),
                           (nodes["http"], "bearer_token"))
    _refused_by_the_server(person, flow, secret, (nodes["fetch"], "value"),
                           (nodes["log"], "message"))


def _refused_at_the_pointer(person: Person, source: str, target: str) -> str:
    """Drag a wire that must not be; returns the words that stand at the pointer."""
    page = person.page
    person.hold_wire(source, target)
    refusal = page.locator(".refusal")
    expect(refusal).to_be_visible()
    words = (refusal.locator("strong").inner_text(), refusal.locator("p").inner_text())
    box, tip = refusal.bounding_box(), person.centre(person.pin(target, "in"))
    assert box
    assert abs(box["x"] - tip[0]) < 400
    assert min(abs(box["y"] - tip[1]), abs(box["y"] + box["height"] - tip[1])) < 60
    page.mouse.up()
    expect(page.get_by_test_id("announce")).to_have_text(". ".join(words))
    return ". ".join(words)


def _refused_by_the_server(
    person: Person, flow: str, words: str, source: tuple[str, str], target: tuple[str, str]
) -> None:
    _, body = person.page.evaluate(READ, f"/api/v1/flows/{flow}")
    graph = body["graph"]
    edges = [edge for edge in graph["edges"]
             if (edge["target"]["node"], edge["target"]["port"]) != target]
    edges.append({"id": "by_hand", "source": {"node": source[0], "port": source[1]},
                  "target": {"node": target[0], "port": target[1]}})
    answer = person.page.evaluate(BY_HAND, [flow, {**graph, "edges": edges}])
    assert answer["status"] == 422, answer["body"]
    assert answer["type"].startswith("application/problem+json")
    assert [(problem["edge"], problem["message"]) for problem in answer["body"]["problems"]] == [
        ("by_hand", words)
    ]
    for name in ("revision", "graph", "updated_at"):
        assert answer["before"][name] == answer["after"][name]


def _run_and_watch(person: Person, nodes: dict[str, str], echo: Echo, meanwhile: Any) -> None:
    page = person.page
    page.get_by_test_id("run").click()
    drawer = page.get_by_test_id("run-drawer")
    assert echo.arrived.wait(60)
    # The service hasn't answered yet: what is done is done, the rest waits.
    expect(drawer).to_have_attribute("data-state", "running")
    for node, state in (("trigger", "succeeded"), ("fetch", "succeeded"), ("http", "running")):
        expect(person.node(nodes[node]).locator(".node__state")).to_have_attribute(
            "data-state", state
        )
    assert person.state_of(nodes["log"]) in ("idle", "queued")
    lines = drawer.locator(".log__line")
    expect(lines.first).to_be_visible()
    before = lines.count()
    meanwhile()
    echo.gate.set()
    expect(drawer).to_have_attribute("data-state", "succeeded")
    for node in nodes.values():
        expect(person.node(node).locator(".node__state")).to_have_attribute(
            "data-state", "succeeded"
        )
    expect(lines.nth(before)).to_be_attached()
    chip = drawer.locator(
        f'.log__line[data-node="{nodes["log"]}"] .redacted[data-secret="echo_token"]'
    )
    expect(chip.first).to_be_visible()
    expect(chip.first).to_contain_text("echo_token")


def _read_the_run(person: Person, nodes: dict[str, str], recorder: Recorder) -> None:
    """Look for the mask in the events, the node's output and the run's page."""
    page = person.page
    run = page.get_by_test_id("run-drawer").get_attribute("data-run")
    _, events = page.evaluate(READ, f"/api/v1/runs/{run}/events?after=0&limit=500")
    said = [event for event in events["items"]
            if event["node"] == nodes["log"] and event["type"] == "log" and event["masks"]]
    assert said
    for mask in said[0]["masks"]:
        assert said[0]["text"][mask["offset"]:].startswith("***")
        assert (mask["secret"], mask["version"]) == ("echo_token", 1)
    assert "plain: Bearer ***" in said[0]["text"]

    inspector = person.open_node(nodes["http"])
    inspector.get_by_role("tab", name="Last run").click()
    output = inspector.locator('[data-output="body"]')
    expect(output).to_contain_text("plain: Bearer")
    assert "***" in output.inner_text() or output.locator(".redacted").count()
    person.open_node(nodes["fetch"])
    expect(inspector.locator('[data-output="value"] .redacted')).to_contain_text("echo_token")

    page.get_by_test_id("open-run").click()
    page.wait_for_url(f"**/runs/{run}")
    expect(page.locator("#run-state")).to_contain_text("Succeeded")
    expect(page.locator('#run-log .redacted[data-secret="echo_token"], #run-log .redacted').first
           ).to_contain_text("echo_token")
    row = page.locator(f'#run-nodes tr[data-node="{nodes["http"]}"]')
    expect(row).to_contain_text("***")
    page.wait_for_selector("#run-graph article.node")
    recorder.keep()


def _delete_secret(person: Person) -> None:
    page = person.page
    person.open_menu("Secrets")
    page.get_by_role("link", name="echo_token").click()
    expect(page.get_by_text("1 flow uses it")).to_be_visible()
    page.get_by_role("textbox", name="Type echo_token to confirm").fill("echo_token")
    page.get_by_role("button", name="Delete echo_token").click()
    page.wait_for_url("**/secrets")


def _run_is_rejected(
    person: Person, nodes: dict[str, str], flow: str, recorder: Recorder
) -> None:
    page = person.page
    person.open_menu("Flows")
    page.get_by_role("link", name="Call the echo service").first.click()
    page.wait_for_selector("#editor[data-ready]")
    page.get_by_test_id("run").click()
    drawer = page.get_by_test_id("run-drawer")
    expect(drawer).to_have_attribute("data-state", "rejected")
    problem = drawer.locator(f'.run__problem[data-node="{nodes["fetch"]}"]')
    expect(problem).to_contain_text("echo_token")
    words = problem.locator("p").inner_text().lower()
    assert "choose another" in words or "re-map" in words
    assert problem.get_by_role("button").count() >= 2
    expect(page.locator(f'[data-flag="{nodes["fetch"]}"]')).to_be_visible()
    for node in ("trigger", "http", "log", "template"):
        assert person.state_of(nodes[node]) not in ("running", "succeeded", "failed")
    run = drawer.get_attribute("data-run")
    _, body = page.evaluate(READ, f"/api/v1/runs/{run}")
    assert body["state"] == "rejected"
    _, events = page.evaluate(READ, f"/api/v1/runs/{run}/events?after=0&limit=500")
    started = [event for event in events["items"]
               if event["type"] == "node" and event["data"].get("state") != "rejected"]
    assert started == []
    recorder.keep()
    page.get_by_test_id("open-run").click()
    expect(page.locator("#run-problems")).to_contain_text("echo_token")
    recorder.keep()


def _hunt_during(hunt: Hunt, installation: Running) -> None:
    """Look while a run holds the value: its process lives, its job is in the queue."""
    hunt.processes(installation.processes())
    hunt.valkey(installation.facts["redis_url"])
    hunt.files("sockets and scratch", Path(urlsplit(installation.facts["redis_url"]).path).parent)


def _hunt(hunt: Hunt, installation: Running, recorder: Recorder) -> None:
    """Look everywhere, then once more in what is left after a stop."""
    facts = installation.facts
    bodies = hunt.har(recorder.har, spoken=("/secrets", "/login"))
    assert bodies > 20
    hunt.object("live stream", recorder.stream)
    hunt.object("pages and storage", recorder.kept)
    hunt.valkey(facts["redis_url"])
    hunt.processes(installation.processes())
    hunt.database(Config.load(home_variables(installation.home)))
    hunt.files("log files", installation.home / "logs")
    hunt.files("whole home", installation.home)
    hunt.search("printed", installation.said)
    assert installation.interrupt() == 0
    hunt.database(Config.load(home_variables(installation.home)))
    hunt.files("home after stop", installation.home)
    print(f"\n{hunt.table()}")
    files = () if ON_POSTGRES else ("database file",)
    for place in ("database rows", *files, "valkey memory", "valkey RDB", "log files",
                  "process cmdline", "process environ", "responses", "live stream"):
        assert hunt.searched[place], f"nothing was seen of: {place}"
    assert hunt.hits == [], hunt.table()
