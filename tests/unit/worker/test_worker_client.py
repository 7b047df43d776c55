"""The door to the server: TLS that the CA vouches for, kept connections, retries, tokens."""

from __future__ import annotations

import json
import pickle
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from app.errors import ConfigError
from app.keys.ca import ensure_tls
from tests.support.runtime_standin import RuntimeStandin, runtime_standin
from worker.client import RuntimeClient
from worker.errors import RuntimeRefused, RuntimeUnreachable
from worker.tokens import Signer, load_identity


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeStandin]:
    with runtime_standin(tmp_path_factory.mktemp("runtime")) as server:
        yield server


def test_a_call_and_the_servers_time(standin: RuntimeStandin) -> None:
    client = RuntimeClient(standin.url, standin.ca)
    client.warm()
    assert abs(client.now() - time.time()) < 5
    client.learn_time(time.time() + 500)
    assert 495 < client.now() - time.time() < 505
    client.close()


def test_a_connection_is_kept(standin: RuntimeStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    client = RuntimeClient(standin.url, standin.ca)
    made = []
    real = client._connect
    monkeypatch.setattr(client, "_connect", lambda: made.append(1) or real())
    for _ in range(5):
        client.call("GET", "/ping")
    assert len(made) == 1
    client._idle[0].sock.close()  # as if the server had dropped it
    client.call("GET", "/ping")
    assert len(made) == 2
    client.close()


def test_a_connection_is_opened_ahead_of_need(
    standin: RuntimeStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = RuntimeClient(standin.url, standin.ca)
    client.open()

    def refuse() -> None:
        raise AssertionError("there was one already")

    monkeypatch.setattr(client, "_connect", refuse)
    assert client.call("GET", "/ping")["unix"]
    client.close()


def test_something_is_done_while_the_server_answers(
    standin: RuntimeStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = RuntimeClient(standin.url, standin.ca)
    client.open()
    connection = client._idle[0]
    order: list[str] = []

    def noted(name: str) -> None:
        real = getattr(connection, name)
        monkeypatch.setattr(connection, name, lambda *a, **k: order.append(name) or real(*a, **k))

    noted("request")
    noted("getresponse")
    client.call("GET", "/ping", meanwhile=lambda: order.append("meanwhile"))
    assert order == ["request", "meanwhile", "getresponse"]
    client.close()


def test_threads_share_the_client(standin: RuntimeStandin) -> None:
    client = RuntimeClient(standin.url, standin.ca)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(client.call("GET", "/ping")))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    client.close()


def test_a_certificate_of_somebody_else_is_refused(
    standin: RuntimeStandin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = RuntimeClient(standin.url, ensure_tls(tmp_path).ca)
    with pytest.raises(RuntimeUnreachable, match="doesn't hold"):
        client.call("GET", "/ping")
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, *rest, **more: real("localhost", *rest, **more))
    wrong_name = RuntimeClient(standin.url.replace("localhost", "elsewhere.example"), standin.ca)
    with pytest.raises(RuntimeUnreachable, match="doesn't hold"):
        wrong_name.call("GET", "/ping")
    assert client._tls.verify_mode is ssl.CERT_REQUIRED


def test_problems_carry_code_and_detail(standin: RuntimeStandin) -> None:
    client = RuntimeClient(standin.url, standin.ca)
    with pytest.raises(RuntimeRefused) as refused:
        client.call("POST", "/runtime/v1/claims", token="no.token.here", body={})
    assert (refused.value.status, refused.value.code) == (401, "token_invalid")


def test_a_busy_server_is_asked_again_with_a_fresh_token(standin: RuntimeStandin) -> None:
    client = RuntimeClient(standin.url, standin.ca)
    signer = Signer(standin.worker_key, standin.key_id, standin.worker_id)
    made: list[str] = []

    def token() -> str:
        made.append(signer.sign("tacit:worker", {}))
        return made[-1]

    standin.fail_next += [503, 429]
    client.call("POST", "/runtime/v1/workers/heartbeat", token=token, body={}, patience=5)
    assert len(set(made)) == 3
    standin.fail_next += [503]
    with pytest.raises(RuntimeRefused):
        client.call("POST", "/runtime/v1/workers/heartbeat", token=token, body={})


def test_an_address_of_version_6_is_written_as_one_types_it(tmp_path: Path) -> None:
    client = RuntimeClient("https://[::1]:9", ensure_tls(tmp_path).ca)
    with pytest.raises(RuntimeUnreachable, match=r"^\[::1\]:9 can't be reached"):
        client.call("GET", "/ping")


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    client = RuntimeClient("https://localhost:9", ensure_tls(tmp_path).ca)
    started = time.monotonic()
    with pytest.raises(RuntimeUnreachable, match="localhost:9 can't be reached"):
        client.call("GET", "/ping", patience=0.5)
    assert 0.1 < time.monotonic() - started < 3


def test_a_closed_client_stops_waiting(tmp_path: Path) -> None:
    client = RuntimeClient("https://localhost:9", ensure_tls(tmp_path).ca)
    threading.Timer(0.2, client.close).start()
    started = time.monotonic()
    with pytest.raises(RuntimeUnreachable, match="stopping"):
        client.call("GET", "/ping", patience=30)
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("url", ["http://localhost:1", "https://", "https://u:p@h", "ftp://h"])
def test_only_https(standin: RuntimeStandin, url: str) -> None:
    with pytest.raises(ConfigError):
        RuntimeClient(url, standin.ca)


def test_a_token_holds_what_the_server_asks_for(standin: RuntimeStandin) -> None:
    signer = Signer(standin.worker_key, "kid-1", "worker-1")
    token = signer.sign("tacit:run", {"run": "r", "claim": 2}, now=1_000_000)
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert header == {"alg": "EdDSA", "kid": "kid-1", "typ": "JWT"}
    assert claims["iss"] == "kid-1"
    assert claims["sub"] == "worker-1"
    assert claims["aud"] == "tacit:run"
    assert (claims["run"], claims["claim"]) == ("r", 2)
    assert claims["exp"] == claims["iat"] + 60 == 1_000_060
    assert claims["nbf"] <= claims["iat"]
    assert signer.sign("a", {}) != signer.sign("a", {})
    jwt.decode(signer.sign("a", {}), standin.worker_key.public_key(), ["EdDSA"], audience="a")


def test_a_signer_shows_and_pickles_no_key() -> None:
    signer = Signer.generate()
    assert repr(signer) == "<Signer not claimed yet>"
    with pytest.raises(TypeError):
        pickle.dumps(signer)


def test_the_key_file_is_read_strictly(standin: RuntimeStandin, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(standin.key_document()))
    path.chmod(0o600)
    identity = load_identity(path)
    assert (identity.worker_id, identity.name) == (standin.worker_id, "one")
    assert identity.signer.key_id == standin.key_id

    link = tmp_path / "link.json"
    link.symlink_to(path)
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    for bad in (link, folder, tmp_path / "missing"):
        with pytest.raises(ConfigError):
            load_identity(bad)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_identity(path)
    path.chmod(0o600)
    secret = standin.key_document()["private_key"]
    for text in ("", "{}", "[]", '{"private_key": "AAAA"}', f'{{"private_key": "{secret}"}}'):
        path.write_text(text)
        with pytest.raises(ConfigError, match="isn't a worker key") as raised:
            load_identity(path)
        assert secret not in str(raised.value)
