"""``/api/v1/runs`` over the real services and a real queue server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from app.accounts.scopes import Role
from tests.integration.api.test_flows import ECHO, graph, node
from tests.support.installation import Api, Installation, canary
from tests.support.queue_server import queue_server

FIELDS = {
    "id", "flow_id", "flow_version", "state", "problems", "created_at", "started_at",
    "finished_at", "trigger", "inputs", "nodes",
}


@pytest.fixture(scope="module")
def queue_url() -> Iterator[str]:
    """A queue server for the module."""
    with queue_server() as url:
        yield url


@pytest.fixture
def queued(tmp_path: Path, queue_url: str) -> Iterator[Installation]:
    """An installation with a queue."""
    made = Installation.make(tmp_path / "home", redis_url=queue_url)
    yield made
    made.services.close()


@pytest.fixture
def api(queued: Installation) -> Api:
    """A client that may do everything."""
    return queued.api(queued.token())


def _flow(api: Api) -> str:
    document = graph([node("a", "trigger.manual"), node("b", "output.log", message="hello")])
    made = api.post("/flows", json={"name": "f", "graph": document})
    assert made.json["problems"] == []
    return str(made.json["id"])


def test_start_show_list_cancel(api: Api, queue_url: str) -> None:
    flow_id = _flow(api)
    started = api.post(f"/flows/{flow_id}/runs", json={"inputs": {"a": [1, None]}})
    assert started.status_code == 202, started.json
    assert set(started.json) == FIELDS
    assert started.json["state"] == "queued"
    assert started.json["flow_id"] == flow_id
    assert [item["id"] for item in started.json["nodes"]] == ["a", "b"]
    run_id = started.json["id"]
    assert started.headers["Location"] == f"/api/v1/runs/{run_id}"

    with Redis.from_url(queue_url) as redis:
        job = redis.hgetall(f"rq:job:run-{run_id}")
    assert run_id.encode() in job[b"description"]

    shown = api.get(f"/runs/{run_id}")
    assert shown.json == started.json
    assert shown.json["inputs"] == {"a": [1, None]}
    (listed,) = api.get(f"/runs?flow_id={flow_id}").json["items"]
    assert listed == {name: value for name, value in shown.json.items() if name != "inputs"}
    assert api.get("/runs?state=failed").json["items"] == []
    assert api.get("/runs?state=nonsense").status_code == 422

    events = api.get(f"/runs/{run_id}/events").json
    assert [item["seq"] for item in events["items"]] == [1]
    assert set(events["items"][0]) == {
        "seq", "at", "node", "attempt", "type", "level", "text", "data", "masks",
    }
    assert api.get(f"/runs/{run_id}/events?after=1").json["items"] == []
    page = api.get(f"/runs/{run_id}/events?limit=1").json
    assert page["next_cursor"] == "1"
    assert api.get(f"/runs/{run_id}/events?limit=1&cursor=1").json["items"] == []

    cancelled = api.post(f"/runs/{run_id}/cancel")
    assert cancelled.status_code == 202
    assert cancelled.json["state"] == "cancelled"
    assert api.post(f"/runs/{run_id}/cancel").status_code == 409


def test_inputs_again_and_check(api: Api, queue_url: str) -> None:
    document = graph([
        node("a", "trigger.manual", inputs=[{"name": "day", "required": True}]),
        node("b", "output.log", message="hello"), node("c", "secret.fetch", secretName="no"),
    ])
    flow_id = api.post("/flows", json={"name": "f", "graph": document}).json["id"]
    refused = api.post(f"/flows/{flow_id}/runs", json={"inputs": {"other": "CANARY"}})
    assert (refused.status_code, refused.json["code"]) == (422, "inputs_invalid")
    assert [one["field"] for one in refused.json["problems"]] == ["inputs.other", "inputs.day"]
    run = api.post(f"/flows/{flow_id}/runs", json={"inputs": {"day": "Monday"}}).json
    again = api.post(f"/runs/{run['id']}/rerun")
    assert again.status_code == 202, again.json
    assert (again.json["inputs"], again.json["state"]) == ({"day": "Monday"}, "queued")
    assert again.headers["Location"] == f"/api/v1/runs/{again.json['id']}"
    other = api.post(f"/runs/{run['id']}/rerun", json={"inputs": {"day": "Friday"}})
    assert other.json["inputs"] == {"day": "Friday"}
    with Redis.from_url(queue_url) as redis:
        assert redis.exists(f"rq:job:run-{other.json['id']}")
    found = api.post(f"/flows/{flow_id}/check").json["problems"]
    assert [(one["node"], one["code"]) for one in found] == [("c", "secret_missing")]
    assert api.post(f"/flows/{flow_id}/check", json={"version": "active"}).status_code == 404


def test_a_body_is_optional(api: Api) -> None:
    assert api.post(f"/flows/{_flow(api)}/runs").status_code == 202


@pytest.mark.parametrize("version", ["other", 0, 99, 1.5, True, [1]])
def test_versions_that_are_none(api: Api, version: object) -> None:
    answer = api.post(f"/flows/{_flow(api)}/runs", json={"version": version})
    assert answer.status_code in (404, 422), answer.json
    assert api.get("/runs").json["items"] == []


def test_a_secret_that_is_missing_does_not_stop_the_start(api: Api) -> None:
    made = api.post("/flows", json={"name": "f", "graph": ECHO}).json
    started = api.post(f"/flows/{made['id']}/runs", json={})
    assert started.status_code == 202, started.json


def test_a_run_is_accepted_while_the_queue_is_away(installation: Installation) -> None:
    api = installation.api(installation.token())
    started = api.post(f"/flows/{_flow(api)}/runs", json={})
    assert started.status_code == 202
    assert api.get(f"/runs/{started.json['id']}").json["state"] == "queued"


def test_what_was_given_as_input_stays_out_of_the_queue(api: Api, queue_url: str) -> None:
    value = canary()
    api.post(f"/flows/{_flow(api)}/runs", json={"inputs": {"note": value}})
    with Redis.from_url(queue_url) as redis:
        for key in redis.scan_iter("*"):
            assert value.encode() not in (redis.dump(key) or b"")


def test_another_environments_run(queued: Installation) -> None:
    staging = queued.environment("staging")
    user_id, _ = queued.person(Role.ADMIN)
    here = queued.api(queued.token(user_id=user_id))
    there = queued.api(queued.token(user_id=user_id, environment_id=staging))
    run_id = here.post(f"/flows/{_flow(here)}/runs", json={}).json["id"]
    assert there.get("/runs").json["items"] == []
    nothing = "01a20a71-d37c-76f2-9c2e-19f0e2518d3b"
    for method, suffix in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
        theirs = there.call(method, f"/runs/{run_id}{suffix}")
        never = there.call(method, f"/runs/{nothing}{suffix}")
        assert theirs.status_code == never.status_code == 404
        assert {**theirs.json, "request_id": ""} == {**never.json, "request_id": ""}


def test_waiting_ends_with_the_run(api: Api, queued: Installation) -> None:
    flow_id = _flow(api)

    def cancel_it() -> None:
        runs: list[dict[str, Any]] = []
        while not runs:
            runs = queued.api(api.token).get("/runs?state=queued").json["items"]
            time.sleep(0.01)
        queued.api(api.token).post(f"/runs/{runs[0]['id']}/cancel")

    other = threading.Thread(target=cancel_it)
    other.start()
    started = time.monotonic()
    answer = api.post(f"/flows/{flow_id}/runs?wait=60")
    other.join()
    assert (answer.status_code, answer.json["state"]) == (200, "cancelled")
    assert time.monotonic() - started < 30


def test_waiting_goes_on_no_longer_than_asked_for(api: Api) -> None:
    answer = api.post(f"/flows/{_flow(api)}/runs?wait=1")
    assert (answer.status_code, answer.json["state"]) == (202, "queued")
    for wait in ("-1", "61", "x"):
        assert api.post(f"/flows/{_flow(api)}/runs?wait={wait}").status_code == 422


def test_waiting_shows_a_run_and_needs_the_scope_for_it(queued: Installation) -> None:
    api = queued.api(queued.token("runs:manage", "flows:manage"))
    answer = api.post(f"/flows/{_flow(api)}/runs?wait=1")
    assert (answer.status_code, answer.json["code"]) == (403, "scope_missing")
    assert api.post(f"/flows/{_flow(api)}/runs?wait=0").status_code == 202
