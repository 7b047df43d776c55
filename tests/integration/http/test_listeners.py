"""The two applications as they are assembled: health, headers, proxies, what isn't there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask, url_for

from app.errors import ConfigError
from app.factory import create_runtime_app, create_web_app
from app.http.session_key import load_session_key
from tests.support.installation import ORIGIN, Installation

RUNTIME = "https://localhost:8444"


@pytest.fixture
def runtime(installation: Installation) -> Iterator[Flask]:
    """The application of the runtime listener."""
    return create_runtime_app(installation.config, installation.services)


def test_health_needs_no_credential(installation: Installation) -> None:
    client = installation.app.test_client()
    assert client.get("/healthz", base_url=ORIGIN).json == {"status": "ok"}


def test_readiness_names_what_is_missing(installation: Installation) -> None:
    answer = installation.app.test_client().get("/readyz", base_url=ORIGIN)
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "not_ready"
    assert {item["field"] for item in answer.json["problems"]} == {"queue", "runtime", "worker"}


def test_the_runtime_has_no_login_no_cookie_no_page(
    installation: Installation, runtime: Flask
) -> None:
    client = runtime.test_client()
    for path in ("/", "/login", "/static/css/tokens.css", "/api/v1/me", "/api/v1/openapi.json"):
        answer = client.get(path, base_url=RUNTIME)
        assert answer.status_code in (401, 404), path
        assert answer.mimetype == "application/problem+json"
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not hasattr(runtime, "login_manager")
    assert runtime.secret_key is None


def test_the_runtime_refuses_plain_requests(runtime: Flask) -> None:
    assert runtime.test_client().get("/ping", base_url="http://localhost:8444").status_code == 403


def test_there_are_no_preflights(installation: Installation, runtime: Flask) -> None:
    for app, base in ((installation.app, ORIGIN), (runtime, RUNTIME)):
        for path in ("/healthz", "/api/v1/secrets/x/value", "/login"):
            answer = app.test_client().options(
                path, base_url=base, headers={"Origin": "https://evil.example"}
            )
            assert answer.status_code >= 400
            assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_page_may_load_its_own_files_and_nothing_else(installation: Installation) -> None:
    answer = installation.app.test_client().get("/login", base_url=ORIGIN)
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self' https://localhost:8445; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def test_hsts_where_the_host_is_not_this_machine(installation: Installation) -> None:
    config = replace(installation.config, host="tacit.example")
    app = create_web_app(config, replace(installation.services, config=config))
    answer = app.test_client().get("/healthz", base_url="https://tacit.example:8443")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_listed_proxy_may_end_tls(installation: Installation) -> None:
    config = replace(installation.config, trusted_proxies=("10.0.0.1",))
    app = create_web_app(config, replace(installation.services, config=config))
    for address, status in (("10.0.0.1", 200), ("10.0.0.2", 403)):
        answer = app.test_client().get(
            "/healthz", base_url="http://localhost:8443",
            headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"},
            environ_base={"REMOTE_ADDR": address},
        )
        assert answer.status_code == status


def test_static_files_may_be_kept(installation: Installation) -> None:
    answer = installation.app.test_client().get("/static/css/tokens.css", base_url=ORIGIN)
    assert answer.status_code == 200
    assert answer.headers.get("Cache-Control") != "no-store"
    for path in ("/static/../pyproject.toml", "/static/%2e%2e/pyproject.toml"):
        assert installation.app.test_client().get(path, base_url=ORIGIN).status_code == 404


def test_a_file_with_its_version_in_the_address_is_never_asked_for_again(
    installation: Installation,
) -> None:
    with installation.app.test_request_context(base_url=ORIGIN):
        address = url_for("static", filename="css/tokens.css")
    client = installation.app.test_client()
    answer = client.get(address, base_url=ORIGIN)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    other = client.get("/static/v-0123456789abcdef/css/tokens.css", base_url=ORIGIN)
    assert (other.status_code, other.data) == (200, answer.data)
    assert "immutable" not in other.headers["Cache-Control"]
    outside = client.get(address.replace("css/tokens.css", "../pyproject.toml"), base_url=ORIGIN)
    assert outside.status_code == 404


def test_the_session_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    key = load_session_key(tmp_path)
    path = tmp_path / "keys" / "session.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_session_key(tmp_path) == key
    path.write_bytes(b"short")
    with pytest.raises(ConfigError):
        load_session_key(tmp_path)
