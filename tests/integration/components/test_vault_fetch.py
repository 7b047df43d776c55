"""``vault.kv.fetch`` against a real OpenBao server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.components.registry import registry
from app.components.secret import expose
from app.sdk import testing
from tests.support.http_servers import Authority, Request, serving
from tests.support.managers import Bao, tls_vault_manager, vault_manager

FETCH = registry().get("vault.kv.fetch")
FIRST, SECOND = "CANARY-vault-first-1", "CANARY-vault-second-2"
READ = 'path "secret/data/app/*" { capabilities = ["read"] }'
KNOWN = {"versions": {"1": {"created_time": "then"}}, "current_version": 1}
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


@contextmanager
def answering(status: int, document: object = None) -> Iterator[str]:
    """Serve a Vault that always answers so; without a document, with the token it was given."""

    def answer(handler: Any, _request: Request) -> None:
        token = handler.headers.get("X-Vault-Token")
        body = json.dumps({"errors": [token]} if document is None else document).encode()
        handler.send_response(status, token)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with serving() as served:
        served.otherwise = answer
        yield served.url("")


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
    login = server.role(READ + DESCRIBE)
    assert value_of(fetch(server, token=login, field="password")) == SECOND
    stale = json.dumps({**json.loads(login), "secret_id": "CANARY-no-such-secret-id"})
    assert code_of(fetch(server, token=stale)) == "credentials_expired"


def test_an_approle_of_its_own_mount_whose_secret_id_is_used_up(server: Bao) -> None:
    login = server.role(READ + DESCRIBE, mount="teams/app", secret_id_num_uses=2)
    assert code_of(fetch(server, token=login)) == "credentials_expired"
    # The check logs in, and the fetch does.
    config = {"authMount": "teams/app", "field": "password"}
    assert value_of(fetch(server, token=login, **config)) == SECOND
    assert code_of(fetch(server, token=login, **config)) == "credentials_expired"


def test_a_token_that_has_expired(server: Bao) -> None:
    token = server.token(READ + DESCRIBE, ttl="8s")
    assert code_of(fetch(server, token=token)) is None
    time.sleep(9)
    assert code_of(fetch(server, token=token)) == "secret_denied"


def test_namespaces(server: Bao) -> None:
    """Each has engines, policies, tokens and AppRoles of its own."""
    server.call("POST", "sys/namespaces/team")
    server.call("POST", "sys/namespaces/blue", None, "team")
    for space, value in (("team", "CANARY-in-team"), ("team/blue", "CANARY-in-blue")):
        server.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, space)
        server.call("POST", "secret/data/app/db", {"data": {"password": value}}, space)
        token = server.token(READ + DESCRIBE, space)
        config = {"namespace": space, "field": "password"}
        assert value_of(fetch(server, token=token, **config)) == value
        assert code_of(fetch(server, token=token, only_check=True, **config)) is None
        login = server.role(READ + DESCRIBE, space)
        assert value_of(fetch(server, token=login, **config)) == value
        # It opens nothing outside of its own.
        assert code_of(fetch(server, token=token)) == "secret_denied"
        assert code_of(fetch(server, token=login)) == "credentials_expired"
    assert code_of(fetch(server, namespace="none")) in ("secret_denied", "secret_missing")


def test_an_authority_of_its_own(tmp_path: Path) -> None:
    with tls_vault_manager(tmp_path) as server:
        assert server.authority is not None
        ca = server.authority.read_text()
        server.call("POST", "secret/data/app/db", {"data": {"password": FIRST}})
        token, config = server.token(READ + DESCRIBE), {"field": "password"}
        assert value_of(fetch(server, token=token, ca=ca, **config)) == FIRST
        assert value_of(fetch(server, token=server.role(READ + DESCRIBE), ca=ca, **config)) == FIRST
        # Trusted for its own name only, and not at all where it isn't named.
        assert code_of(fetch(server, token=token, **config)) == "tls_not_trusted"
        other = Authority.make(tmp_path).pem
        assert code_of(fetch(server, token=token, ca=other, **config)) == "tls_not_trusted"


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


@pytest.mark.parametrize(("status", "code"), [
    (301, "provider_failed"), (403, "secret_denied"), (429, "provider_throttled"),
    (503, "provider_unreachable"),
])
def test_what_an_answer_s_text_says_is_never_repeated(
    server: Bao, status: int, code: str
) -> None:
    with answering(status) as url:
        assert code_of(fetch(server, token="CANARY-told-back-7", address=url)) == code


@pytest.mark.parametrize(("document", "code"), [
    ([1], "provider_failed"), ({"data": [1]}, "provider_failed"),
    ({"data": {**KNOWN, "data": "CANARY-no-object"}}, "provider_failed"),
    ({"data": {**KNOWN, "data": ["CANARY-no-object"], "metadata": "x"}}, "provider_failed"),
    ({"data": {**KNOWN, "data": None, "metadata": [2]}}, "secret_disabled"),
])
def test_an_answer_that_no_vault_gives_is_a_sentence(
    server: Bao, document: object, code: str
) -> None:
    with answering(200, document) as url:
        result = fetch(server, address=url)
        assert code_of(result) == code
        assert result.error is not None
        assert "CANARY" not in result.error.message


@pytest.mark.parametrize("document", [
    {"data": {"versions": [1], "current_version": 1}}, {"data": {"versions": {"1": "x"}}},
    {"data": {"versions": {"1": "x"}, "current_version": "1"}},
])
def test_a_description_that_no_vault_gives_is_a_sentence(server: Bao, document: object) -> None:
    with answering(200, document) as url:
        assert code_of(fetch(server, address=url, only_check=True)) == "pin_missing"
