"""``vault.kv.fetch`` against a real OpenBao server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.components.registry import registry
from app.components.secret import expose
from app.sdk import testing
from tests.support.managers import Bao, vault_manager

FETCH = registry().get("vault.kv.fetch")
FIRST, SECOND = "CANARY-vault-first-1", "CANARY-vault-second-2"
READ = 'path "secret/data/app/*" { capabilities = ["read"] }'
DESCRIBE = 'path "secret/metadata/app/*" { capabilities = ["read"] }'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with vault_manager(tmp_path_factory.mktemp("bao")) as made:
        for value in (FIRST, SECOND):
            made.call("POST", "secret/data/app/db", {"data": {"user": "u", "password": value}})
        made.call("POST", "old/app/db", {"user": "u", "password": FIRST})
        yield made


def fetch(server: Bao, path: str = "app/db", token: Any = None, **config: Any) -> testing.Result:
    options = {"only_check": config.pop("only_check", False)}
    settings = {"address": server.url, "secretPath": path, **config}
    return testing.run(
        FETCH, settings, secrets={"credentials": token or server.token(READ + DESCRIBE)}, **options
    )


def value_of(result: testing.Result) -> str:
    assert result.error is None, result.error.message
    return expose(result.outputs["value"])


def code_of(result: testing.Result) -> str | None:
    assert result.leaks == ()
    return result.error.code if result.error else None


def test_version_2(server: Bao) -> None:
    assert json.loads(value_of(fetch(server)))["password"] == SECOND
    assert value_of(fetch(server, field="password")) == SECOND
    assert value_of(fetch(server, field="password", version=1)) == FIRST
    assert fetch(server, outputFormat="json").outputs["value"].structured


def test_version_1(server: Bao) -> None:
    token = server.token('path "old/app/db" { capabilities = ["read"] }')
    assert value_of(fetch(server, token=token, mount="old", engine="1", field="password")) == FIRST


def test_a_token_in_json(server: Bao) -> None:
    token = json.dumps({"token": server.token(READ + DESCRIBE)})
    assert value_of(fetch(server, token=token, field="password")) == SECOND


def test_approle(server: Bao) -> None:
    server.call("POST", "sys/auth/approle", {"type": "approle"})
    server.call("PUT", "sys/policies/acl/role", {"policy": READ + DESCRIBE})
    server.call("POST", "auth/approle/role/app", {"token_policies": ["role"]})
    role = server.call("GET", "auth/approle/role/app/role-id")["data"]["role_id"]
    secret = server.call("POST", "auth/approle/role/app/secret-id")["data"]["secret_id"]
    login = json.dumps({"role_id": role, "secret_id": secret})
    assert value_of(fetch(server, token=login, field="password")) == SECOND
    stale = json.dumps({"role_id": role, "secret_id": "CANARY-no-such-secret-id"})
    assert code_of(fetch(server, token=stale)) == "credentials_expired"


def test_the_check(server: Bao) -> None:
    assert code_of(fetch(server, only_check=True)) is None
    # Without the right to describe, it fetches.
    assert code_of(fetch(server, token=server.token(READ), only_check=True)) is None
    assert code_of(fetch(server, token=server.token(DESCRIBE))) == "secret_denied"


@pytest.mark.parametrize(
    ("path", "config", "code"),
    [
        ("app/none", {}, "secret_missing"),
        ("app/db", {"version": 9}, "pin_missing"),
        ("app/db", {"field": "nothing"}, "secret_field_missing"),
        ("app/../sys", {}, "reference_not_valid"),
        ("app/db", {"mount": "other"}, "secret_denied"),
        ("app/db", {"ca": "no certificate"}, "ca_not_valid"),
        ("app/db", {"address": "http://127.0.0.1:9"}, "provider_unreachable"),
    ],
)
def test_what_a_user_can_mend(server: Bao, path: str, config: Any, code: str) -> None:
    assert code_of(fetch(server, path, **config)) == code


def test_deleted_versions(server: Bao) -> None:
    for value in (FIRST, SECOND):
        server.call("POST", "secret/data/app/gone", {"data": {"password": value}})
    server.call("POST", "secret/delete/app/gone", {"versions": [2]})
    assert code_of(fetch(server, "app/gone")) == "secret_disabled"
    assert code_of(fetch(server, "app/gone", version=2)) == "secret_disabled"
    assert code_of(fetch(server, "app/gone", version=1)) is None


def test_a_bad_token(server: Bao) -> None:
    assert code_of(fetch(server, token="CANARY-no-such-token")) == "secret_denied"
    assert code_of(fetch(server, token="CANARY\r\nX-Other: header")) == "credentials_not_valid"


def test_the_credentials_go_where_they_may(server: Bao) -> None:
    bound = testing.make_secret("CANARY-token", allowed_hosts=["vault.example.com"])
    assert code_of(fetch(server, token=bound)) == "secret_host_denied"
