"""The strict JSON reader, and which proxies are believed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from app.errors import ConfigError, Invalid, Malformed
from app.http.requests import TrustedProxies, read_json_object


def test_an_object_is_read() -> None:
    assert read_json_object('{"a": [1, "é", {"b": null}]}'.encode()) == {"a": [1, "é", {"b": None}]}


def test_an_empty_body_is_an_empty_object() -> None:
    assert read_json_object(b"") == {}
    assert read_json_object(b" \n") == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b'{"a": 1,}',
        b'{"a": 1} x',
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_two_readers_could_read_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read_json_object(raw)
    assert caught.value.code == "malformed_json"


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert read_json_object(b'{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


@pytest.mark.parametrize("raw", [b"[]", b'"a"', b"1", b"null", b"true"])
def test_only_objects_are_bodies(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read_json_object(raw)
    assert caught.value.code == "body_not_object"


def test_a_refusal_never_quotes_the_body() -> None:
    with pytest.raises(Malformed) as caught:
        read_json_object(b'{"value": "CANARY-7f3a", "value": "CANARY-7f3a"')
    assert "CANARY" not in caught.value.detail


def _through(addresses: tuple[str, ...], **environ: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def inner(inner_environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        seen.update(inner_environ)
        return []

    TrustedProxies(inner, addresses)({"wsgi.url_scheme": "http", **environ}, None)
    return seen


def test_a_listed_proxy_is_believed() -> None:
    seen = _through(
        ("10.0.0.0/8",), REMOTE_ADDR="10.1.2.3", HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_FOR="203.0.113.9, 10.9.9.9",
    )
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["REMOTE_ADDR"] == "203.0.113.9"


def test_what_a_client_writes_in_front_of_a_proxy_is_not_believed() -> None:
    seen = _through(
        ("10.0.0.1",), REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="1.1.1.1, 203.0.113.9",
    )
    assert seen["REMOTE_ADDR"] == "203.0.113.9"


@pytest.mark.parametrize("addresses", [(), ("10.0.0.1",)])
def test_nobody_else_is_believed(addresses: tuple[str, ...]) -> None:
    seen = _through(
        addresses, REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_FOR="127.0.0.1",
    )
    assert seen["wsgi.url_scheme"] == "http"
    assert seen["REMOTE_ADDR"] == "192.0.2.1"


def test_a_list_that_holds_no_address_stops_the_start() -> None:
    with pytest.raises(ConfigError):
        TrustedProxies(lambda _e, _s: [], ("proxy.example.com",))
