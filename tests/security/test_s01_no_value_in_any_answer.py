"""Statement 1: without ``secrets:read:value`` no response of any route holds a value: created,
rotated, refused, replayed, listed, in its history, in the audit, in HTML.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.accounts.scopes import ROLE_SCOPES, Role, Scope
from app.ids import new_id
from tests.support.api_table import BODIES, TABLE
from tests.support.installation import Installation, canary
from tests.support.inventory import fill_environment
from tests.support.runs import fetching

NO_VALUE = [scope for scope in Scope if scope is not Scope.SECRETS_READ_VALUE]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation for the module."""
    made = Installation.make(tmp_path_factory.mktemp("answers") / "home")
    yield made
    made.services.close()


@dataclass
class Watch:
    """Sends requests as a token and as a session and looks for canaries in all that comes back."""

    house: Installation
    role: Role = Role.ADMIN
    canaries: list[str] = field(default_factory=list)
    seen: int = 0

    def __post_init__(self) -> None:
        user_id, email = self.house.person(self.role)
        scopes = [scope for scope in NO_VALUE if scope in ROLE_SCOPES[self.role]]
        self.token = self.house.api(self.house.token(*scopes, user_id=user_id))
        self.browser = self.house.browser()
        self.browser.sign_in(email)

    def hide(self, value: str) -> str:
        """Watch for the canaries of a value from now on."""
        self.canaries += re.findall(r"CANARY-[0-9a-f]{16}", value)
        return value

    def both(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send as the session and as the token; returns the token's answer."""
        headers = dict(options.pop("headers", {}))
        self.look(self.browser.api(method, path, headers=dict(headers), **options))
        return self.look(self.token.call(method, path, headers=headers, **options))

    def look(self, answer: TestResponse) -> TestResponse:
        """Look into body and headers, for the canaries as they are and encoded."""
        text = answer.get_data(as_text=True) + str(list(answer.headers))
        for name in self.canaries:
            raw = name.encode()
            # Of base64 only what doesn't depend on what stands before and after.
            forms = (name, name[7:], raw.hex(), base64.b64encode(raw)[:20].decode(), name[::-1])
            assert not any(form in text for form in forms), (answer.request.path, name)
        self.seen += 1
        return answer


def _dressed(name: str) -> st.SearchStrategy[str]:
    """Return values that hold the canary: text, JSON, lines, Unicode, quotes, markup."""
    around = st.text(
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20
    )
    return st.one_of(
        st.builds(lambda before, after: f"{before}{name}{after}", around, around),
        st.builds(lambda extra: json.dumps({"user": extra, "password": name}), around),
        st.builds(lambda extra: f"{name}\n{extra}\n", around),
        st.just(f"<script>{name}</script>"),
        st.just(f'"{name}\\u0000'),
        st.just(f"postgres://u:{name}@h/db?x=%00"),
    )


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_s01_no_value_in_any_answer(house: Installation, data: st.DataObject) -> None:
    watch = Watch(house)

    def value() -> str:
        return watch.hide(data.draw(_dressed(canary())))

    name, first = f"s-{new_id()}", value()
    headers = {"Idempotency-Key": new_id()}
    made = watch.look(watch.token.post(
        "/secrets", json={"name": name, "value": first}, headers=headers
    ))
    assert made.status_code == 201, made.json
    again = watch.look(watch.token.post(
        "/secrets", json={"name": name, "value": first}, headers=headers
    ))
    assert again.headers["Idempotency-Replayed"] == "true"
    path = f"/secrets/{made.json['id']}"

    # Refusals: of the name, another field, the type, the length, the revision, the body itself.
    for body in (
        {"name": name, "value": value()}, {"name": "a b", "value": value()},
        {"name": f"s-{new_id()}", "value": value(), "tags": 1},
        {"name": f"s-{new_id()}", "value": value(), "more": 1},
        {"name": f"s-{new_id()}", "value": [value()]}, {"value": value()},
        {"name": f"s-{new_id()}", "value": value() * 4000},
        {"name": f"s-{new_id()}", "value": value(), "allowed_flows": ["x"]},
    ):
        refused = watch.both("POST", "/secrets", json=body)
        assert refused.status_code in (409, 422), refused.json
        if refused.json["code"] == "body_invalid":
            assert refused.json["problems"]
    for broken in (f'{{"value": "{value()}', f'{{"a": 1, "a": {json.dumps(value())}}}', value()):
        watch.both("POST", "/secrets", data=broken.encode(), content_type="application/json")
        watch.both("PUT", f"{path}/rotate", data=broken.encode(), content_type="text/plain")
    for body in ({"value": value(), "x": 1}, {"value": {"v": value()}}):
        assert watch.both("PUT", f"{path}/rotate", json=body).status_code == 422
    stale = watch.both("PUT", f"{path}/rotate", json={"value": value()},
                       headers={"If-Match": '"999"'})
    assert stale.status_code == 412
    assert watch.both("PATCH", path, json={"value": value()}).status_code == 422
    for body in ({"value": value()}, {"value": value(), "allow_weak": True}):
        assert watch.both("PUT", f"{path}/rotate", json=body).status_code == 200

    flow = watch.both("POST", "/flows", json={"name": "uses it", "graph": fetching(name)}).json
    ids = {"secret_id": made.json["id"], "flow_id": flow["id"]}
    _walk(watch, ids)
    watch.both("DELETE", path)
    _walk(watch, ids)
    watch.both("GET", f"{path}?deleted=true&version=1")
    watch.both("GET", "/secrets?state=deleted")
    watch.both("POST", f"{path}/restore")
    assert watch.seen > 100


@pytest.mark.parametrize("role", list(Role))
def test_s01_every_route_for_every_role(house: Installation, role: Role) -> None:
    ids = fill_environment(house)
    watch = Watch(house, role)
    value = watch.hide(canary())
    admin = house.api(house.token())
    admin.put(f"/secrets/{ids['secret_id']}/rotate", json={"value": value})
    _walk(watch, ids)
    for route in TABLE:
        body = BODIES.get(route.name)
        if route.method == "GET" or route.path in ("/freeze", "/me/password"):
            continue
        if "{user_id}" in route.path or route.path.startswith("/sessions"):
            continue
        watch.both(route.method, route.address(ids), json=body)


def _walk(watch: Watch, ids: dict[str, str]) -> None:
    """Read everything there is to read, as JSON and as pages."""
    for route in TABLE:
        if route.method == "GET":
            watch.both("GET", route.address(ids))
    watch.look(watch.token.get("/openapi.json"))
    for rule in watch.house.app.url_map.iter_rules():
        skipped = rule.rule.startswith(("/api/", "/static", "/readyz"))
        if skipped or "GET" not in (rule.methods or ()):
            continue
        page = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: ids.get(found[1], new_id()), rule.rule)
        for headers in ({}, {"HX-Request": "true"}):
            answer = watch.browser.send("GET", page, headers=headers)
            assert answer.status_code < 500, (page, answer.status_code)
            watch.look(answer)
