"""Statement 5: the value route is not on the web listener, for no credential at all; the runtime
listener refuses what browsers send.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.accounts.scopes import Role
from tests.support.installation import Installation, canary
from tests.support.runs import Workshop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """An installation with a worker."""
    made = Installation.make(tmp_path_factory.mktemp("value") / "home")
    yield Workshop.open(made)
    made.services.close()


def test_s05_value_route_not_on_web(shop: Workshop) -> None:
    value = canary()
    held = shop.claimed(shop.secret(value))
    house, grant = shop.installation, held.plan["grants"][0]
    browser = house.signed_in(Role.ADMIN)
    never = browser.api("GET", f"/secrets/{grant['secret_id']}/nothing?version=1")
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        path = f"/secrets/{grant['secret_id']}/value?version=1"
        for answer in (
            browser.api(method, path),
            house.api(house.token()).call(method, path),
        ):
            assert answer.status_code == 404
            if method != "HEAD":
                assert {**answer.json, "request_id": ""} == {**never.json, "request_id": ""}
    for token in (held.value_token(), held.worker.token(), None):
        assert house.api(token).get(path).status_code == 401
    rules = [rule.rule for rule in house.app.url_map.iter_rules()]
    assert not [rule for rule in rules if rule.endswith("/value")]
    # The same token is good where the route is, so it was not the token.
    assert shop.runtime.value(held).json["value"] == value


@pytest.mark.parametrize("name", [
    "Cookie", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User",
    "Sec-Fetch-Storage-Access", "Access-Control-Request-Method", "Access-Control-Request-Headers",
])
def test_s05_the_runtime_refuses_browser_headers(shop: Workshop, name: str) -> None:
    value = canary()
    held = shop.claimed(shop.secret(value))
    for content in ("", "same-origin", "x=1"):
        answer = shop.runtime.value(held, headers={name: content})
        assert answer.status_code in (400, 401, 403), (name, content, answer.status_code)
        assert value not in answer.get_data(as_text=True)
    assert shop.runtime.value(held).json["value"] == value


def test_s05_sessions_get_no_value_whatever_they_send(shop: Workshop) -> None:
    value = canary()
    secret = shop.secret(value)
    browser = shop.installation.signed_in(Role.ADMIN)
    for path in (f"/secrets/{secret.id}", f"/secrets/{secret.id}?version=1",
                 f"/secrets/{secret.id}?deleted=true", "/secrets"):
        for headers in ({}, {"Accept": "text/plain"}, {"X-Scopes": "secrets:read:value"}):
            answer = browser.api("GET", path, headers=headers)
            assert answer.status_code == 200
            assert value not in answer.get_data(as_text=True)
            assert "value" not in answer.json
