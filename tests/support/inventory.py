"""One of everything that an id can name, made in an environment through the API."""

from __future__ import annotations

from typing import Any

from tests.support.installation import PASSWORD, Browser, Installation, canary


def fill_environment(house: Installation, name: str = "default") -> dict[str, str]:
    """Make a secret of two versions, a flow, a run, a worker, a person, a token, a login.

    Returns their ids under the names that addresses have for them.
    """
    _, email = house.person("admin")
    browser = house.browser()
    assert browser.sign_in(email).status_code == 303

    def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = browser.api("POST", path, json=body, headers={"X-Tacit-Environment": name})
        assert answer.status_code in (201, 202), answer.json
        found: dict[str, Any] = answer.json
        return found

    secret = made("/secrets", {"name": canary(), "value": canary()})
    flow = made("/flows", {"name": "held", "graph": {
        "schema": 1, "edges": [],
        "nodes": [{"id": "log", "component": "output.log", "label": "", "position": [0, 0],
                   "config": {"message": "x"}}],
    }})
    run = made(f"/flows/{flow['id']}/runs", {})
    made("/workers", {"name": "held"})
    person = made("/users", {"email": f"{canary()}@example.com", "password": PASSWORD,
                             "role": "viewer"})
    token = made("/tokens", {"name": "held", "scopes": ["flows:read"]})
    return {
        "secret_id": secret["id"], "flow_id": flow["id"], "run_id": run["id"],
        "worker_id": _first(browser, "/workers", name), "user_id": person["id"],
        "grant_id": person["roles"][0]["id"], "token_id": token["id"],
        "session_id": _first(browser, "/sessions", name),
    }


def _first(browser: Browser, path: str, name: str) -> str:
    found = browser.api("GET", path, headers={"X-Tacit-Environment": name}).json["items"]
    return str(found[0]["id"])
