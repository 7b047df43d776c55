"""Reading URLs and matching allowed hosts."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.providers.destinations import (
    follow,
    is_endpoint,
    permits,
    read_endpoints,
    read_host,
    read_url,
)
from app.providers.errors import EgressRefused


def code_of(url: str) -> str:
    with pytest.raises(EgressRefused) as caught:
        read_url(url)
    return caught.value.code


@pytest.mark.parametrize(
    ("url", "origin", "rest"),
    [
        ("https://Example.COM", "https://example.com:443", "/"),
        ("http://example.com./a/b?c=d#e", "http://example.com:80", "/a/b?c=d"),
        ("https://[::1]:8443/", "https://[::1]:8443", "/"),
        ("https://[0:0::0:1]/", "https://[::1]:443", "/"),
        (" https://bücher.example/ü?q=ü%20x ", "https://xn--bcher-kva.example:443",
         "/%C3%BC?q=%C3%BC%20x"),
        ("https://a.example//b@c", "https://a.example:443", "//b@c"),
        ("https://a_b.example:8/", "https://a_b.example:8", "/"),
        ("https://１２７.0.0.1/", "https://127.0.0.1:443", "/"),
    ],
)  # fmt: skip
def test_urls_have_one_reading(url: str, origin: str, rest: str) -> None:
    found = read_url(url)
    assert found.origin == origin
    assert found.path_and_query == rest
    assert read_url(found.url) == read_url(found.url)
    assert read_url(found.url).origin == origin


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "url_not_valid"),
        ("example.com", "url_scheme"),
        ("//example.com/", "url_scheme"),
        ("ftp://example.com/", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("javascript:alert(1)", "url_scheme"),
        ("https://user:pw@example.com/", "url_userinfo"),
        ("https://user@example.com/", "url_userinfo"),
        ("https://@example.com/", "url_userinfo"),
        ("https://example.com\\@evil.example/", "url_not_valid"),
        ("https://exa mple.com/", "url_not_valid"),
        ("https://example.com/\r\nX: y", "url_not_valid"),
        ("https://example.com\u2028/", "url_not_valid"),
        ("https:///path", "url_not_valid"),
        ("https://example.com:99999/", "url_not_valid"),
        ("https://example.com:0/", "url_not_valid"),
        ("https://example.com:x/", "url_not_valid"),
        ("https://[::1/", "url_not_valid"),
        ("https://[fe80::1%25eth0]/", "url_not_valid"),
        ("https://a..b/", "url_not_valid"),
        ("https://-a.example/", "url_not_valid"),
        ("https://a%2eb/", "url_not_valid"),
        ("http://2130706433/", "host_ambiguous"),
        ("http://0x7f000001/", "host_ambiguous"),
        ("http://0177.0.0.1/", "host_ambiguous"),
        ("http://127.1/", "host_ambiguous"),
        ("http://127.0.0.1.0x1/", "host_ambiguous"),
        ("http://1.2.3.4.5/", "host_ambiguous"),
        ("http://127.0.0.01/", "host_ambiguous"),
        ("http://0x/", "host_ambiguous"),
    ],
)
def test_urls_that_two_programs_could_read_differently_are_refused(url: str, code: str) -> None:
    assert code_of(url) == code


@given(st.integers(0, 2**32 - 1))
@example(2852039166)
def test_addresses_in_disguise_are_never_read(number: int) -> None:
    plain = str(ipaddress.IPv4Address(number))
    assert read_host(plain) == plain
    parts = plain.split(".")
    forms = [
        str(number),
        hex(number),
        f"0{number:o}",
        ".".join(f"0x{int(p):x}" for p in parts),
        ".".join(f"0{int(p):o}" for p in parts if int(p)) or "00",
    ]
    for form in forms:
        try:
            assert ipaddress.ip_address(read_host(form))  # only a plain one comes through
            assert form == plain
        except EgressRefused:
            pass


@given(st.text(max_size=60))
@example("https://[")
@example("http://xn--")
@example("http://\ud800/")
def test_any_text_is_read_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.com{text}", f"https://{text}/"):
        try:
            found = read_url(url)
        except EgressRefused:
            continue
        assert found.host.isascii()
        assert found.path_and_query.isascii()
        assert found.path_and_query.startswith("/")
        assert not set(found.url) & set("\r\n\t\\ ")


def test_redirects_are_resolved_and_read_as_strictly() -> None:
    base = read_url("https://a.example/x/y?q")
    assert follow(base, "z").url == "https://a.example:443/x/z"
    assert follow(base, "/z?b").url == "https://a.example:443/z?b"
    assert follow(base, "//b.example/z").origin == "https://b.example:443"
    assert follow(base, "http://a.example/").origin == "http://a.example:80"
    for location in ("https://u:p@b.example/", "ftp://b.example/", "/\\b", "file:///etc/passwd"):
        with pytest.raises(EgressRefused):
            follow(base, location)


@pytest.mark.parametrize(
    ("entry", "destination", "allowed"),
    [
        ("api.example", "https://api.example:443", True),
        ("API.example.", "https://api.example:8443", True),
        ("api.example:443", "https://api.example:443", True),
        ("api.example:443", "https://api.example:8443", False),
        ("api.example", "https://xapi.example:443", False),
        ("api.example", "https://api.example.evil:443", False),
        ("*.example", "https://a.b.example:443", True),
        ("*.example", "https://example:443", False),
        ("*.example:8443", "https://a.example:8443", True),
        ("*.example:8443", "https://a.example:443", False),
        ("*.api.example", "https://evilapi.example:443", False),
        ("*", "https://a.example:443", False),
        ("*.*", "https://a.b:443", False),
        ("", "https://a.example:443", False),
        ("local", "local", True),
        ("local", "https://local:443", False),
        ("a.example", "local", False),
        ("[::1]:8443", "https://[::1]:8443", True),
        ("[::1]", "https://[0::1]:8443", True),
        ("::1", "https://[::1]:8443", True),
        ("127.0.0.1", "http://127.0.0.1:8080", True),
        ("2130706433", "http://127.0.0.1:8080", False),
        ("bücher.example", "https://xn--bcher-kva.example:443", True),
    ],
)
def test_allowed_hosts(entry: str, destination: str, allowed: bool) -> None:
    assert permits([entry], destination) is allowed


def test_no_entry_allows_nothing() -> None:
    assert not permits([], "https://a.example:443")
    assert not permits([], "local")
    assert permits(["x", "local"], "local")


LISTED = read_endpoints("https://h.example/a,https://other.example:8443")


@pytest.mark.parametrize("url", [
    "https://h.example/a", "https://h.example/a/b", "https://h.example//a/", "https://h.example:/a",
    "https://H.EXAMPLE.:0443/a", "https://h\u3002example/a", "https://h.example/a#f",
    "https://other.example:8443", "https://other.example:8443/x;y=1/%61",
])
def test_an_endpoint_is_what_is_listed_or_below_it(url: str) -> None:
    assert is_endpoint(LISTED, read_url(url))


@pytest.mark.parametrize("url", [
    "http://h.example:443/a", "https://h.example:444/a", "https://h.example/", "https://h.example/ab",
    "https://h.example/A", "https://h.example/%61", "https://h.example.evil/a",
    "https://evil.example/a", "https://other.example", "https://[::1]/a", "https://h.example/a?b=1",
    # What one server takes as a name, another one resolves.
    "https://h.example/a/../b", "https://h.example/a/.%2e/b", "https://h.example/a/%2e%2e/b",
    "https://h.example/a/%252e%252e/b", "https://h.example/a/..;/b", "https://h.example/a/..;x=1/b",
    "https://h.example/a/%2e%2e%3b/b", "https://h.example/a/..%2fb", "https://h.example/a/..%5cb",
    "https://h.example/a/..%252fb", "https://h.example/a/c%2f..%2f..%2fb",
    "https://h.example/a/..%00/b", "https://h.example/a/%0d%0ab",
])
def test_what_is_merely_like_an_endpoint_is_none(url: str) -> None:
    assert not is_endpoint(LISTED, read_url(url))


def test_no_listed_endpoint_allows_none() -> None:
    assert not is_endpoint((), read_url("https://h.example/a"))
