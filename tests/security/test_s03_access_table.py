"""Statement 3: every route × role × kind of credential answers as the table in docs/api.md says.

Kinds: none, session, API token, worker token. A new route without a row fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app.accounts.scopes import ROLE_SCOPES, Role, Scope
from tests.support.api_table import PAGE, TABLE
from tests.support.installation import Installation
from tests.support.runs import SigningWorker


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One installation for the whole matrix."""
    made = Installation.make(tmp_path_factory.mktemp("matrix") / "home")
    yield made
    made.services.close()


def test_s03_the_table_names_every_route(house: Installation) -> None:
    document = house.api().get("/openapi.json").json
    served = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            good = next(int(code) for code in operation["responses"] if code[0] in "23")
            scopes = operation.get("x-required-scope", "").split(" or ")
            served[f"{method.upper()} {path.removeprefix('/api/v1')}"] = (
                tuple(scopes) if scopes != [""] else (),
                {"token": []} not in operation["security"], good,
            )
    said = {route.name: (route.scopes, route.session_only, route.status) for route in TABLE}
    assert said == served


def test_s03_the_roles_are_as_the_page_says() -> None:
    said: dict[str, frozenset[Scope]] = {}
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", PAGE.read_text(), re.M)
    for role, words in rows:
        scopes = {Scope(name) for name in re.findall(r"`([a-z:]+)`", words)}
        base = re.match(r"(\w+)'s", words)
        inherited = said[base[1]] if base else frozenset()
        said[role] = frozenset(Scope) if words == "all" else inherited | scopes
    assert said == {role.value: scopes for role, scopes in ROLE_SCOPES.items()}


@pytest.mark.parametrize("role", list(Role))
def test_s03_routes_by_role_for_tokens_and_sessions(house: Installation, role: Role) -> None:
    user_id, email = house.person(role)
    scopes = ROLE_SCOPES[role]
    api = house.api(house.token(*scopes, user_id=user_id))
    browser = house.browser()
    browser.sign_in(email)
    for route in TABLE:
        for kind, send in (("token", api.call), ("session", browser.api)):
            more = {"headers": {"If-Match": '"1"'}} if kind == "session" else {}
            answer = send(route.method, route.address(), **more, **route.options())
            allowed = route.opens_for(scopes, kind)
            said = (route.name, role, kind, answer.status_code, answer.json)
            assert (answer.status_code == 403) is not allowed, said
            assert answer.status_code != 401 or answer.json["code"] == "login_failed", said
            if allowed:
                continue
            if route.session_only and kind == "token":
                assert answer.json["code"] == "session_required"
            else:
                assert answer.json["code"] == "scope_missing"
                assert any(scope in answer.json["detail"] for scope in route.scopes)


def test_s03_other_credentials_open_nothing(house: Installation) -> None:
    worker = SigningWorker.enrol(house)
    elsewhere = house.token("flows:read")
    bearers = (
        worker.token(), worker.token("tacit:claim"), worker.token("tacit:secret-value"),
        f"{elsewhere}x", f"{elsewhere} {elsewhere}",
    )
    credentials: list[dict[str, str]] = [
        {},
        *({"Authorization": f"Bearer {text}"} for text in bearers),
        {"Authorization": f"Token {elsewhere}"},
        {"X-Api-Key": elsewhere},
        {"Cookie": f"__Host-tacit={elsewhere}"},
        {"Cookie": f"__Host-tacit={worker.token()}"},
        {"Cookie": f"session={elsewhere}"},
    ]
    client = house.api()
    for route in TABLE:
        for headers in credentials:
            answer = client.call(
                route.method, route.address(), headers=headers, **route.options()
            )
            assert answer.status_code == 401, (route.name, headers)
        query = client.call(
            route.method, f"{route.address()}?access_token={elsewhere}", **route.options()
        )
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
                 "where action = 'login' and chain = 'installation' order by seq desc limit 3")
        ).all()
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("denied", "unknown account", "installation"),
        ("ok", email, "installation"),
        ("denied", email, "installation"),
    ]
    assert "CANARY" not in str(rows)
