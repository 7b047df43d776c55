"""Secrets of external managers in a real ``tacit up``: fetched, checked, granted, never shown."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from app.config import Config
from tests.support.database import home_variables
from tests.support.graphs import graph, node, wire
from tests.support.hunt import Hunt
from tests.support.installation import canary
from tests.support.managers import CREDENTIALS, REGION, Gate, aws_manager
from tests.support.person import Person
from tests.support.running import (
    ADMIN,
    ADMIN_PASSWORD,
    TACIT,
    Echo,
    Running,
    tacit_up,
    telling_echo,
)

AWS, MOUNTED, VARIABLE = canary(), canary(), canary()
SCOPES = ("flows:read", "flows:manage", "runs:read", "runs:manage", "secrets:use",
          "secrets:manage", "audit:read")


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with aws_manager(tmp_path_factory.mktemp("moto")) as (gate, client):
        client.create_secret(Name="prod/api", SecretString=AWS)
        yield gate


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder of mounted secrets, which the worker's own user can read."""
    with tempfile.TemporaryDirectory(prefix="tacit-mounted-", dir="/tmp") as made:
        Path(made).chmod(0o755)
        (Path(made) / "api").write_text(MOUNTED + "\n")
        yield Path(made)


@pytest.fixture(scope="module")
def running(manager: Gate, folder: Path) -> Iterator[Running]:
    with tacit_up(
        TACIT_ADMIN_EMAIL=ADMIN, TACIT_ADMIN_PASSWORD=ADMIN_PASSWORD,
        TACIT_ALLOWED_ENDPOINTS=manager.url, APP_TOKEN=VARIABLE,
        TACIT_WORKER_SECRETS=f"env:APP_TOKEN, file:{folder}/*",
    ) as started:
        yield started


class Api:
    """The installation's API with a token of its administrator."""

    def __init__(self, running: Running) -> None:
        self.running = running
        made = self.tacit("token", "create", "--user", ADMIN,
                          *(f"--scope={scope}" for scope in SCOPES))
        token = next(word for word in made.split() if word.startswith("tct_"))
        self.client = httpx.Client(
            base_url=f"{running.url}/api/v1", headers={"Authorization": f"Bearer {token}"},
            verify=str(running.home / "tls" / "ca.pem"), timeout=30,
        )
        self.answers: list[str] = []

    def tacit(self, *arguments: str) -> str:
        done = subprocess.run(
            [TACIT, *arguments], env=self.running.environment, capture_output=True, text=True,
            check=True, timeout=60,
        )
        return done.stdout

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, path, json=body)
        self.answers.append(answer.text)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def flow(self, *parts: Any) -> str:
        return str(self.call("POST", "/flows", {"name": "f", "graph": graph(*parts)})["id"])

    def finish(self, path: str, body: Any = None) -> Any:
        """Start a run and wait for its end."""
        run = self.call("POST", path, body or {})["id"]
        give_up = time.monotonic() + 60
        give_up = time.monotonic() + 60
        while True:
            found = self.call("GET", f"/runs/{run}")
            if found["finished_at"] or time.monotonic() > give_up:
                self.call("GET", f"/runs/{run}/events")
                return found
            time.sleep(0.1)


@pytest.fixture(scope="module")
def api(running: Running) -> Iterator[Api]:
    made = Api(running)
    made.call("POST", "/secrets", {"name": "aws", "value": CREDENTIALS})
    yield made
    made.client.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with telling_echo() as made:
        yield made


def from_aws(manager: Gate, secret: str = "prod/api") -> list[Any]:
    return [
        node("keys", "secret.fetch", secretName="aws"),
        node("aws", "aws.secrets_manager.fetch", secretId=secret, region=REGION,
             endpointUrl=manager.url),
        wire("keys.value", "aws.credentials"),
    ]


def test_a_secret_of_aws(api: Api, manager: Gate, echo: Echo, tmp_path: Path) -> None:
    flow = api.flow(*from_aws(manager), node("call", "http.request", url=echo.url),
                    wire("aws.value", "call.bearer_token"))
    manager.seen.clear()
    run = api.finish(f"/flows/{flow}/runs")
    assert run["state"] == "succeeded", run["problems"]
    assert echo.authorizations == [f"Bearer {AWS}"]
    assert manager.seen == ["DescribeSecret", "GetSecretValue"]
    accesses = [item["data"] for item in api.call("GET", "/audit?limit=200")["items"]
                if item["action"] == "secret.external"]
    assert [(one["purpose"], one["provider"], one["reference"]) for one in accesses] == [
        ("use", "aws.secrets_manager", "prod/api"), ("check", "aws.secrets_manager", "prod/api"),
    ]
    uses = api.call("GET", "/external-secrets?reference=prod/api")["items"]
    assert [(use["flow_id"], use["node"], use["scope"]) for use in uses] == [(flow, "aws", "draft")]
    hunt = Hunt({"aws": AWS, "credentials": json.loads(CREDENTIALS)["secret_access_key"]})
    for text in api.answers:
        hunt.search("answers", text)
    hunt.files("files", api.running.home)
    hunt.database(Config.load(home_variables(api.running.home)))
    assert hunt.hits == []


def test_every_missing_secret_is_a_problem_before_anything_ran(
    api: Api, manager: Gate, echo: Echo
) -> None:
    parts = from_aws(manager, "prod/none")
    parts += [node("again", "aws.secrets_manager.fetch", secretId="prod/nothing", region=REGION,
                   endpointUrl=manager.url), wire("keys.value", "again.credentials")]
    flow = api.flow(*parts, node("call", "http.request", url=echo.url))
    run = api.finish(f"/flows/{flow}/runs")
    assert run["state"] == "rejected"
    assert [(one["node"], one["code"]) for one in run["problems"]] == [
        ("aws", "secret_missing"), ("again", "secret_missing"),
    ]
    assert "Choose another one in the node's Secret field" in run["problems"][0]["message"]
    assert echo.authorizations == []
    assert {one["state"] for one in run["nodes"]} == {"rejected", "skipped"}


def test_the_connection_is_tested_through_a_worker(api: Api, manager: Gate, echo: Echo) -> None:
    flow = api.flow(*from_aws(manager), node("call", "http.request", url=echo.url))
    manager.seen.clear()
    run = api.finish(f"/flows/{flow}/check-node", {"node": "aws"})
    assert (run["state"], run["trigger"]["kind"]) == ("succeeded", "check")
    assert manager.seen == ["DescribeSecret"]
    assert echo.authorizations == []


def test_a_person_tests_the_connection_in_the_inspector(
    api: Api, manager: Gate, running: Running, browser: Browser
) -> None:
    """Through a worker: the page gets an answer in words, and never the value."""
    parts = from_aws(manager)
    parts[1]["position"] = [400, 0]
    flow = api.flow(*parts)
    page = browser.new_page(
        ignore_https_errors=True, base_url=running.url, viewport={"width": 1440, "height": 900})
    bodies: list[str] = []
    page.on("response", lambda answer: bodies.append(answer.text())
            if "/api/v1/" in answer.url else None)
    person = Person(page)
    person.sign_in()
    page.goto(f"/flows/{flow}")
    page.wait_for_selector("#editor[data-ready]")
    inspector = person.open_node("keys")
    expect(inspector.get_by_test_id("test-connection")).to_have_count(0)
    inspector = person.open_node("aws")
    manager.seen.clear()
    inspector.get_by_test_id("test-connection").click()
    answer = inspector.get_by_test_id("connection")
    expect(answer).to_have_attribute("data-tone", "ok", timeout=60_000)
    expect(answer).to_contain_text("The secret is there", ignore_case=True)
    assert manager.seen == ["DescribeSecret"]
    if shots := os.environ.get("TACIT_SHOTS"):
        page.screenshot(path=f"{shots}/connection-ok.png")
    # What was answered was about other settings.
    person.fill_field("aws", "secretId", "prod/none")
    expect(answer).to_have_text("")
    inspector.get_by_test_id("test-connection").click()
    expect(answer).to_have_attribute("data-tone", "bad", timeout=60_000)
    expect(answer).to_contain_text("Secret prod/none is missing in AWS Secrets Manager")
    if shots:
        page.screenshot(path=f"{shots}/connection-bad.png")
    page.close()
    assert bodies
    assert not any(AWS in body for body in bodies)


def test_secrets_of_the_worker_are_off_until_granted(
    api: Api, echo: Echo, folder: Path
) -> None:
    references = {"var": "env:APP_TOKEN", "file": f"file:{folder}/api"}
    parts: list[Any] = []
    for name, reference in references.items():
        parts += [node(name, "env.fetch", reference=reference),
                  node(f"call_{name}", "http.request", url=echo.url),
                  wire(f"{name}.value", f"call_{name}.bearer_token")]
    flow = api.flow(*parts)
    run = api.finish(f"/flows/{flow}/runs")
    assert run["state"] == "rejected"
    assert {one["code"] for one in run["problems"]} == {"worker_secret_denied"}
    api.tacit("reach", "--grant", "env:APP_TOKEN", "--grant", f"file:{folder}/*",
              "--grant", "file:/etc/*")
    run = api.finish(f"/flows/{flow}/runs")
    assert run["state"] == "succeeded", run["problems"]
    assert sorted(echo.authorizations) == sorted([f"Bearer {VARIABLE}", f"Bearer {MOUNTED}"])
    # The worker has its own list.
    other = api.flow(node("own", "env.fetch", reference="file:/etc/hostname"))
    run = api.finish(f"/flows/{other}/runs")
    assert [one["code"] for one in run["problems"]] == ["worker_secret_denied"]
    for text in api.answers:
        assert VARIABLE not in text
        assert MOUNTED not in text


def test_private_networks_can_be_closed(api: Api, echo: Echo) -> None:
    flow = api.flow(node("call", "http.request", url=echo.url))
    try:
        api.tacit("reach", "--no-private")
        run = api.finish(f"/flows/{flow}/runs")
        assert run["problems"][0]["code"] == "egress_refused"
    finally:
        api.tacit("reach", "--private")
    assert api.finish(f"/flows/{flow}/runs")["state"] == "succeeded"
