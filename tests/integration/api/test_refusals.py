"""What is refused before a service is asked, in which order and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.accounts.scopes import Role, Scope
from app.accounts.tokens import new_api_token
from app.http.requests import BODY_LIMIT, LARGER
from app.ids import new_id
from tests.support.api_table import BODIES, TABLE, Route
from tests.support.installation import ORIGIN, Installation, canary

ROUTES = [pytest.param(route, id=route.name) for route in TABLE]
SCOPED = [pytest.param(route, id=route.name) for route in TABLE if route.scopes]
OF_AN_ID = [pytest.param(route, id=route.name) for route in TABLE if route.ids]
WITH_BODY = [pytest.param(route, id=route.name) for route in TABLE if route.name in BODIES]


def _send(house: Installation, route: Route, *scopes: str, **options: Any) -> Any:
    """Send a request with the kind of credential that the route takes."""
    if route.session_only:
        lacks = scopes and route.scopes and not set(route.scopes) & set(scopes)
        person = house.signed_in(Role.VIEWER if lacks else Role.ADMIN)
        return person.api(route.method, route.address(), **options)
    return house.api(house.token(*scopes)).call(route.method, route.address(), **options)


def test_the_table_is_complete(installation: Installation) -> None:
    served = {
        (method, rule.rule)
        for rule in installation.app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert len(served) == len(TABLE) + 1  # and the document itself
    assert {route.name for route in TABLE} >= set(BODIES)


@pytest.mark.parametrize("route", ROUTES)
def test_a_credential_is_asked_for_first(shared: Installation, route: Route) -> None:
    for header in (
        None, "", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "bearer " + new_api_token(),
        "Bearer tct_" + "é" * 49,
    ):
        headers = {} if header is None else {"Authorization": header.encode().decode("latin-1")}
        answer = shared.api().call(
            route.method, route.address(), headers=headers, data="{", content_type="text/plain"
        )
        assert answer.status_code == 401, header
        assert answer.mimetype == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert set(answer.json) >= {"type", "title", "status", "code", "detail", "request_id"}
        assert answer.json["status"] == 401
        assert answer.headers["X-Request-Id"] == answer.json["request_id"]


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/secrets/x/value", "/flows/x/y/z"])
def test_an_unknown_address_says_so_only_to_who_is_known(
    shared: Installation, path: str
) -> None:
    assert shared.api().get(path).status_code in (401, 404) if path == "" else True
    assert shared.api().get(path or "/api/v1").status_code == 401
    assert shared.api(shared.token()).get(path or "/api/v1").status_code == 404


def test_a_session_id_sent_as_a_bearer_token_is_no_token(shared: Installation) -> None:
    browser = shared.signed_in()
    answer = shared.api(browser.cookie()).get("/me")
    assert answer.status_code == 401


@pytest.mark.parametrize("route", SCOPED)
def test_the_missing_scope_is_named_before_the_body_is_looked_at(
    shared: Installation, route: Route
) -> None:
    others = [item for item in Scope if item not in route.scopes]
    for options in (route.options(), {"data": "{", "content_type": "text/plain"}):
        answer = _send(shared, route, *others, **options)
        assert answer.status_code == 403
        assert answer.json["code"] == "scope_missing"
        assert route.scopes[0] in answer.json["detail"]


@pytest.mark.parametrize("route", ROUTES)
def test_one_of_its_scopes_alone_is_enough(shared: Installation, route: Route) -> None:
    for scope in route.scopes or (Scope.AUDIT_READ,):
        answer = _send(shared, route, scope, **route.options())
        assert answer.status_code != 403, answer.json
        assert answer.status_code != 401 or answer.json["code"] == "login_failed"


@pytest.mark.parametrize("route", OF_AN_ID)
def test_ids_that_never_were_and_ids_that_are_none_answer_alike(
    shared: Installation, route: Route
) -> None:
    bodies = []
    send = shared.signed_in().api if route.session_only else shared.api(shared.token()).call
    for unknown in (new_id(), "x", "..%2f", "%00", new_id().upper(), "1' or 1=1", "é"):
        address = route.address(dict.fromkeys(route.ids, unknown))
        answer = send(route.method, address, **route.options())
        assert answer.status_code == 404, unknown
        bodies.append({key: answer.json[key] for key in ("code", "title", "status", "detail")})
    wanted = bodies[0]
    assert all(body == wanted for body in bodies if body["code"] != "not_found")


@pytest.mark.parametrize("route", WITH_BODY)
def test_bodies_that_cannot_be_read(shared: Installation, route: Route) -> None:
    browser, token = shared.signed_in(), shared.token()
    most = LARGER["api.import_flows"] if route.path == "/flows/import" else BODY_LIMIT
    too_long = " " * (most + 1)
    for data, content_type, status, code in (
        ("{", "application/json", 400, "malformed_json"),
        ('{"a":1,"a":2}', "application/json", 400, "malformed_json"),
        ('{"a":NaN}', "application/json", 400, "malformed_json"),
        ("{}", "text/plain", 415, "content_type_unsupported"),
        ("{}", None, 415, "content_type_unsupported"),
        ("[1]", "application/json", 422, "body_not_object"),
        (too_long, "application/json", 413, "body_too_large"),
    ):
        send = browser.api if route.session_only else shared.api(token).call
        answer = send(route.method, route.address(), data=data, content_type=content_type)
        assert answer.status_code == status, (data[:20], answer.json)
        assert answer.json["code"] == code


@pytest.mark.parametrize("route", WITH_BODY)
def test_unknown_fields_are_named_and_values_are_not_quoted(
    shared: Installation, route: Route
) -> None:
    secret = canary()
    answer = _send(shared, route, json={**BODIES[route.name], "surprise": secret})
    assert answer.status_code == 422
    assert answer.json["code"] == "body_invalid"
    assert "surprise" in answer.json["detail"]
    assert answer.json["problems"][0]["code"] == "unknown_field"
    assert answer.json["problems"][0]["field"] == "surprise"
    assert secret not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "n", "value": {"v": "CANARY-1"}},
        {"name": "n", "value": ["CANARY-1"]},
        {"name": {"CANARY-1": 1}, "value": "v"},
        {"name": "n", "value": "CANARY-1", "tags": "CANARY-1"},
        {"name": "n", "value": "CANARY-1", "allow_weak": "CANARY-1"},
        {"name": "n", "value": "CANARY-1", "allow_weak": 1},
        {"name": "n", "value": "CANARY-1", "rotation_period_days": "CANARY-1"},
        {"name": "a\u0000b", "value": "CANARY-1"},
        {"value": "CANARY-1"},
    ],
)
def test_wrong_types_never_echo(shared: Installation, body: dict[str, Any]) -> None:
    answer = shared.api(shared.token()).post("/secrets", json=body)
    assert answer.status_code == 422
    assert "CANARY" not in answer.get_data(as_text=True)
    assert answer.json["problems"][0]["field"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=1.5", "surprise=1", "cursor=" + "x" * 600,
     "cursor=%00", "cursor=garbage"],
)
@pytest.mark.parametrize("path", ["/secrets", "/flows", "/runs", "/users", "/audit"])
def test_bad_queries(shared: Installation, path: str, query: str) -> None:
    answer = shared.api(shared.token()).get(f"{path}?{query}")
    assert answer.status_code == 422, answer.json
    assert answer.mimetype == "application/problem+json"


def test_a_chunked_body_over_the_limit(shared: Installation) -> None:
    import io

    answer = shared.api(shared.token()).post(
        "/flows", input_stream=io.BytesIO(b" " * 2_700_000), content_type="application/json",
        headers={"Transfer-Encoding": "chunked"}, environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413


def test_a_plain_request_is_refused_whatever_it_holds(shared: Installation) -> None:
    client = shared.app.test_client()
    for path in ("/healthz", "/login", "/api/v1/me"):
        for headers in ({}, {"X-Forwarded-Proto": "https"}):
            answer = client.get(path, base_url="http://localhost:8443", headers=headers)
            assert answer.status_code == 403
            assert "TLS" in answer.get_data(as_text=True)


def test_methods_and_preflights(shared: Installation) -> None:
    api = shared.api(shared.token())
    wrong = api.call("PATCH", "/flows", json={})
    assert wrong.status_code == 405
    assert wrong.json["code"] == "method_not_allowed"
    assert "GET" in wrong.headers["Allow"]
    preflight = shared.api().call(
        "OPTIONS", "/flows",
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert preflight.status_code == 401
    for answer in (preflight, api.get("/flows", headers={"Origin": "https://evil.example"})):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_headers_of_every_answer(shared: Installation) -> None:
    client = shared.app.test_client()
    for path in ("/api/v1/me", "/api/v1/openapi.json", "/login", "/nothing", "/healthz"):
        headers = client.get(path, base_url=ORIGIN).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in headers  # localhost
        assert len(headers["X-Request-Id"]) == 36


def test_no_token_reads_a_value_on_the_web_listener_s_value_route(shared: Installation) -> None:
    token = shared.token()
    name = canary()
    created = shared.api(token).post("/secrets", json={"name": name, "value": canary()})
    path = f"/secrets/{created.json['id']}/value?version=1"
    assert shared.api(token).get(path).status_code == 404
    assert shared.signed_in().api("GET", path).status_code == 404
    assert shared.api().get(path).status_code == 401


def test_an_unexpected_error_says_nothing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = canary()

    def explode(*_args: object, **_more: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr("app.api.secrets.vault_service.list_secrets", explode)
    answer = installation.api(installation.token()).get("/secrets")
    assert answer.status_code == 500
    assert answer.json["code"] == "internal_error"
    assert secret not in json.dumps(answer.json)
    assert secret not in caplog.text
    assert "RuntimeError" in caplog.text
