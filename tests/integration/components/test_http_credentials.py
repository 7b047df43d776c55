"""HTTP Request's other credentials: keys in the query, AWS signatures, client certificates."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import httpx
import pytest

from app.components.registry import registry
from app.components.secret import Secret, SecretRef
from app.sdk import testing
from tests.support.http_servers import Authority, Request, Server, answer_json, redirect, serving
from tests.support.key_servers import kms_server
from tests.support.runtime_standin import runtime_standin
from tests.support.worker_process import WorkerProcess, queue_server

HTTP = registry().get("http.request")
CANARY = f"CANARY-{secrets.token_hex(12)}"
KEY = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": f"{CANARY}/+x",
       "session_token": f"{CANARY}-session"}


def code(result: testing.Result) -> str | None:
    assert result.leaks == () or result.error is None
    return result.error.code if result.error else None


# -- an API key in the query ---------------------------------------------------------------


def test_a_key_in_the_query(server: Server, other: Server) -> None:
    config = {"url": server.url("/a?x=1"), "api_key_in": "query", "api_key_header": "key"}
    result = testing.run(HTTP, config, secrets={"api_key": CANARY + " &"})
    assert server.seen[0].path == f"/a?x=1&key={CANARY}%20%26"
    assert result.lines == ()
    # A next page's URL that brings it back doesn't double it; a redirect away doesn't take it.
    server.routes["/a"] = redirect(f"/b?key={CANARY}+%26")
    server.routes["/b"] = redirect(other.url("/c"))
    assert code(testing.run(HTTP, config, secrets={"api_key": CANARY + " &"})) is None
    assert server.seen[-1].path == f"/b?key={CANARY}%20%26"
    assert other.seen[0].path == "/c"
    server.routes["/b"] = redirect(other.url(f"/c?key={CANARY}+%26"))
    result = testing.run(HTTP, config, secrets={"api_key": CANARY + " &"})
    assert code(result) == "redirect_carries_secret"
    assert len(other.seen) == 1


@pytest.mark.parametrize("spelled", ["%2f%2bx", "%2F%2Bx", "/%2bx", "%2f%2b%78"])
def test_a_redirect_takes_no_secret_however_it_is_encoded(
    server: Server, other: Server, spelled: str
) -> None:
    server.routes["/a"] = redirect(other.url(f"/b?t={CANARY}{spelled}"))
    result = testing.run(
        HTTP, {"url": server.url("/a")}, secrets={"bearer_token": f"{CANARY}/+x"}
    )
    assert code(result) == "redirect_carries_secret"
    assert other.seen == []


# -- AWS -----------------------------------------------------------------------------------


def expected(request: Request, secret: str, scope: str) -> str:
    """Sign what arrived, as AWS's documentation has it; written apart from what is tested."""
    parts = urlsplit(request.path)
    sent = re.search(r"SignedHeaders=([a-z0-9;-]+)", request.headers["Authorization"])
    assert sent
    lower = {name.lower(): value for name, value in request.headers.items()}
    head = "".join(f"{name}:{' '.join(lower[name].split())}\n" for name in sent[1].split(";"))
    # S3 takes the path as it is; all others encode it once more.
    path = parts.path if scope.endswith("/s3/aws4_request") else parts.path.replace("%", "%25")
    canonical = "\n".join([
        request.method, path, "&".join(sorted(parts.query.split("&"))) if parts.query else "",
        head, sent[1], hashlib.sha256(request.body).hexdigest(),
    ])
    text = "\n".join([
        "AWS4-HMAC-SHA256", lower["x-amz-date"], scope,
        hashlib.sha256(canonical.encode()).hexdigest(),
    ])
    key = b"AWS4" + secret.encode()
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.mark.parametrize("service", ["execute-api", "s3"])
@pytest.mark.parametrize(
    ("path", "config"),
    [
        ("/", {}),
        ("/a%20b/ü@(c)", {"query": {"q": "a b+c/ü", "b": ["2", "1"], "empty": ""}}),
        ("/x?z=1&a=%2F", {"method": "POST", "body": {"a": "ü"}, "headers": {"X-Amz-Meta": "m"}}),
    ],
    ids=["plain", "signs", "body"],
)
def test_signatures_hold(server: Server, service: str, path: str, config: dict[str, Any]) -> None:
    settings = {"url": server.url(path), "aws_region": "eu-west-1", "aws_service": service}
    result = testing.run(
        HTTP, {**settings, **config}, secrets={"aws_credentials": json.dumps(KEY)})
    assert result.error is None
    request = server.seen[0]
    sent = re.search(r"Credential=([^/]+)/([^,]+), .*Signature=([0-9a-f]{64})$",
                     request.headers["Authorization"])
    assert sent
    assert sent[1] == KEY["access_key_id"]
    assert sent[2].endswith(f"/eu-west-1/{service}/aws4_request")
    assert request.headers["X-Amz-Security-Token"] == KEY["session_token"]
    assert sent[3] == expected(request, KEY["secret_access_key"], sent[2])
    assert unquote(urlsplit(request.path).path) == unquote(path.partition("?")[0])


def test_redirects_tries_and_pages_are_signed_anew_and_never_elsewhere(
    server: Server, other: Server
) -> None:
    server.routes["/a"] = redirect("/b?c=d", 307)
    server.routes["/b"] = redirect(other.url("/x"), 307)
    result = testing.run(
        HTTP, {"url": server.url("/a"), "aws_region": "eu-west-1"},
        secrets={"aws_credentials": json.dumps(KEY)})
    assert result.error is None
    first, second = (one.headers["Authorization"] for one in server.seen)
    assert first != second
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
        assert name not in other.seen[0].headers


@pytest.mark.parametrize(
    ("held", "config", "failure"),
    [
        ({"aws_credentials": CANARY}, {}, "credentials_not_valid"),
        ({"aws_credentials": json.dumps({**KEY, "access_key_id": "a\r\nb"})}, {},
         "credentials_not_valid"),
        ({"aws_credentials": json.dumps(KEY)}, {"aws_region": ""}, "aws_scope_not_valid"),
        ({"aws_credentials": json.dumps(KEY)}, {"aws_service": "a/b"}, "aws_scope_not_valid"),
        ({"aws_credentials": json.dumps(KEY), "bearer_token": CANARY}, {}, "credentials_conflict"),
        ({"aws_credentials": json.dumps(KEY)}, {"headers": {"X-Amz-Date": "x"}},
         "credentials_conflict"),
    ],
    ids=range(6),
)
def test_aws_credentials_that_don_t_do(
    server: Server, held: dict[str, str], config: dict[str, Any], failure: str
) -> None:
    settings = {"url": server.url(), "aws_region": "eu-west-1", **config}
    assert code(testing.run(HTTP, settings, secrets=held)) == failure
    assert server.seen == []


def test_a_server_that_checks_signatures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto, told to authenticate."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "operator")
    with kms_server(tmp_path) as url:
        iam = boto3.client("iam", endpoint_url=url, region_name="us-east-1")
        iam.create_user(UserName="flow")
        made = iam.create_access_key(UserName="flow")["AccessKey"]
        httpx.post(f"{url}/moto-api/reset-auth", content=b"0").raise_for_status()
        config = {
            "url": url, "method": "POST", "body_format": "form",
            "body": '{"Action": "GetCallerIdentity", "Version": "2011-06-15"}',
            "aws_region": "us-east-1", "aws_service": "sts",
        }

        def call(secret: str) -> testing.Result:
            key = {"access_key_id": made["AccessKeyId"], "secret_access_key": secret}
            return testing.run(HTTP, config, secrets={"aws_credentials": json.dumps(key)})

        good, bad = call(made["SecretAccessKey"]), call(CANARY)
    assert good.outputs["status"] == 200
    assert ":user/flow" in good.outputs["body"]
    assert bad.outputs["status"] == 403
    assert "SignatureDoesNotMatch" in bad.outputs["body"]


# -- client certificates -------------------------------------------------------------------


@pytest.fixture
def asking(authority: Authority) -> Iterator[Server]:
    """A server that wants to see a client's certificate."""
    with serving(authority.server_context(clients=True)) as found:
        yield found


def test_a_client_s_certificate(asking: Server, other: Server, authority: Authority) -> None:
    config = {"url": asking.url("/", "localhost"), "ca": authority.pem}
    pem = authority.issue("client")
    assert code(testing.run(HTTP, config, secrets={"client_certificate": pem})) is None
    assert asking.seen[0].client["subject"] == ((("commonName", "client"),),)
    # Without one it is refused; one of another authority is no better.
    assert code(testing.run(HTTP, config)) in ("tls_failed", "connection_lost")
    assert len(asking.seen) == 1
    # It isn't shown to others.
    asking.routes["/"] = redirect(other.url("/x"))
    assert code(testing.run(HTTP, config, secrets={"client_certificate": pem})) is None
    assert other.seen[0].client is None


def test_it_is_asked_for_each_place(asking: Server, authority: Authority) -> None:
    pem = authority.issue("client")
    held = Secret(pem, (SecretRef("cert", 1, "id"),), ["api.example.com"])
    config = {"url": asking.url("/", "localhost"), "ca": authority.pem}
    assert code(testing.run(HTTP, config, secrets={"client_certificate": held})) == (
        "secret_host_denied")
    assert asking.seen == []


def encrypted(pem: str) -> str:
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(pem[pem.index("-----BEGIN PRIV"):].encode(), None)
    shut = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x" * 8))
    return pem[:pem.index("-----BEGIN PRIV")] + shut.decode()


def test_certificates_that_don_t_do(
    asking: Server, server: Server, authority: Authority
) -> None:
    config = {"url": asking.url("/", "localhost"), "ca": authority.pem}
    pem, another = authority.issue("client"), authority.issue("another")
    split = pem.index("-----BEGIN PRIV")
    for broken in (CANARY, pem[:split], pem[split:], pem[:split] + another[split:],
                   pem.replace("M", "N"), encrypted(pem)):
        result = testing.run(HTTP, config, secrets={"client_certificate": broken})
        assert code(result) == "client_certificate_not_valid"
    plain = testing.run(HTTP, {"url": server.url()}, secrets={"client_certificate": pem})
    assert code(plain) == "client_certificate_needs_https"
    assert code(testing.run(HTTP, {**config, "ca": "no"})) == "ca_not_valid"
    assert asking.seen == server.seen == []


def test_the_key_is_read_out_of_memory(
    asking: Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, str]] = []
    load = ssl.SSLContext.load_cert_chain

    def watched(self: ssl.SSLContext, certfile: str, *rest: Any, **more: Any) -> None:
        read.append((certfile, str(Path(certfile).readlink())))
        load(self, certfile, *rest, **more)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    config = {"url": asking.url("/", "localhost"), "ca": authority.pem}
    result = testing.run(HTTP, config, secrets={"client_certificate": authority.issue("client")})
    assert code(result) is None
    [(path, place)] = read
    assert re.fullmatch(r"/proc/self/fd/\d+", path)
    assert place.startswith("/memfd:")
    # Gone as soon as it was read.
    open_now = [os.readlink(one) for one in Path("/proc/self/fd").iterdir()  # noqa: PTH115
                if one.is_symlink()]
    assert not any("client-certificate" in one for one in open_now)


def test_in_a_confined_run_no_file_holds_it(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A real worker, under Landlock where the kernel has it; the server looks at the run's files
    while the run is on the line."""
    pem = authority.issue("client")
    body = "".join(pem[pem.index("-----BEGIN PRIV"):].splitlines()[1:-1])
    found: list[str] = []
    looked: list[int] = []
    with ExitStack() as stack:
        asking = stack.enter_context(serving(authority.server_context(clients=True)))
        standin = stack.enter_context(runtime_standin(tmp_path_factory.mktemp("runtime")))
        url, redis = stack.enter_context(queue_server())
        worker = WorkerProcess(standin, url, redis, tmp_path_factory.mktemp("worker"))

        def look(handler: Any, request: Request) -> None:
            files = [one for one in (*worker.scratch.rglob("*"), *Path("/dev/shm").glob("*"))
                     if one.is_file()]
            looked.append(len(list(worker.scratch.iterdir())))
            found.extend(str(one) for one in files if body[:40].encode() in one.read_bytes())
            answer_json(handler, request.client["subject"][0])

        asking.routes["/"] = look
        graph = {"schema": 1, "nodes": [
            {"id": "fetch", "component": "secret.fetch", "label": "f", "position": [0, 0],
             "config": {"secretName": "cert"}},
            {"id": "call", "component": "http.request", "label": "c", "position": [0, 0],
             "config": {"url": asking.url("/", "localhost"), "ca": authority.pem}},
        ], "edges": [{"id": "e", "source": {"node": "fetch", "port": "value"},
                      "target": {"node": "call", "port": "client_certificate"}}]}
        worker.start()
        try:
            plan = standin.plan(graph, secrets={"fetch": ("cert", pem, None)})
            run = worker.enqueue(plan).wait(60)
        finally:
            worker.stop()
    assert run.state == "succeeded", run.events
    assert run.node("call")["outputs"]["json"] == [["commonName", "client"]]
    assert looked
    assert found == []
    assert body[:40] not in json.dumps(run.events)
    assert base64.b64encode(body[:30].encode()).decode() not in json.dumps(run.events)
