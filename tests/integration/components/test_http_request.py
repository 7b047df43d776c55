"""HTTP Request against real servers, plain and TLS, run with the authors' kit."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import socket
import threading
import time
import zlib
from typing import Any

import pytest

from app.components.errors import NodeCancelled
from app.components.registry import registry
from app.components.secret import Secret, SecretRef
from app.providers.egress import EgressGuard, EgressPolicy, Own
from app.sdk import testing
from tests.support.http_servers import Authority, Request, Server, redirect, reply

HTTP = registry().get("http.request")
CANARY = f"CANARY-{secrets.token_hex(12)}"


# -- what is sent, what comes back ---------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_every_method_arrives(server: Server, method: str) -> None:
    result = testing.run(HTTP, {"url": server.url("/a%20b?x=1"), "method": method})
    assert result.error is None
    assert result.outputs["status"] == 200
    assert result.outputs["ok"] is True
    assert (server.seen[0].method, server.seen[0].path) == (method, "/a%20b?x=1")
    if method == "HEAD":
        assert result.outputs["body"] == ""
        assert result.outputs["json"] is None
    else:
        assert result.outputs["json"]["method"] == method


def test_headers_and_query_go_along(server: Server) -> None:
    testing.run(
        HTTP,
        {
            "url": server.url("/q?a=1"),
            "headers": {"X-One": "1", "X-Number": 2, "Accept": "text/plain"},
            "query": {"b": "ü &", "c": [1, True], "d": None},
        },
    )
    assert server.seen[0].path == "/q?a=1&b=%C3%BC+%26&c=1&c=true"
    headers = server.seen[0].headers
    assert headers["X-One"] == "1"
    assert headers["X-Number"] == "2"
    assert headers["Accept"] == "text/plain"
    assert headers["Host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("body", "form", "sent", "kind"),
    [
        ("hällo", "auto", "hällo", "text/plain; charset=utf-8"),
        ({"a": "ü"}, "auto", '{"a":"ü"}', "application/json"),
        ([1], "auto", "[1]", "application/json"),
        (0, "auto", "0", "application/json"),
        ('{"a": 1}', "json", '{"a": 1}', "application/json"),
        ({"a": 1}, "text", '{"a":1}', "text/plain; charset=utf-8"),
        (None, "auto", "", None),
    ],
)
def test_bodies(server: Server, body: Any, form: str, sent: str, kind: str | None) -> None:
    testing.run(
        HTTP, {"url": server.url(), "method": "POST", "body_format": form}, wires={"body": body}
    )
    assert server.seen[0].body.decode() == sent
    assert server.seen[0].headers.get("Content-Type") == kind


def test_a_body_that_is_not_json_is_refused_without_quoting(server: Server) -> None:
    result = testing.run(HTTP, {"url": server.url(), "body": CANARY, "body_format": "json"})
    assert result.error is not None
    assert result.error.code == "body_not_json"
    assert CANARY not in result.error.message
    assert server.seen == []


@pytest.mark.parametrize(
    ("fail_on", "failing", "passing"),
    [("none", (), ()), ("busy", (429, 500, 503), (429, 500, 503)),
     ("error", (400, 404, 429, 500, 503), (429, 500, 503))],
)
def test_the_node_says_which_answers_are_failures(
    server: Server, fail_on: str, failing: tuple[int, ...], passing: tuple[int, ...]
) -> None:
    for status in (200, 304, 400, 404, 429, 500, 503):
        server.routes["/s"] = lambda handler, _, status=status: reply(
            handler, CANARY.encode(), status)  # type: ignore[misc]
        result = testing.run(HTTP, {"url": server.url("/s"), "fail_on": fail_on})
        assert (result.error is not None) == (status in failing)
        if result.error is not None:
            assert result.error.code == "http_status"
            assert result.error.retryable == (status in passing)
            assert CANARY not in result.error.message


@pytest.mark.parametrize("status", [204, 304, 400, 401, 404, 429, 500, 503])
def test_an_answer_that_is_not_2xx_is_no_failure(server: Server, status: int) -> None:
    server.routes["/"] = lambda handler, request: reply(
        handler, b"" if status in (204, 304) else b"no", status=status
    )
    result = testing.run(HTTP, {"url": server.url()})
    assert result.error is None
    assert result.outputs["status"] == status
    assert result.outputs["ok"] is (status == 204)


@pytest.mark.parametrize(
    ("body", "headers", "text", "value"),
    [
        (b'{"a":1}', {}, '{"a":1}', {"a": 1}),
        (b"\xef\xbb\xbf[1]", {}, "[1]", [1]),
        (b"\xfc", {"Content_Type": "text/plain; charset=latin-1"}, "ü", None),
        (b"\xfc", {"Content_Type": "text/plain; charset=nonsense"}, "�", None),
        (b"a", {"Content_Type": "text/plain; charset=unicode_escape"}, "a", None),
        (b"NaN", {}, "NaN", None),
        (b'"\\ud800"', {}, '"\\ud800"', None),
        (b"[" * 100_000, {}, "[" * 100_000, None),
        (gzip.compress(b"zipped"), {"Content_Encoding": "gzip"}, "zipped", None),
        (zlib.compress(b"zipped"), {"Content_Encoding": "deflate"}, "zipped", None),
        (zlib.compress(b"raw")[2:-4], {"Content_Encoding": "deflate"}, "raw", None),
        (gzip.compress(b"a") + gzip.compress(b"b"), {"Content_Encoding": "gzip"}, "ab", None),
    ],
    ids=range(12),
)
def test_answers_are_read(
    server: Server, body: bytes, headers: dict[str, str], text: str, value: Any
) -> None:
    server.routes["/"] = lambda handler, request: reply(handler, body, **headers)
    result = testing.run(HTTP, {"url": server.url()})
    assert result.error is None
    assert result.outputs["body"] == text
    assert result.outputs["json"] == value


def test_chunked_answers_are_read(server: Server) -> None:
    def chunked(handler: Any, request: Request) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    server.routes["/"] = chunked
    assert testing.run(HTTP, {"url": server.url()}).outputs["body"] == "abcde"


# -- limits and failures -------------------------------------------------------------------


def test_long_answers_are_cut_off_with_a_failure(server: Server) -> None:
    server.routes["/"] = lambda handler, request: reply(handler, b"x" * 2048)
    assert testing.run(HTTP, {"url": server.url(), "max_response_kib": 2}).error is None
    failed = testing.run(HTTP, {"url": server.url(), "max_response_kib": 1}).error
    assert failed is not None
    assert failed.code == "answer_too_large"


def test_a_decompression_bomb_is_counted_as_it_unfolds(server: Server) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, compresslevel=9)
    server.routes["/"] = lambda handler, request: reply(handler, bomb, Content_Encoding="gzip")
    failed = testing.run(HTTP, {"url": server.url(), "max_response_kib": 64}).error
    assert failed is not None
    assert failed.code == "answer_too_large"


def test_time_limits_hold_for_the_whole_exchange(server: Server) -> None:
    def drip(handler: Any, request: Request) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    server.routes["/drip"] = drip
    server.routes["/slow"] = lambda handler, request: time.sleep(5)
    for path in ("/drip", "/slow"):
        began = time.monotonic()
        failed = testing.run(HTTP, {"url": server.url(path), "timeout": 0.5}).error
        assert time.monotonic() - began < 2
        assert failed is not None
        assert failed.code == "http_timeout"
        assert failed.retryable
        assert "didn't answer in 0.5 s. See whether the worker can" in failed.message


def test_a_cancelled_request_is_gone_within_two_seconds(server: Server) -> None:
    server.routes["/slow"] = lambda handler, request: time.sleep(8)
    cancelled = testing.LocalCancellation()
    threading.Timer(0.3, cancelled.cancel).start()
    began = time.monotonic()
    with pytest.raises(NodeCancelled):
        testing.run(HTTP, {"url": server.url("/slow")}, cancelled=cancelled)
    assert time.monotonic() - began < 2


def test_broken_servers_are_retryable_failures(server: Server) -> None:
    def hang_up(handler: Any, request: Request) -> None:
        handler.close_connection = True

    def garbage(handler: Any, request: Request) -> None:
        handler.wfile.write(b"\x00\x01 nothing that HTTP knows\r\n\r\n")
        handler.close_connection = True

    def short(handler: Any, request: Request) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    server.routes |= {"/hang": hang_up, "/garbage": garbage, "/short": short}
    for path in ("/hang", "/garbage", "/short"):
        failed = testing.run(HTTP, {"url": server.url(path)}).error
        assert failed is not None, path
        assert failed.code == "connection_lost"
        assert failed.retryable


def test_nobody_listening() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    failed = testing.run(HTTP, {"url": f"http://127.0.0.1:{port}/"}).error
    assert failed is not None
    assert failed.code == "connection_failed"
    assert failed.retryable


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"url": f"https://user:{CANARY}@127.0.0.1/"}, "url_userinfo"),
        ({"url": f"ftp://127.0.0.1/{CANARY}"}, "url_scheme"),
        ({"url": f"http://127.0.0.1/ {CANARY}"}, "url_not_valid"),
        ({"url": f"http://127.1/{CANARY}"}, "host_ambiguous"),
        ({"url": "http://169.254.169.254/latest/"}, "egress_refused"),
        ({"url": "http://[::ffff:169.254.169.254]/"}, "egress_refused"),
        ({"url": "http://0.0.0.0/"}, "egress_refused"),
        ({"url": "http://metadata.google.internal/"}, "egress_refused"),
        ({"url": "http://127.0.0.1/", "headers": {"Host": "x"}}, "header_not_valid"),
        ({"url": "http://127.0.0.1/", "headers": {"content-length": "1"}}, "header_not_valid"),
        ({"url": "http://127.0.0.1/", "headers": {"A b": "x"}}, "header_not_valid"),
        ({"url": "http://127.0.0.1/", "headers": {"A": f"x\r\nB: {CANARY}"}}, "header_not_valid"),
        ({"url": "http://127.0.0.1/", "query": {"a": {"b": CANARY}}}, "config_invalid"),
    ],
)
def test_what_is_refused_before_anything_is_sent(config: dict[str, Any], code: str) -> None:
    failed = testing.run(HTTP, config).error
    assert failed is not None
    assert failed.code == code
    assert not failed.retryable
    assert CANARY not in failed.message


# -- secrets -------------------------------------------------------------------------------


def test_credentials_arrive_and_are_opened_for_their_origin_only(server: Server) -> None:
    result = testing.run(
        HTTP,
        {"url": server.url(), "basic_username": "ann"},
        secrets={"basic_password": CANARY, "api_key": CANARY + "-key\n"},
    )
    assert result.error is None
    pair = base64.b64encode(f"ann:{CANARY}".encode()).decode()
    assert server.seen[0].headers["Authorization"] == f"Basic {pair}"
    assert server.seen[0].headers["X-API-Key"] == CANARY + "-key"
    assert set(result.revealed) == {
        ("basic_password", f"http://127.0.0.1:{server.port}"),
        ("api_key", f"http://127.0.0.1:{server.port}"),
    }
    # The server echoes them; the worker scrubs what a component that opens secrets returns.
    assert result.leaks == ("output body", "output json")


def test_bearer_token_and_a_header_of_one_s_own_name(server: Server) -> None:
    result = testing.run(
        HTTP,
        {"url": server.url(), "api_key_header": "X-Acme"},
        secrets={"bearer_token": CANARY, "api_key": "k" * 12},
    )
    assert result.error is None
    assert server.seen[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert server.seen[0].headers["X-Acme"] == "k" * 12


@pytest.mark.parametrize(
    ("config", "held"),
    [
        ({}, ("bearer_token", "basic_password")),
        ({"headers": {"authorization": "x"}}, ("bearer_token",)),
        ({"headers": {"x-api-key": "x"}}, ("api_key",)),
        ({"api_key_header": "Authorization"}, ("api_key", "bearer_token")),
    ],
)
def test_two_credentials_for_one_header(
    server: Server, config: dict[str, Any], held: tuple[str, ...]
) -> None:
    result = testing.run(HTTP, {"url": server.url(), **config}, secrets=dict.fromkeys(held, CANARY))
    assert result.error is not None
    assert result.error.code == "credentials_conflict"
    assert result.leaks == ()
    assert server.seen == []


@pytest.mark.parametrize(
    "value",
    [f"{CANARY}\r\nX-Evil: 1", f"{CANARY}\0", " \n "],
    ids=["line break", "zero", "blank"],
)
def test_values_that_no_header_can_carry(server: Server, value: str) -> None:
    result = testing.run(HTTP, {"url": server.url()}, secrets={"bearer_token": value})
    assert result.error is not None
    assert result.error.code == "secret_not_usable"
    assert CANARY not in result.error.message
    assert server.seen == []


def bound(server: Server) -> Secret:
    return Secret(CANARY, (SecretRef("stripe", 2, "id"),), [f"127.0.0.1:{server.port}"])


def test_allowed_hosts_bind(server: Server, other: Server) -> None:
    good = testing.run(HTTP, {"url": server.url()}, secrets={"bearer_token": bound(server)})
    assert good.error is None
    bad = testing.run(HTTP, {"url": other.url()}, secrets={"bearer_token": bound(server)})
    assert bad.error is not None
    assert bad.error.code == "secret_host_denied"
    assert "stripe" in bad.error.message
    assert bad.leaks == ()
    assert other.seen == []


# -- redirects -----------------------------------------------------------------------------


def test_redirects_on_the_same_origin_keep_credentials_and_ask_again(server: Server) -> None:
    server.routes["/a"] = redirect("/b")
    result = testing.run(
        HTTP,
        {"url": server.url("/a"), "basic_username": "u"},
        secrets={"basic_password": CANARY},
    )
    assert result.outputs["status"] == 200
    assert server.seen[1].headers["Authorization"] == server.seen[0].headers["Authorization"]
    assert result.revealed == (("basic_password", f"http://127.0.0.1:{server.port}"),) * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_credentials_never_go_to_another_origin(server: Server, other: Server, host: str) -> None:
    """Another port, another host: neither secrets nor headers that may carry one go along."""
    server.routes["/a"] = redirect(other.url("/b", host))
    other.routes["/b"] = redirect(server.url("/c"))
    result = testing.run(
        HTTP,
        {
            "url": server.url("/a"),
            "headers": {"Cookie": "session=1", "X-Token": "t", "Accept-Language": "de"},
        },
        secrets={"bearer_token": CANARY, "api_key": CANARY},
    )
    assert result.outputs["status"] == 200
    assert server.seen[0].headers["Authorization"] == f"Bearer {CANARY}"
    for request in (other.seen[0], server.seen[1]):
        assert CANARY not in str(request)
        for name in ("Authorization", "X-API-Key", "Cookie", "X-Token"):
            assert name not in request.headers
        assert request.headers["Accept-Language"] == "de"
    assert other.seen[0].headers["Host"] == f"{host}:{other.port}"
    assert len(result.revealed) == 2
    assert result.leaks == ()


def test_a_redirect_that_carries_the_secret_itself_is_not_followed(
    server: Server, other: Server
) -> None:
    server.routes["/a"] = lambda handler, request: reply(
        handler,
        status=302,
        Location=other.url("/?t=" + request.headers["Authorization"].split(" ")[1]),
    )
    result = testing.run(HTTP, {"url": server.url("/a")}, secrets={"bearer_token": CANARY})
    assert result.error is not None
    assert result.error.code == "redirect_carries_secret"
    assert result.leaks == ()
    assert other.seen == []


@pytest.mark.parametrize(
    ("status", "method", "sent"),
    [
        (301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (307, "POST", "POST"),
        (308, "PUT", "PUT"), (302, "PUT", "PUT"), (303, "HEAD", "HEAD"),
    ],
)  # fmt: skip
def test_methods_and_bodies_after_redirects(
    server: Server, status: int, method: str, sent: str
) -> None:
    server.routes["/a"] = redirect("/b", status)
    testing.run(HTTP, {"url": server.url("/a"), "method": method, "body": "text"})
    assert server.seen[1].method == sent
    assert server.seen[1].body == (b"" if sent == "GET" else b"text")


def test_redirects_have_an_end(server: Server) -> None:
    server.routes["/loop"] = redirect("/loop")
    failed = testing.run(HTTP, {"url": server.url("/loop"), "max_redirects": 3}).error
    assert failed is not None
    assert failed.code == "too_many_redirects"
    assert len(server.seen) == 4
    result = testing.run(HTTP, {"url": server.url("/loop"), "max_redirects": 0})
    assert result.outputs["status"] == 302


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "egress_refused"),
        ("http://[::ffff:a9fe:a9fe]/", "egress_refused"),
        ("http://u:p@127.0.0.1/", "url_userinfo"),
        ("http://2852039166/", "host_ambiguous"),
        ("ftp://127.0.0.1/", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
    ],
)
def test_redirects_pass_the_guard_like_everything_else(
    server: Server, location: str, code: str
) -> None:
    server.routes["/a"] = redirect(location)
    failed = testing.run(HTTP, {"url": server.url("/a")}).error
    assert failed is not None
    assert failed.code == code


def test_the_installation_s_own_listeners_are_out_of_reach(server: Server, other: Server) -> None:
    guard = EgressGuard(EgressPolicy(own=(Own("localhost", other.port),)))
    server.routes["/a"] = redirect(other.url())
    for url in (other.url(), other.url("/", "localhost"), server.url("/a")):
        failed = testing.run(HTTP, {"url": url}, egress=guard).error
        assert failed is not None
        assert failed.code == "egress_refused"
    assert other.seen == []


# -- TLS -----------------------------------------------------------------------------------


def test_tls_with_a_trusted_authority(tls: Server, authority: Authority) -> None:
    guard = EgressGuard(trust=authority.file)
    result = testing.run(
        HTTP,
        {"url": tls.url("/", "localhost"), "method": "POST", "body": "x" * 300_000},
        secrets={"bearer_token": CANARY},
        egress=guard,
    )
    assert result.error is None
    assert len(tls.seen[0].body) == 300_000
    assert result.revealed == (("bearer_token", f"https://localhost:{tls.port}"),)


def test_certificates_are_checked_with_the_name(
    tls: Server, authority: Authority
) -> None:
    untrusted = testing.run(HTTP, {"url": tls.url("/", "localhost")}).error
    trusting = EgressGuard(trust=authority.file)
    other_name = testing.run(HTTP, {"url": tls.url()}, egress=trusting).error
    for failed in (untrusted, other_name):
        assert failed is not None
        assert failed.code == "tls_not_trusted"
        assert not failed.retryable
    assert tls.seen == []


def test_the_name_is_kept_while_the_address_is_pinned(
    tls: Server, authority: Authority
) -> None:
    """The certificate is for localhost; DNS is asked once, and the answer is where it goes."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    guard = EgressGuard(trust=authority.file, resolve=resolve)
    result = testing.run(HTTP, {"url": tls.url("/", "localhost")}, egress=guard)
    assert result.error is None
    assert asked == ["localhost"]
    assert tls.seen[0].headers["Host"] == f"localhost:{tls.port}"


def test_downgrade_from_https_leaves_credentials_behind(
    tls: Server, server: Server, authority: Authority
) -> None:
    tls.routes["/a"] = redirect(server.url("/b", "localhost"))
    result = testing.run(
        HTTP,
        {"url": tls.url("/a", "localhost")},
        secrets={"bearer_token": CANARY},
        egress=EgressGuard(trust=authority.file),
    )
    assert result.outputs["status"] == 200
    assert "Authorization" not in server.seen[0].headers


def test_plain_http_server_behind_an_https_url(server: Server) -> None:
    failed = testing.run(HTTP, {"url": server.url().replace("http:", "https:")}).error
    assert failed is not None
    assert failed.code in ("tls_failed", "connection_lost")


def test_a_silent_tls_handshake_can_be_cancelled() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        failed = testing.run(HTTP, {"url": f"https://127.0.0.1:{port}/", "timeout": 0.5}).error
    assert failed is not None
    assert failed.code == "http_timeout"


def test_httpx_over_the_guard(
    tls: Server, server: Server, authority: Authority
) -> None:
    """The transport that components with libraries of their own use."""
    import httpx

    from app.components.http.exchange import Deadline
    from app.providers.errors import EgressRefused

    guard = EgressGuard(trust=authority.file)
    deadline = Deadline(testing.LocalCancellation(), 5)
    with httpx.Client(transport=guard.transport(deadline), trust_env=False) as client:
        answer = client.post(tls.url("/x", "localhost"), json={"a": 1})
        assert answer.status_code == 200
        assert json.loads(answer.json()["body"]) == {"a": 1}
        server.routes["/a"] = redirect("http://169.254.169.254/")
        with pytest.raises(EgressRefused):
            client.get(server.url("/a"), follow_redirects=True)
