"""HTTP Request's bodies, its ways of reading answers, and which answers fail it."""

from __future__ import annotations

import base64
import secrets
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qs

import pytest

from app.components.registry import registry
from app.sdk import testing
from tests.support.http_servers import Request, Server, answer_json, reply

HTTP = registry().get("http.request")
CANARY = f"CANARY-{secrets.token_hex(12)}"
BYTES = bytes(range(256))


def send(server: Server, form: str, body: Any, **config: Any) -> testing.Result:
    settings = {"url": server.url(), "method": "POST", "body_format": form, **config}
    return testing.run(HTTP, settings, wires={"body": body})


def parts(request: Request) -> dict[str, tuple[str | None, str, bytes]]:
    """Read a multipart body with the standard library's parser: name to file, type, content."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    found = {}
    for part in message_from_bytes(head + request.body).get_payload():
        name = part.get_param("name", header="content-disposition")
        found[name] = (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
    return found


def test_a_form(server: Server) -> None:
    sent = {"name": "Jo & Ü", "n": 1, "yes": True, "tag": ["a", "b"], "gone": None}
    assert send(server, "form", sent).error is None
    assert server.seen[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(server.seen[0].body.decode()) == {
        "name": ["Jo & Ü"], "n": ["1"], "yes": ["true"], "tag": ["a", "b"]}
    # Typed into the inspector it is text.
    assert send(server, "form", '{"a": "b"}').error is None
    assert server.seen[1].body == b"a=b"


def test_multipart_with_files(server: Server) -> None:
    body = {
        "title": "Ü", "tags": ["a", 2],
        "picture": {"filename": "a.png", "content_type": "image/png",
                    "base64": base64.b64encode(BYTES).decode()},
        "note": {"filename": 'x"\r\nX-Evil: 1', "text": "hé"},
    }
    assert send(server, "multipart", body).error is None
    found = parts(server.seen[0])
    assert found["title"] == (None, "text/plain", "Ü".encode())
    assert found["picture"] == ("a.png", "image/png", BYTES)
    assert found["note"][2] == "hé".encode()
    # A file's name can't begin a header of its own.
    assert b"\r\nX-Evil" not in server.seen[0].body
    assert server.seen[0].body.count(b'name="tags"') == 2


def test_bytes_and_a_single_file(server: Server) -> None:
    def size(handler: Any, request: Request) -> None:
        reply(handler, request.body, Content_Type="application/octet-stream")

    server.routes["/"] = size
    encoded = base64.b64encode(BYTES).decode()
    result = send(server, "binary", encoded, answer_as="base64")
    assert server.seen[0].body == BYTES
    assert server.seen[0].headers["Content-Type"] == "application/octet-stream"
    assert (result.outputs["body"], result.outputs["json"]) == (encoded, None)
    send(server, "binary", {"base64": encoded, "content_type": "image/png", "filename": "a"})
    assert (server.seen[1].body, server.seen[1].headers["Content-Type"]) == (BYTES, "image/png")


@pytest.mark.parametrize(
    ("form", "body", "code"),
    [
        ("form", CANARY, "body_not_form"),
        ("form", {"a": {"b": CANARY}}, "body_not_form"),
        ("multipart", [CANARY], "body_not_form"),
        ("multipart", {"a": [[CANARY]]}, "body_not_form"),
        ("multipart", {"a": {"filename": CANARY}}, "file_not_valid"),
        ("multipart", {"a": {"text": CANARY, "base64": "aa=="}}, "file_not_valid"),
        ("multipart", {"a": {"text": "x", "content_type": f"a/b\r\n{CANARY}"}}, "file_not_valid"),
        ("binary", f"{CANARY}!", "body_not_base64"),
        ("binary", 1, "body_not_base64"),
        ("binary", "A" * 45_000_000, "body_too_large"),
    ],
    ids=range(10),
)
def test_bodies_that_can_t_be_sent(server: Server, form: str, body: Any, code: str) -> None:
    error = send(server, form, body).error
    assert error is not None
    assert error.code == code
    assert CANARY not in error.message
    assert server.seen == []


def test_a_secret_body_goes_to_its_url_and_no_further(server: Server, other: Server) -> None:
    config = {"url": server.url("/login"), "method": "POST",
              "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    secret = {"secret_body": f"user=u&password={CANARY}"}
    assert testing.run(HTTP, config, secrets=secret).error is None
    assert server.seen[0].body.decode() == secret["secret_body"]
    assert server.seen[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    server.routes["/login"] = lambda handler, _: reply(
        handler, status=307, Location=other.url("/x"))
    error = testing.run(HTTP, config, secrets=secret).error
    assert error is not None
    assert error.code == "redirect_carries_secret"
    # After a login most services redirect to a page, without the body.
    server.routes["/login"] = lambda handler, _: reply(
        handler, status=303, Location=other.url("/x"))
    assert testing.run(HTTP, config, secrets=secret).error is None
    assert (other.seen[0].method, other.seen[0].body) == ("GET", b"")


def test_answers_that_have_to_be_json(server: Server) -> None:
    server.routes["/"] = lambda handler, _: reply(handler, f"<p>{CANARY}</p>".encode())
    error = testing.run(HTTP, {"url": server.url(), "answer_as": "json"}).error
    assert error is not None
    assert error.code == "answer_not_json"
    assert CANARY not in error.message
    for body, status in ((b"null", 200), (b"", 204), (b"<p>", 404)):
        server.routes["/"] = lambda handler, _, body=body, status=status: reply(  # type: ignore[misc]
            handler, body, status)
        assert testing.run(HTTP, {"url": server.url(), "answer_as": "json"}).error is None


def test_headers_of_the_answer_without_its_session(server: Server) -> None:
    server.routes["/"] = lambda handler, _: answer_json(
        handler, {}, X_Rate_Left="7", Set_Cookie=f"session={CANARY}")
    result = testing.run(HTTP, {"url": server.url()})
    assert result.outputs["headers"]["x-rate-left"] == "7"
    assert CANARY not in str(result.outputs)


@pytest.mark.parametrize(
    ("listed", "status", "fails"),
    [("200-299", 200, False), ("200-299", 304, True), ("200, 404", 404, False),
     ("200,404-410 ", 409, False), ("200", 201, True)],
)
def test_a_list_of_good_answers(server: Server, listed: str, status: int, fails: bool) -> None:
    server.routes["/"] = lambda handler, _: reply(handler, status=status)
    config = {"url": server.url(), "fail_on": "listed", "good_statuses": listed}
    error = testing.run(HTTP, config).error
    assert (error.code if error else None) == ("http_status" if fails else None)


def test_a_list_that_is_none() -> None:
    error = testing.run(HTTP, {"url": "http://127.0.0.1/", "good_statuses": "ok"}).error
    assert error is not None
    assert error.code == "config_invalid"
    assert error.message.startswith("Good answers of HTTP Request has to be statuses")
