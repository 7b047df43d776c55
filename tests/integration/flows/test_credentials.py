"""Credentials typed into ordinary fields: found, never quoted, stored and wired, or marked."""

from __future__ import annotations

from typing import Any

import pytest

from app.flows.credential_marks import reseal_marks
from app.flows.credentials import find_credentials
from app.flows.graph import parse_graph
from app.keys.resealing import replace_seal_key, reseal, retire_row_keys
from tests.support.installation import Api, Installation

GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PLAIN = [
    "https://example.com/api/v1/things?page=2", "Hello {name}, your password: {{ password }}",
    "0190aaaa-0000-7000-8000-000000000000", "SELECT * FROM customers WHERE id = 7",
    "/usr/local/share/ca-certificates/Extra/thing", "2026-11-25T16:00:00Z", "a" * 500,
    "1234567890123456789012345678901234567890",
]
CREDENTIALS = [
    GITHUB, "AKIAIOSFODNN7EXAMPLE", "https://bob:hunter22xx@example.com/",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dcabcd", "-----BEGIN RSA PRIVATE KEY-----\nMIIB",
    "xoxb-" + "123456789012-123456789012-abcdefghijklmnopqrstuvwx",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "SG." + "abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789abcdefg",
]


def calling(**config: Any) -> dict[str, Any]:
    """Return a flow with one HTTP Request."""
    return {"schema": 1, "edges": [], "nodes": [
        {"id": "call", "component": "http.request", "label": "Call", "position": [400, 100],
         "config": {"method": "GET", "url": "https://example.com/", **config}}]}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One for the module."""
    made = Installation.make(tmp_path_factory.mktemp("typed") / "home")
    yield made
    made.services.close()


@pytest.fixture
def api(installation: Installation) -> Api:
    """A client that may do everything, in an environment of the test's own."""
    from app.ids import new_id

    where = installation.environment(f"e{new_id()}"[:36])
    return installation.api(installation.token(environment_id=where))


@pytest.mark.parametrize("text", PLAIN)
def test_plain_texts_are_let_be(text: str) -> None:
    assert find_credentials(parse_graph(calling(body=text))) == []


@pytest.mark.parametrize("text", CREDENTIALS)
def test_known_formats_and_random_keys_are_found(text: str) -> None:
    found = find_credentials(parse_graph(calling(body=f"a {text} b")))
    assert [one.field for one in found] == ["body"]
    assert text not in repr(found)


def test_a_field_s_name_tells_too() -> None:
    found = find_credentials(parse_graph(calling(headers={
        "Authorization": "Bearer correcthorse", "X-Api-Key": "{{ key }}", "Accept": "text/plain",
    })))
    assert [one.field for one in found] == ["headers.Authorization"]


def find(flow: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the findings of a flow."""
    return [one for one in flow["problems"] if one["code"] == "hardcoded_credential"]


def test_stored_and_wired_in_one_step(api: Api) -> None:
    flow = api.post("/flows", json={
        "name": "Daily", "graph": calling(headers={"Authorization": f"Bearer {GITHUB}"})}).json
    (problem,) = find(flow)
    assert (problem["severity"], problem["field"]) == ("warning", "headers.Authorization")
    assert GITHUB not in str(problem)
    assert problem["remedy"]["action"] == "store_as_secret"
    path = f"/flows/{flow['id']}"
    where = {"node": "call", "field": "headers.Authorization", "name": "github"}
    unclear = api.post(f"{path}/store-credential", json=where)
    assert (unclear.status_code, unclear.json["code"]) == (422, "port_needed")
    assert api.get("/secrets").json["items"] == []
    stored = api.post(f"{path}/store-credential", json={**where, "port": "bearer_token"})
    assert stored.status_code == 200, stored.json
    assert GITHUB not in stored.text
    assert find(stored.json) == []
    call, fetch = stored.json["graph"]["nodes"]
    assert call["config"]["headers"] == {}
    assert fetch["config"] == {"secretName": "github"}
    assert stored.json["graph"]["edges"][0]["target"] == {"node": "call", "port": "bearer_token"}
    secret = api.get("/secrets").json["items"][0]
    assert api.get(f"/secrets/{secret['id']}").json["value"] == GITHUB
    gone = api.post(f"{path}/store-credential", json={**where, "port": "bearer_token"})
    assert gone.status_code == 404
    assert GITHUB not in api.get("/audit").text


def test_a_mark_holds_for_one_text(api: Api) -> None:
    flow = api.post("/flows", json={"name": "Daily", "graph": calling(body=GITHUB)}).json
    path = f"/flows/{flow['id']}"
    assert len(find(flow)) == 1
    held = api.get(f"{path}/bundle")
    assert (held.status_code, held.json["code"]) == (422, "bundle_holds_credentials")
    assert GITHUB not in held.text
    assert api.post(f"{path}/credential-marks", json={"node": "call", "field": "body"}) \
        .status_code == 204
    assert find(api.get(path).json) == []
    assert api.get(f"{path}/bundle").status_code == 200
    other = GITHUB[:-1] + "9"
    assert len(find(api.put(path, json={"graph": calling(body=other)}).json)) == 1
    audit = api.get("/audit?action=flow.mark")
    assert audit.json["items"]
    assert GITHUB not in audit.text
    assert api.post(f"{path}/credential-marks", json={"node": "call", "field": "url"}) \
        .status_code == 404


def test_an_environment_may_refuse_them(installation: Installation, api: Api) -> None:
    here = api.get("/me").json["environment"]["id"]
    flow = api.post("/flows", json={"name": "Daily", "graph": calling(body=GITHUB)}).json
    path = f"/flows/{flow['id']}"
    assert api.post(f"{path}/activate", json={}).status_code == 200
    changed = api.call("PATCH", f"/environments/{here}", json={
        "policies": {"hardcoded_credentials": "refuse"}})
    assert changed.status_code == 200
    refused = api.post(f"{path}/activate", json={})
    assert refused.status_code == 422
    (problem,) = refused.json["problems"]
    assert (problem["code"], problem["severity"]) == ("hardcoded_credential", "error")
    assert problem["link"] == f"/flows/{flow['id']}#call"
    assert GITHUB not in refused.text
    # What is active goes on.
    assert api.post(f"{path}/runs", json={}).status_code == 202


def test_an_environment_may_ask_where_secrets_go(api: Api) -> None:
    here = api.get("/me").json["environment"]["id"]
    api.call("PATCH", f"/environments/{here}", json={"policies": {"require_allowed_hosts": True}})
    secret = api.post("/secrets", json={"name": "stripe", "value": GITHUB}).json
    flow = api.post("/flows", json={"name": "Daily", "graph": {
        "schema": 1, "edges": [], "nodes": [{"id": "f", "component": "secret.fetch",
                                             "config": {"secretName": "stripe"}}]}}).json
    refused = api.post(f"/flows/{flow['id']}/activate", json={})
    assert [one["code"] for one in refused.json["problems"]] == ["allowed_hosts_required"]
    assert refused.json["problems"][0]["link"] == "/secrets?q=stripe"
    api.call("PATCH", f"/secrets/{secret['id']}", json={"allowed_hosts": ["example.com"]})
    assert api.post(f"/flows/{flow['id']}/activate", json={}).status_code == 200


def test_notes_are_looked_at_too_and_never_keep_a_flow_from_activation(
    installation: Installation, api: Api
) -> None:
    here = api.get("/me").json["environment"]["id"]
    chief = installation.api(installation.token(environment_id=here))
    answer = chief.call("PATCH", f"/environments/{here}", json={
        "policies": {"hardcoded_credentials": "refuse"}})
    assert answer.status_code == 200, answer.json
    where = {"position": [0, 0], "size": [200, 100]}
    document = {**calling(), "notes": [
        {"id": "n1", "text": f"Ask Ann.\nThe token: {GITHUB}", **where},
        {"id": "n2", "text": "password = hunter22-Xy", **where},
        {"id": "n3", "text": "Calls example.com at https://example.com/api?page=2: twice", **where},
    ]}
    flow = api.post("/flows", json={"name": "Noted", "graph": document}).json
    found = find(flow)
    assert [(one["severity"], one["node"], one["field"]) for one in found] == [
        ("warning", None, "notes.n1"), ("warning", None, "notes.n2")]
    assert GITHUB not in str(found)
    path = f"/flows/{flow['id']}"
    assert api.get(f"{path}/bundle").json["code"] == "bundle_holds_credentials"
    assert api.post(f"{path}/activate", json={}).status_code == 200
    for body in ({"node": "n1", "field": "notes.n1"}, {"node": "call", "field": "notes.n1"}):
        assert api.post(f"{path}/credential-marks", json=body).status_code == 404
    stored = api.post(f"{path}/store-credential", json={
        "node": "", "field": "notes.n1", "name": "from_note"})
    assert (stored.status_code, stored.json["code"]) == (422, "note_not_wirable")
    # Each note is marked for itself, and for its text alone.
    assert [one["remedy"]["action"] for one in found] == ["mark_no_credential"] * 2
    for body in ({"field": "notes.n1"}, {"node": "", "field": "notes.n2"}):
        assert api.post(f"{path}/credential-marks", json=body).status_code == 204
    assert find(api.get(path).json) == []
    assert api.get(f"{path}/bundle").status_code == 200
    document["notes"][0]["text"] += "x"
    changed = api.put(path, json={"graph": document}).json
    assert [one["field"] for one in find(changed)] == ["notes.n1"]


def test_marks_outlive_the_replacement_of_the_row_key(
    installation: Installation, api: Api
) -> None:
    flow = api.post("/flows", json={"name": "Kept", "graph": calling(body=GITHUB)}).json
    path = f"/flows/{flow['id']}"
    api.post(f"{path}/credential-marks", json={"node": "call", "field": "body"})
    assert find(api.get(path).json) == []
    home, services = installation.config.home, installation.services
    with services.db.read() as session:
        seals = session.info["seals"]
    replace_seal_key(home, "row-mac")
    list(reseal(services.db, seals))
    assert reseal_marks(services.db, seals) >= 1  # other tests of the module may have marked, too
    assert retire_row_keys(services.db, home)
    assert find(api.get(path).json) == []
    assert reseal_marks(services.db, seals) == 0
    other = calling(body=GITHUB[:-1] + "9")
    assert len(find(api.put(path, json={"graph": other}).json)) == 1
