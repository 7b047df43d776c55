"""``/api/v1/secrets`` over the real vault."""

from __future__ import annotations

import pytest

from app.accounts.scopes import Role, Scope
from tests.support.installation import Installation, canary

FIELDS = {
    "id", "name", "description", "tags", "owner", "state", "active_version", "active_version_state",
    "masked_value",
    "created_at", "updated_at", "last_accessed_at", "rotation_period_days", "due_at",
    "allowed_hosts", "allowed_flows", "revision",
}
NO_VALUE = [scope for scope in Scope if scope is not Scope.SECRETS_READ_VALUE]


def test_create_show_list_rotate_delete(installation: Installation) -> None:
    user_id, email = installation.person(Role.ADMIN)
    api = installation.api(installation.token(*NO_VALUE, user_id=user_id))
    first, second = canary(), canary()
    created = api.post(
        "/secrets",
        json={"name": "team/echo_token", "value": first, "description": "For the echo",
              "tags": ["test", "echo"]},
    )
    assert created.status_code == 201, created.json
    assert set(created.json) == FIELDS
    assert created.json["masked_value"] == "***"
    assert created.json["owner"] == email
    assert created.json["active_version"] == 1
    assert sorted(created.json["tags"]) == ["echo", "test"]
    assert created.headers["ETag"] == f'"{created.json["revision"]}"'
    assert created.headers["Location"] == f"/api/v1/secrets/{created.json['id']}"
    path = f"/secrets/{created.json['id']}"

    shown = api.get(path)
    assert shown.status_code == 200
    assert set(shown.json) == FIELDS

    listed = api.get("/secrets?q=echo&tag=test")
    assert listed.json["next_cursor"] is None
    assert [item["id"] for item in listed.json["items"]] == [created.json["id"]]
    assert set(listed.json["items"][0]) == FIELDS
    assert api.get("/secrets?tag=other").json["items"] == []

    rotated = api.put(f"{path}/rotate", json={"value": second},
                      headers={"If-Match": created.headers["ETag"]})
    assert rotated.status_code == 200, rotated.json
    assert rotated.json["active_version"] == 2
    assert rotated.json["revision"] > created.json["revision"]

    stale = api.put(f"{path}/rotate", json={"value": canary()},
                    headers={"If-Match": created.headers["ETag"]})
    assert stale.status_code == 412
    assert api.delete(path, headers={"If-Match": created.headers["ETag"]}).status_code == 412

    gone = api.delete(path)
    assert gone.status_code == 204
    assert gone.get_data() == b""
    assert api.get("/secrets").json["items"] == []
    for answer in (created, shown, listed, rotated, stale, gone):
        text = answer.get_data(as_text=True)
        assert first not in text
        assert second not in text


def test_the_value_is_for_tokens_with_the_scope_only(installation: Installation) -> None:
    user_id, email = installation.person(Role.ADMIN)
    value = canary()
    api = installation.api(installation.token(user_id=user_id))
    created = api.post("/secrets", json={"name": "n", "value": value})
    assert value not in created.get_data(as_text=True)
    path = f"/secrets/{created.json['id']}"
    shown = api.get(path)
    assert shown.json["value"] == value
    assert shown.headers["Cache-Control"] == "no-store"
    assert value not in api.get("/secrets").get_data(as_text=True)

    without = installation.api(installation.token(*NO_VALUE, user_id=user_id))
    assert "value" not in without.get(path).json
    only = installation.api(installation.token("secrets:read:value", user_id=user_id))
    assert only.get(path).status_code == 403

    browser = installation.browser()
    browser.sign_in(email)
    answer = browser.api("GET", path)
    assert answer.status_code == 200
    assert "value" not in answer.json
    assert value not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": ""}, None), ({"name": "/a"}, None), ({"name": "a b"}, None),
        ({"name": "x" * 129}, None), ({"value": ""}, None), ({"value": "   "}, None),
        ({"value": "abc"}, None), ({"value": "aaaaaaaa"}, "secret_too_weak"),
        ({"value": "x" * 65_537}, None), ({"tags": [f"t{n}" for n in range(500)]}, None),
    ],
)
def test_what_the_vault_refuses(
    shared: Installation, change: dict[str, object], code: str | None
) -> None:
    body = {"name": canary(), "value": canary(), **change}
    answer = shared.api(shared.token()).post("/secrets", json=body)
    assert answer.status_code == 422, answer.json
    if code:
        assert answer.json["code"] == code


def test_a_name_is_taken_once(shared: Installation) -> None:
    api = shared.api(shared.token())
    body = {"name": canary(), "value": canary()}
    assert api.post("/secrets", json=body).status_code == 201
    answer = api.post("/secrets", json=body)
    assert answer.status_code == 409
    assert body["value"] not in answer.get_data(as_text=True)


def test_pages_of_a_list(installation: Installation) -> None:
    api = installation.api(installation.token())
    names = [f"secret-{number:02}" for number in range(7)]
    for name in names:
        assert api.post("/secrets", json={"name": name, "value": canary()}).status_code == 201
    seen, cursor = [], ""
    while True:
        page = api.get(f"/secrets?limit=3{cursor}").json
        seen += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == names


def test_another_environment_is_as_if_it_were_not(installation: Installation) -> None:
    staging = installation.environment("staging")
    user_id, _ = installation.person(Role.ADMIN)
    here = installation.api(installation.token(user_id=user_id))
    there = installation.api(installation.token(user_id=user_id, environment_id=staging))
    made = here.post("/secrets", json={"name": "n", "value": canary()}).json
    assert there.get("/secrets").json["items"] == []
    nothing = "01a20a71-d37c-76f2-9c2e-19f0e2518d3b"
    for method, suffix, body in (
        ("GET", "", None), ("PUT", "/rotate", {"value": canary()}), ("DELETE", "", None),
    ):
        theirs = there.call(method, f"/secrets/{made['id']}{suffix}", json=body)
        never = there.call(method, f"/secrets/{nothing}{suffix}", json=body)
        assert theirs.status_code == never.status_code == 404
        assert {**theirs.json, "request_id": ""} == {**never.json, "request_id": ""}
    assert here.get(f"/secrets/{made['id']}").json["revision"] == made["revision"]


@pytest.mark.parametrize("text", ["x", '"x"', "-1", '"1', "1.0", "9" * 30])
def test_an_if_match_that_is_none_of_our_etags(shared: Installation, text: str) -> None:
    api = shared.api(shared.token())
    made = api.post("/secrets", json={"name": canary(), "value": canary()}).json
    answer = api.delete(f"/secrets/{made['id']}", headers={"If-Match": text})
    assert answer.status_code in (412, 422)


def test_a_secret_tells_that_its_active_version_is_disabled(installation: Installation) -> None:
    api = installation.api(installation.token(*NO_VALUE))
    made = [api.post("/secrets", json={"name": name, "value": canary()}).json for name in "ab"]
    assert [one["active_version_state"] for one in made] == ["enabled"] * 2
    path = f"/secrets/{made[0]['id']}"

    def states() -> list[str]:
        listed = [one["active_version_state"] for one in api.get("/secrets").json["items"]]
        assert api.get(path).json["active_version_state"] == listed[0]
        return listed

    assert api.post(f"{path}/versions/1/disable", json={}).status_code == 200
    assert states() == ["disabled", "enabled"]
    rotated = api.put(f"{path}/rotate", json={"value": canary()}).json
    assert (rotated["active_version"], rotated["active_version_state"]) == (2, "enabled")
    assert states() == ["enabled"] * 2
