"""Every route × every role × every kind of credential, against the table in docs/api.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from app.accounts.scopes import ROLE_SCOPES, Role, Scope
from app.ids import new_id
from tests.support.installation import Installation

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
BODIES: dict[str, dict[str, Any]] = {
    "POST /secrets": {"name": "n", "value": "a value that is long enough"},
    "PUT /secrets/{secret_id}/rotate": {"value": "a value that is long enough"},
    "POST /flows": {"name": "n"},
    "PUT /flows/{flow_id}": {"graph": {"schema": 1, "nodes": [], "edges": []}},
    "POST /flows/{flow_id}/validate": {},
    "POST /flows/{flow_id}/runs": {},
}


def _table() -> list[tuple[str, str | None, int]]:
    row = re.compile(r"^\| `([A-Z]+ /\S*)` \| (?:`(\S+)`|any) \| (\d+) \|$", re.M)
    return [
        (route, scope or None, int(status))
        for route, scope, status in row.findall(PAGE.read_text())
    ]


TABLE = _table()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for the whole matrix."""
    made = Installation.make(tmp_path_factory.mktemp("matrix") / "home")
    yield made
    made.services.close()


def test_the_table_names_every_route(house: Installation) -> None:
    document = house.api().get("/openapi.json").json
    served = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            good = next(int(code) for code in operation["responses"] if code[0] in "23")
            route = f"{method.upper()} {path.removeprefix('/api/v1')}"
            served[route] = (operation.get("x-required-scope"), good)
    assert {route: (scope, status) for route, scope, status in TABLE} == served


def test_the_roles_are_as_the_page_says() -> None:
    said: dict[str, frozenset[Scope]] = {}
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", PAGE.read_text(), re.M)
    for role, words in rows:
        scopes = {Scope(name) for name in re.findall(r"`([a-z:]+)`", words)}
        base = re.match(r"(\w+)'s", words)
        inherited = said[base[1]] if base else frozenset()
        said[role] = frozenset(Scope) if words == "all" else inherited | scopes
    assert said == {role.value: scopes for role, scopes in ROLE_SCOPES.items()}


def _options(route: str) -> tuple[str, str, dict[str, Any]]:
    method, path = route.split()
    options = {"json": BODIES[route]} if route in BODIES else {}
    return method, re.sub(r"{\w+}", new_id(), path), options


@pytest.mark.parametrize("role", list(Role))
def test_routes_by_role_for_tokens_and_sessions(house: Installation, role: Role) -> None:
    user_id, email = house.person(role)
    scopes = ROLE_SCOPES[role]
    api = house.api(house.token(*scopes, user_id=user_id))
    browser = house.browser()
    browser.sign_in(email)
    for route, scope, _ in TABLE:
        method, path, options = _options(route)
        for answer in (
            api.call(method, path, **options),
            browser.api(method, path, **{"headers": {"If-Match": '"1"'}, **options}),
        ):
            allowed = scope is None or Scope(scope) in scopes
            assert (answer.status_code == 403) is not allowed, (route, role, answer.json)
            assert answer.status_code != 401
            if not allowed:
                assert answer.json["code"] == "scope_missing"
                assert str(scope) in answer.json["detail"]


def test_other_credentials_open_nothing(house: Installation) -> None:
    # A worker's token has the form of a JWT; the kind of key doesn't matter, none is looked at.
    forged = jwt.encode({"iss": new_id(), "aud": "tacit:worker"}, "k" * 32, algorithm="HS256")
    elsewhere = house.token("flows:read")
    for route, _, _ in TABLE:
        method, path, options = _options(route)
        for headers in (
            {},
            {"Authorization": f"Bearer {forged}"},
            {"Authorization": f"Token {elsewhere}"},
            {"Authorization": f"Bearer {elsewhere}x"},
            {"Authorization": f"Bearer {elsewhere} {elsewhere}"},
            {"X-Api-Key": elsewhere},
            {"Cookie": f"__Host-tacit={elsewhere}"},
            {"Cookie": f"session={elsewhere}"},
        ):
            answer = house.api().call(method, path, headers=headers, **options)
            assert answer.status_code == 401, (route, headers)
        query = house.api().call(method, f"{path}?access_token={elsewhere}", **options)
        assert query.status_code == 401


def test_a_denial_is_audited_once(house: Installation) -> None:
    from sqlalchemy import text

    user_id, email = house.person(Role.VIEWER)
    api = house.api(house.token("flows:read", user_id=user_id))
    answer = api.post("/flows", json={"name": "x"})
    assert answer.status_code == 403
    with house.services.db.read() as session:
        rows = session.execute(
            text("select action, outcome, actor_name, data from audit_events "
                 "where request_id = :id"),
            {"id": answer.json["request_id"]},
        ).all()
    assert [(row[0], row[1], row[2]) for row in rows] == [("access.deny", "denied", email)]
    assert "flows:manage" in str(rows[0][3])


def test_logins_are_audited_without_what_was_typed(house: Installation) -> None:
    from sqlalchemy import text

    _, email = house.person(Role.VIEWER)
    house.browser().sign_in(email, "a wrong password")
    house.browser().sign_in(email)
    house.browser().sign_in("CANARY-typed-into-the-wrong-field", "x")
    with house.services.db.read() as session:
        rows = session.execute(
            text("select outcome, actor_name, chain, data from audit_events "
                 "where action = 'login' order by seq desc limit 3")
        ).all()
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("denied", "unknown account", "installation"),
        ("ok", email, "installation"),
        ("denied", email, "installation"),
    ]
    assert "CANARY" not in str(rows)
