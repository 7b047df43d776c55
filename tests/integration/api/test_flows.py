"""``/api/v1/flows`` and ``/api/v1/components`` over the real services."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.scopes import Role
from tests.support.installation import Api, Installation, canary

FIELDS = {
    "id", "name", "description", "state", "revision", "active_version", "graph", "problems",
    "updated_at", "settings",
}


def node(name: str, component: str, **config: Any) -> dict[str, Any]:
    """Return a node of a graph document."""
    return {"id": name, "component": component, "label": "", "position": [0, 0], "config": config}


def wire(number: int, source: str, target: str) -> dict[str, Any]:
    """Return a wire between two ``node.port`` ends."""
    (a, b), (c, d) = source.split("."), target.split(".")
    return {"id": f"e{number}", "source": {"node": a, "port": b}, "target": {"node": c, "port": d}}


def graph(nodes: list[dict[str, Any]], edges: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return a graph document."""
    return {"schema": 1, "nodes": nodes, "edges": edges or []}


ECHO = graph(
    [
        node("start", "trigger.manual"),
        node("fetch", "secret.fetch", secretName="echo_token"),
        node("call", "http.request", method="GET", url="http://127.0.0.1:9/"),
        node("log", "output.log", message="answered"),
    ],
    [
        wire(1, "start.done", "fetch.start"),
        wire(2, "fetch.value", "call.bearer_token"),
        wire(3, "call.body", "log.data"),
    ],
)


@pytest.fixture
def api(installation: Installation) -> Api:
    """A client that may do everything."""
    return installation.api(installation.token())


def test_settings_are_shown_replaced_and_refused(api: Api) -> None:
    created = api.post("/flows", json={"name": "Kept", "settings": {"timeout_seconds": 60}})
    assert created.status_code == 201, created.json
    path = f"/flows/{created.json['id']}"
    assert created.json["settings"] == {
        "concurrency": {"limit": None, "policy": "queue"}, "timeout_seconds": 60,
        "on_prevented_leak": "mask", "on_worker_lost": "fail",
        "notify_on_failure": {"webhook_url": None, "email": None},
    }
    kept = api.put(path, json={"graph": created.json["graph"]})
    assert kept.json["settings"] == created.json["settings"]
    other = {"concurrency": {"limit": 1, "policy": "cancel_older"}}
    saved = api.put(path, json={"graph": created.json["graph"], "settings": other})
    assert saved.json["settings"]["concurrency"] == other["concurrency"]
    assert saved.json["settings"]["timeout_seconds"] == 3600
    wrong = {"timeout_seconds": 0, "notify_on_failure": {"webhook_url": "https://CANARY-x@h/"}}
    refused = api.put(path, json={"graph": created.json["graph"], "settings": wrong})
    assert refused.status_code == 422
    assert {problem["field"] for problem in refused.json["problems"]} == {
        "settings.timeout_seconds", "settings.notify_on_failure.webhook_url"
    }
    assert "CANARY" not in refused.text
    assert api.get(path).json == saved.json


def test_create_show_list_save_delete(api: Api) -> None:
    created = api.post("/flows", json={"name": "Echo", "description": "d"})
    assert created.status_code == 201, created.json
    assert set(created.json) == FIELDS
    assert created.json["state"] == "draft"
    assert created.json["active_version"] is None
    path = f"/flows/{created.json['id']}"
    assert created.headers["Location"] == f"/api/v1{path}"

    saved = api.put(path, json={"graph": ECHO}, headers={"If-Match": created.headers["ETag"]})
    assert saved.status_code == 200, saved.json
    assert set(saved.json) == FIELDS
    assert saved.json["settings"]["timeout_seconds"] == 3600
    assert saved.json["revision"] == created.json["revision"] + 1
    assert saved.json["name"] == "Echo"
    missing = [item for item in saved.json["problems"] if item["code"] == "secret_missing"]
    assert missing[0]["node"] == "fetch"
    assert "echo_token" in missing[0]["message"]
    assert missing[0]["remedy"]["label"]

    shown = api.get(path)
    assert shown.json == saved.json
    assert shown.headers["ETag"] == saved.headers["ETag"]

    listed = api.get("/flows?q=ech").json
    assert [item["id"] for item in listed["items"]] == [created.json["id"]]
    assert "graph" not in listed["items"][0]

    stale = api.put(path, json={"graph": ECHO, "name": "Other"},
                    headers={"If-Match": created.headers["ETag"]})
    assert stale.status_code == 412
    assert api.get(path).json["name"] == "Echo"

    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.get("/flows").json["items"] == []


IMPOSSIBLE = {
    "a text into a secret": graph(
        [node("a", "text.template", template="x"), node("b", "http.request", url="http://x/")],
        [wire(1, "a.text", "b.bearer_token")],
    ),
    "a secret into a text": graph(
        [node("a", "secret.fetch", secretName="s"), node("b", "output.log")],
        [wire(1, "a.value", "b.message")],
    ),
    "a cycle": graph(
        [node("a", "output.log", message="x"), node("b", "output.log", message="x")],
        [wire(1, "a.done", "b.start"), wire(2, "b.done", "a.start")],
    ),
    "a port that is none": graph(
        [node("a", "trigger.manual"), node("b", "output.log")], [wire(1, "a.nope", "b.message")]
    ),
    "a node that is none": graph([node("a", "trigger.manual")], [wire(1, "a.done", "z.start")]),
    "two of one id": graph([node("a", "trigger.manual"), node("a", "output.log")]),
    "two wires into one": graph(
        [node("a", "trigger.manual"), node("c", "trigger.manual"), node("b", "output.log")],
        [wire(1, "a.payload", "b.data"), wire(2, "c.payload", "b.data")],
    ),
    "a newer schema": {"schema": 2, "nodes": [], "edges": []},
    "no document": {"nodes": 5},
    "too many nodes": graph([node(f"n{n}", "output.log") for n in range(2001)]),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_the_impossible_is_refused_and_nothing_is_saved(shared: Installation, case: str) -> None:
    api = shared.api(shared.token())
    before = api.post("/flows", json={"name": canary()}).json
    path = f"/flows/{before['id']}"
    answer = api.put(path, json={"graph": IMPOSSIBLE[case]})
    assert answer.status_code == 422, answer.json
    assert answer.json["code"] != "body_invalid"
    assert answer.json["detail"]
    assert api.get(path).json == before
    name = canary()
    refused = api.post("/flows", json={"name": name, "graph": IMPOSSIBLE[case]})
    assert refused.status_code == 422
    assert api.get(f"/flows?q={name}").json["items"] == []
    asked = api.post(f"{path}/validate", json={"graph": IMPOSSIBLE[case]})
    assert asked.status_code == 422
    assert asked.json["detail"] == answer.json["detail"]


def test_the_unfinished_is_saved_and_listed(api: Api) -> None:
    unfinished = graph(
        [node("a", "nobody.made.this"), node("b", "http.request"),
         node("c", "secret.fetch", secretName="nowhere")]
    )
    made = api.post("/flows", json={"name": "half drawn", "graph": unfinished})
    assert made.status_code == 201
    problems = made.json["problems"]
    assert {item["node"] for item in problems} >= {"a", "b", "c"}
    for item in problems:
        assert set(item) >= {"code", "severity", "node", "port", "field", "message", "remedy"}
    asked = api.post(f"/flows/{made.json['id']}/validate", json={})
    assert asked.json["problems"] == problems
    run = api.post(f"/flows/{made.json['id']}/runs", json={})
    assert run.status_code == 422
    assert run.json["problems"]
    assert api.get("/runs").json["items"] == []


def test_a_session_says_what_it_changes(installation: Installation) -> None:
    browser = installation.signed_in(Role.AUTHOR)
    made = browser.api("POST", "/flows", json={"name": "f"})
    path = f"/flows/{made.json['id']}"
    without = browser.api("PUT", path, json={"graph": graph([])})
    assert without.status_code == 422
    assert without.json["code"] == "if_match_required"
    for text in ("*", ""):
        again = browser.api("PUT", path, json={"graph": graph([])}, headers={"If-Match": text})
        assert again.json["code"] == "if_match_required"
    good = browser.api("PUT", path, json={"graph": graph([node("a", "trigger.manual")])},
                       headers={"If-Match": made.headers["ETag"]})
    assert good.status_code == 200
    stale = browser.api("PUT", path, json={"graph": graph([])},
                        headers={"If-Match": made.headers["ETag"]})
    assert stale.status_code == 412
    assert "person1@example.com" in stale.json["detail"]


def test_the_components_and_the_type_table(api: Api) -> None:
    body = api.get("/components").json
    names = {item["name"] for item in body["items"]}
    assert names >= {"trigger.manual", "secret.fetch", "http.request", "output.log",
                     "text.template"}
    assert body["next_cursor"] is None
    assert any(rule["allowed"] for rule in body["port_rules"])


def test_the_shape_and_the_upgrade_of_a_node(api: Api) -> None:
    shape = api.post("/components/output.log/shape", json={"config": {"message": "x"}}).json
    assert [one["name"] for one in shape["inputs"]] == ["data", "message", "level"]
    assert shape["choices"] == {}
    same = api.post("/components/output.log/upgrade", json={"config": {"message": "x"}}).json
    assert same == {"version": 1, "config": {"message": "x"}, "inputs": {}, "outputs": {},
                    "says": []}
    assert api.post("/components/no.such/shape", json={}).status_code == 404
    older = api.post("/components/output.log/shape", json={"version": 7})
    assert (older.status_code, older.json["code"]) == (404, "component_version_missing")
    assert api.post("/components/output.log/upgrade", json={"version": 7}).status_code == 422


def test_another_environments_flow(installation: Installation) -> None:
    staging = installation.environment("staging")
    user_id, _ = installation.person(Role.ADMIN)
    here = installation.api(installation.token(user_id=user_id))
    there = installation.api(installation.token(user_id=user_id, environment_id=staging))
    made = here.post("/flows", json={"name": "f"}).json
    assert there.get("/flows").json["items"] == []
    nothing = "01a20a71-d37c-76f2-9c2e-19f0e2518d3b"
    for method, suffix, body in (
        ("GET", "", None), ("PUT", "", {"graph": ECHO}), ("DELETE", "", None),
        ("POST", "/validate", {}), ("POST", "/runs", {}),
    ):
        theirs = there.call(method, f"/flows/{made['id']}{suffix}", json=body)
        never = there.call(method, f"/flows/{nothing}{suffix}", json=body)
        assert theirs.status_code == never.status_code == 404
        assert {**theirs.json, "request_id": ""} == {**never.json, "request_id": ""}
