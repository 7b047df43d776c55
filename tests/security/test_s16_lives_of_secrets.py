"""Statement 16: deleting, restoring, renaming, destroying and purging, and what use blocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.ids import new_id, utcnow
from app.vault import purge
from app.vault.purge import purge_due
from tests.support.database import raw_database
from tests.support.installation import Api, Installation, canary
from tests.support.runs import fetching


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation for the module."""
    made = Installation.make(tmp_path_factory.mktemp("lives") / "home")
    yield made
    made.services.close()


@pytest.fixture(scope="module")
def api(house: Installation) -> Api:
    """A client that may do everything."""
    return house.api(house.token())


def _secret(api: Api, *values: str, name: str = "") -> dict[str, Any]:
    """Make a secret of as many versions as there are values."""
    made: dict[str, Any] = api.post(
        "/secrets", json={"name": name or f"s-{new_id()}", "value": values[0]}
    ).json
    for value in values[1:]:
        api.put(f"/secrets/{made['id']}/rotate", json={"value": value})
    return made


def _active_flow(api: Api, name: str, **config: Any) -> str:
    flow = api.post("/flows", json={"name": "uses it", "graph": fetching(name, **config)}).json
    answer = api.post(f"/flows/{flow['id']}/activate", json={"note": "first"})
    assert answer.status_code == 200, answer.json
    return str(flow["id"])


def test_s16_delete_restore_rename_destroy_purge(house: Installation, api: Api) -> None:
    value = canary()
    secret = _secret(api, value)
    path, name = f"/secrets/{secret['id']}", secret["name"]
    flow = _active_flow(api, name)

    # A soft delete is never blocked by use; usage says what will break.
    usage = api.get(f"{path}/usage").json
    assert {(use["flow_id"], use["scope"]) for use in usage["items"]} == {
        (flow, "draft"), (flow, "active")
    }
    assert usage["summary"] == "1 flow takes the new version at once."
    before = api.get(path).json
    assert api.delete(f"{path}?recovery_days=7").status_code == 204

    # It denies its value and answers as what isn't there, but where deleted ones are asked for.
    for suffix in ("", "?version=1", "/versions", "/usage", "/accesses"):
        answer = api.get(path + suffix)
        assert answer.status_code == 404, suffix
        assert value not in answer.get_data(as_text=True)
    shown = api.get(f"{path}?deleted=true&version=1")
    assert shown.json["state"] == "deleted"
    assert "value" not in shown.json
    assert value not in shown.get_data(as_text=True)
    assert secret["id"] in [one["id"] for one in api.get("/secrets?state=deleted").json["items"]]
    assert secret["id"] not in [one["id"] for one in api.get("/secrets?limit=200").json["items"]]
    for method, suffix, body in (
        ("PUT", "/rotate", {"value": canary()}), ("PATCH", "", {"description": "d"}),
        ("POST", "/versions/1/activate", None), ("POST", "/versions/1/destroy", None),
        ("DELETE", "", None),
    ):
        assert api.call(method, path + suffix, json=body).status_code == 404
    run = api.post(f"/flows/{flow}/runs", json={})
    assert run.status_code in (202, 422, 503)

    # Its name stays reserved, with the way out named.
    taken = api.post("/secrets", json={"name": name, "value": canary()})
    assert taken.status_code == 409
    assert taken.json["code"] == "secret_name_reserved"
    assert "Restore it, purge it" in taken.json["detail"]

    # Purging what an active version uses is refused; restoring brings it back whole.
    blocked = api.post(f"{path}/purge")
    assert blocked.status_code == 423
    assert "uses it" in blocked.json["detail"]
    restored = api.post(f"{path}/restore")
    assert restored.status_code == 200
    after = api.get(path).json
    same = {"updated_at", "revision", "last_accessed_at"}
    assert {k: v for k, v in after.items() if k not in same} == {
        k: v for k, v in before.items() if k not in same
    }
    assert after["value"] == value

    # Renaming a used secret names the flows.
    renamed = api.call("PATCH", path, json={"name": f"other-{new_id()}"})
    assert renamed.status_code == 409
    assert "uses it" in renamed.json["detail"]
    # Without use it is deleted, purged and its name free.
    assert api.post(f"/flows/{flow}/deactivate").status_code == 204
    assert api.delete(path).status_code == 204
    assert api.post(f"{path}/purge").status_code == 204
    assert api.get(f"{path}?deleted=true").status_code == 404
    assert api.post(f"{path}/restore").status_code == 404
    with raw_database(house.config) as raw:
        for table in ("secret_blobs", "secret_versions", "secret_tags", "grants"):
            query = f"select count(*) from {table} where secret_id = ?"
            assert raw.execute(query, (secret["id"],)).fetchone() == (0,), table
    anew = api.post("/secrets", json={"name": name, "value": canary()})
    assert anew.status_code == 201
    # A draft's name resolves anew, and an active version never takes the new one silently.
    assert anew.json["id"] != secret["id"]


def test_s16_only_what_is_deleted_is_purged(api: Api) -> None:
    secret = _secret(api, canary())
    answer = api.post(f"/secrets/{secret['id']}/purge")
    assert answer.status_code == 409
    assert answer.json["code"] == "secret_not_deleted"


def test_s16_destroyed_versions_stay_unreadable(house: Installation, api: Api) -> None:
    first, second = canary(), canary()
    secret = _secret(api, first, second)
    path = f"/secrets/{secret['id']}"
    active = api.post(f"{path}/versions/2/destroy")
    assert active.status_code == 409
    assert active.json["code"] == "version_active"
    assert api.post(f"{path}/versions/1/destroy").status_code == 200
    for deed in ("activate", "enable", "disable"):
        answer = api.post(f"{path}/versions/1/{deed}")
        assert answer.status_code == 409, deed
    shown = api.get(f"{path}?version=1")
    assert shown.json["version"]["state"] == "destroyed"
    assert "value" not in shown.json
    api.delete(path)
    api.post(f"{path}/restore")
    assert first not in api.get(f"{path}?version=1").get_data(as_text=True)
    assert api.get(path).json["value"] == second
    with raw_database(house.config) as raw:
        query = "select version from secret_blobs where secret_id = ?"
        assert raw.execute(query, (secret["id"],)).fetchall() == [(2,)]


def test_s16_a_pinned_version_is_not_destroyed(api: Api) -> None:
    secret = _secret(api, canary(), canary())
    flow = _active_flow(api, secret["name"], version=1)
    path = f"/secrets/{secret['id']}/versions/1/destroy"
    assert "1 flow pins v1" in api.get(f"/secrets/{secret['id']}/usage").json["summary"]
    refused = api.post(path)
    assert refused.status_code == 423
    assert refused.json["code"] == "version_in_use"
    assert "uses it" in refused.json["detail"]
    api.post(f"/flows/{flow}/deactivate")
    assert api.post(path).status_code == 200


def test_s16_a_disabled_version_denies_its_value(api: Api) -> None:
    value = canary()
    secret = _secret(api, value, canary())
    path = f"/secrets/{secret['id']}"
    assert api.post(f"{path}/versions/1/disable").status_code == 200
    assert value not in api.get(f"{path}?version=1").get_data(as_text=True)
    assert api.post(f"{path}/versions/1/activate").json["code"] == "version_not_enabled"
    assert api.post(f"{path}/versions/1/enable").status_code == 200
    assert api.get(f"{path}?version=1").json["value"] == value


@pytest.mark.parametrize("days", ["6", "31", "0", "-1", "x", "7.5", ""])
def test_s16_the_window_is_seven_to_thirty_days(api: Api, days: str) -> None:
    secret = _secret(api, canary())
    answer = api.delete(f"/secrets/{secret['id']}?recovery_days={days}")
    assert answer.status_code == 422
    assert api.get(f"/secrets/{secret['id']}").status_code == 200


def test_s16_the_scheduler_purges_after_the_window(
    house: Installation, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused, used = _secret(api, canary()), _secret(api, canary())
    flow = _active_flow(api, used["name"])
    for secret in (unused, used):
        api.delete(f"/secrets/{secret['id']}?recovery_days=7")

    def purge_after(days: float) -> None:
        monkeypatch.setattr(purge, "utcnow", lambda: utcnow() + timedelta(days=days))
        with house.services.db.begin() as session:
            purge_due(session)

    def there(secret: dict[str, Any]) -> bool:
        return api.get(f"/secrets/{secret['id']}?deleted=true").status_code == 200

    purge_after(6.9)
    assert there(unused)
    purge_after(7.1)
    assert not there(unused)
    # What an active version uses waits.
    assert there(used)
    api.post(f"/flows/{flow}/deactivate")
    purge_after(7.1)
    assert not there(used)


deeds = st.lists(
    st.tuples(
        st.sampled_from(["rotate", "activate", "disable", "enable", "destroy", "delete",
                         "restore"]),
        st.integers(1, 4),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=deeds)
def test_s16_any_life(api: Api, done: list[tuple[str, int]]) -> None:
    """Whatever is done in whatever order, a model of the rules says what is readable."""
    values = {1: canary()}
    states = {1: "enabled"}
    active, deleted = 1, False
    path = f"/secrets/{_secret(api, values[1])['id']}"
    for deed, number in done:
        if deed == "delete":
            assert (api.delete(path).status_code == 404) is deleted
            deleted = True
            continue
        if deed == "restore":
            assert api.post(f"{path}/restore").status_code == 200
            deleted = False
            continue
        if deed == "rotate":
            new = len(values) + 1
            value = canary()
            answer = api.put(f"{path}/rotate", json={"value": value})
            assert (answer.status_code == 404) is deleted
            if not deleted:
                values[new], states[new], active = value, "enabled", new
            continue
        answer = api.post(f"{path}/versions/{number}/{deed}")
        state = states.get(number)
        if deleted or state is None:
            assert answer.status_code == 404
        elif deed == "activate":
            assert (answer.status_code == 200) is (state == "enabled")
            active = number if state == "enabled" else active
        elif deed == "destroy":
            assert (answer.status_code == 200) is (number != active or state == "destroyed")
            states[number] = state if number == active else "destroyed"
        else:
            assert (answer.status_code == 200) is (state != "destroyed")
            states[number] = state if state == "destroyed" else f"{deed}d"
    for number, state in states.items():
        shown = api.get(f"{path}?version={number}")
        if deleted:
            assert shown.status_code == 404
            continue
        assert shown.json["version"]["state"] == state
        assert shown.json["version"]["active"] is (number == active)
        assert shown.json.get("value") == (values[number] if state == "enabled" else None)
