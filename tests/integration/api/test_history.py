"""A flow's versions over the API: listed, looked at, compared, restored; and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.scopes import Role
from tests.integration.api.test_flows import graph, node
from tests.support.installation import Api, Installation


@pytest.fixture
def api(installation: Installation) -> Api:
    """A client that may do everything."""
    return installation.api(installation.token())


@pytest.fixture
def flow(api: Api) -> str:
    """A flow with two versions and a draft that is neither."""
    nodes = [node("a", "trigger.manual"), node("b", "output.log", message="CANARY-one")]
    made = api.post("/flows", json={"name": "f", "graph": graph(nodes)}).json
    address = f"/flows/{made['id']}"
    assert api.post(f"{address}/activate", json={"note": "First"}).json["number"] == 1
    nodes[1]["config"]["message"] = "CANARY-two"
    nodes.append(node("c", "output.log", message="more"))
    _save(api, address, nodes, [_wire("a.done", "c.start")])
    assert api.post(f"{address}/activate", json={"note": "Second"}).json["number"] == 2
    nodes[0]["position"] = [40, 40]
    del nodes[1]
    _save(api, address, nodes, [])
    return str(made["id"])


def _wire(source: str, target: str) -> dict[str, Any]:
    (a, out), (b, into) = source.split("."), target.split(".")
    return {"id": f"{a}-{b}", "source": {"node": a, "port": out},
            "target": {"node": b, "port": into}}


def _save(api: Api, address: str, nodes: list[Any], edges: list[Any]) -> None:
    answer = api.put(address, json={"graph": {"schema": 1, "nodes": nodes, "edges": edges}})
    assert answer.status_code == 200, answer.json


def test_versions_are_listed_and_shown_as_they_were(api: Api, flow: str) -> None:
    listed = api.get(f"/flows/{flow}/versions").json["items"]
    assert [(one["number"], one["note"], one["active"]) for one in listed] == [
        (2, "Second", True), (1, "First", False),
    ]
    assert len({one["content_hash"] for one in listed}) == 2
    first = api.get(f"/flows/{flow}/versions/1").json
    assert [one["id"] for one in first["graph"]["nodes"]] == ["a", "b"]
    assert first["graph"]["nodes"][1]["config"] == {"message": "CANARY-one"}
    draft = api.get(f"/flows/{flow}/versions/draft").json
    assert [one["id"] for one in draft["graph"]["nodes"]] == ["a", "c"]


def test_a_difference_names_what_changed_and_no_value(api: Api, flow: str) -> None:
    found = api.get(f"/flows/{flow}/diff?before=1&after=2").json
    assert [(one["id"], one["change"], one["fields"]) for one in found["nodes"]] == [
        ("b", "changed", ["config.message"]), ("c", "added", []),
    ]
    assert found["edges"] == [{"source": "a.done", "target": "c.start", "change": "added"}]
    assert (found["same"], found["moved"], found["settings"]) == (False, [], [])
    assert "CANARY" not in str(found)
    back = api.get(f"/flows/{flow}/diff?before=2").json
    assert [(one["id"], one["change"]) for one in back["nodes"]] == [("b", "removed")]
    assert back["edges"][0]["change"] == "removed"
    assert back["moved"] == ["a"]
    same = api.get(f"/flows/{flow}/diff?before=2&after=2").json
    assert (same["same"], same["nodes"], same["edges"]) == (True, [], [])


def test_a_version_is_restored_into_the_draft_and_what_is_active_stays(
    api: Api, flow: str
) -> None:
    stale = api.get(f"/flows/{flow}").json["revision"] - 1
    refused = api.post(
        f"/flows/{flow}/versions/1/restore", headers={"If-Match": f'"{stale}"'}
    )
    assert refused.status_code == 412
    restored = api.post(f"/flows/{flow}/versions/1/restore")
    assert restored.status_code == 200, restored.json
    assert restored.json["active_version"] == 2
    assert restored.json["revision"] == stale + 2
    assert api.get(f"/flows/{flow}/diff?before=1").json["same"]
    again = api.post(f"/flows/{flow}/versions/1/restore").json
    assert again["revision"] == restored.json["revision"]
    # A version that is active again is a version of its own, and the same by its hash.
    third = api.post(f"/flows/{flow}/activate", json={}).json
    listed = {one["number"]: one for one in api.get(f"/flows/{flow}/versions").json["items"]}
    assert third["number"] == 3
    assert listed[3]["content_hash"] == listed[1]["content_hash"]


@pytest.mark.parametrize("name", ["3", "0", "-1", "01a21413-9b5d-71d1-934a-d098d419f392", "x" * 65])
def test_versions_that_are_none(api: Api, flow: str, name: str) -> None:
    assert api.get(f"/flows/{flow}/versions/{name}").status_code == 404
    assert api.post(f"/flows/{flow}/versions/{name}/restore").status_code == 404
    assert api.get(f"/flows/{flow}/diff?before={name}").status_code in (404, 422)


def test_who_only_reads_flows_restores_none(
    installation: Installation, api: Api, flow: str
) -> None:
    reader = installation.api(installation.token("flows:read"))
    assert reader.get(f"/flows/{flow}/diff?before=1").status_code == 200
    refused = reader.post(f"/flows/{flow}/versions/1/restore")
    assert (refused.status_code, refused.json["code"]) == (403, "scope_missing")
    nobody = installation.api(installation.token("runs:read", role=Role.VIEWER))
    for path in ("versions", "versions/1", "diff?before=1"):
        assert nobody.get(f"/flows/{flow}/{path}").status_code == 403
