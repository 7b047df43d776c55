"""Statement 12: of two rotates with one If-Match one wins and one is 412; 50 at once are 50
versions, in order, one of them active.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from app.errors import Stale
from app.vault import service as vault_service
from tests.support.installation import Api, Installation, canary

ROTATES = 50


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation for the module."""
    made = Installation.make(tmp_path_factory.mktemp("revisions") / "home")
    yield made
    made.services.close()


@pytest.fixture(scope="module")
def api(house: Installation) -> Api:
    """A client that may do everything."""
    return house.api(house.token())


def _secret(api: Api, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.post(
        "/secrets", json={"name": canary(), "value": canary(), **more}
    ).json
    return made


def test_s12_if_match_and_concurrent_rotates(house: Installation, api: Api) -> None:
    secret, actor, vault = _secret(api), house.operator(), house.services.vault
    assert vault is not None
    values = [canary() for _ in range(ROTATES)]
    together = Barrier(10)

    def rotate(number: int) -> int:
        if number < together.parties:
            together.wait()
        with house.services.db.begin() as session:
            view = vault_service.rotate_secret(
                session, actor, vault, secret["id"], value=values[number]
            )
        return view.active_version

    with ThreadPoolExecutor(10) as pool:
        numbers = list(pool.map(rotate, range(ROTATES)))
    assert sorted(numbers) == list(range(2, ROTATES + 2))
    versions = api.get(f"/secrets/{secret['id']}/versions").json["items"]
    assert [version["number"] for version in versions] == list(range(ROTATES + 1, 0, -1))
    assert [version["number"] for version in versions if version["active"]] == [ROTATES + 1]
    made = [version["created_at"] for version in reversed(versions)]
    assert made == sorted(made)
    # No version was lost or mixed up: each opens to what was written under its number.
    for value, number in zip(values, numbers, strict=True):
        shown = api.get(f"/secrets/{secret['id']}?version={number}").json
        assert shown["value"] == value
        assert shown["version"]["number"] == number
    assert shown["revision"] == ROTATES + 1


def test_s12_two_with_the_same_if_match(house: Installation, api: Api) -> None:
    secret, actor, vault = _secret(api), house.operator(), house.services.vault
    assert vault is not None
    together = Barrier(8)

    def rotate(_: int) -> Stale | None:
        together.wait()
        try:
            with house.services.db.begin() as session:
                vault_service.rotate_secret(
                    session, actor, vault, secret["id"], value=canary(), if_match=1
                )
        except Stale as error:
            return error
        return None

    with ThreadPoolExecutor(8) as pool:
        lost = [error for error in pool.map(rotate, range(8)) if error is not None]
    assert len(lost) == 7
    for error in lost:
        assert (error.status, error.code) == (412, "secret_changed")
        assert actor.name in error.detail
        assert "rotated to version 2" in error.detail
    assert len(api.get(f"/secrets/{secret['id']}/versions").json["items"]) == 2


WRITES = [
    ("PUT", "/rotate", {"value": "another value, long enough"}),
    ("PATCH", "", {"description": "changed"}),
    ("POST", "/versions/1/activate", None),
    ("POST", "/versions/1/disable", None),
    ("POST", "/versions/1/enable", None),
    ("POST", "/versions/1/destroy", None),
    ("DELETE", "", None),
    ("POST", "/restore", None),
    ("POST", "/purge", None),
]


@pytest.mark.parametrize(("method", "suffix", "body"), WRITES)
def test_s12_every_write_of_a_secret_takes_if_match(
    api: Api, method: str, suffix: str, body: dict[str, Any] | None
) -> None:
    secret = _secret(api)
    path = f"/secrets/{secret['id']}"
    assert api.put(f"{path}/rotate", json={"value": canary()}).status_code == 200
    if suffix in ("/restore", "/purge"):
        api.delete(path)
    shown = api.get(f"{path}?deleted=true")
    stale = api.call(method, path + suffix, json=body, headers={"If-Match": '"1"'})
    assert stale.status_code == 412, stale.json
    assert stale.json["code"] == "secret_changed"
    assert "revision" in stale.json["detail"]
    # Looking is an access for this token; nothing else may have moved.
    now = api.get(f"{path}?deleted=true").json
    assert {**now, "last_accessed_at": None} == {**shown.json, "last_accessed_at": None}
    done = api.call(method, path + suffix, json=body, headers={"If-Match": shown.headers["ETag"]})
    assert done.status_code in (200, 204), done.json
    if done.status_code == 200:
        assert done.headers["ETag"] == f'"{done.json["revision"]}"'


@pytest.mark.parametrize(("method", "suffix", "body"), [
    ("PUT", "", {"graph": {"schema": 1, "nodes": [], "edges": []}}),
    ("POST", "/activate", {}),
    ("POST", "/deactivate", None),
    ("DELETE", "", None),
])
def test_s12_every_write_of_a_flow_takes_if_match(
    api: Api, method: str, suffix: str, body: dict[str, Any] | None
) -> None:
    nodes = [{"id": "log", "component": "output.log", "label": "", "position": [0, 0],
              "config": {"message": "x"}}]
    graph = {"schema": 1, "nodes": nodes, "edges": []}
    flow = api.post("/flows", json={"name": "f", "graph": graph}).json
    path = f"/flows/{flow['id']}"
    saved = api.put(path, json={"graph": graph, "name": "g"})
    for wrong in (flow["revision"], saved.json["revision"] + 1):
        stale = api.call(method, path + suffix, json=body, headers={"If-Match": f'"{wrong}"'})
        assert stale.status_code == 412, stale.json
        assert stale.json["code"] == "flow_changed"
    done = api.call(method, path + suffix, json=body, headers={"If-Match": saved.headers["ETag"]})
    assert done.status_code in (200, 201, 204), done.json


def test_s12_versions_can_be_activated_without_their_values(api: Api) -> None:
    first, second = canary(), canary()
    secret = _secret(api, value=first)
    path = f"/secrets/{secret['id']}"
    api.put(f"{path}/rotate", json={"value": second})
    assert api.get(path).json["value"] == second
    assert api.post(f"{path}/versions/1/activate").json["active_version"] == 1
    assert api.get(path).json["value"] == first
