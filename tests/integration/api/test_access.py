"""People, tokens, logins, workers, freeze, audit and keys through the API."""

from __future__ import annotations

from app.accounts.scopes import Role
from tests.support.installation import PASSWORD, Installation


def test_a_person_from_first_to_last(installation: Installation) -> None:
    browser = installation.signed_in()
    made = browser.api("POST", "/users", json={
        "email": "New@example.com", "password": PASSWORD, "name": "New", "role": "viewer",
    })
    assert made.status_code == 201, made.json
    assert made.json["email"] == "new@example.com"
    assert [role["environment"] for role in made.json["roles"]] == ["default"]
    path = made.headers["Location"].removeprefix("/api/v1")
    theirs = installation.browser()
    assert theirs.sign_in("new@example.com").status_code == 303
    assert theirs.api("GET", "/secrets").status_code == 200
    assert theirs.api("GET", "/users").status_code == 403

    granted = browser.api("POST", f"{path}/roles", json={"role": "auditor", "everywhere": True})
    assert [role["environment"] for role in granted.json["roles"]] == ["default", None]
    # A role has changed, so the login has ended.
    assert theirs.api("GET", "/secrets").status_code == 401
    for role in granted.json["roles"]:
        gone = browser.api("DELETE", f"{path}/roles/{role['id']}")
        assert gone.status_code == 204
    assert browser.api("GET", path).json["roles"] == []
    assert browser.api("POST", f"{path}/disable").json["disabled"] is True
    assert installation.browser().sign_in("new@example.com").status_code == 401
    assert browser.api("POST", f"{path}/enable").json["disabled"] is False
    assert installation.browser().sign_in("new@example.com").status_code == 303


def test_pages_of_people(installation: Installation) -> None:
    api = installation.api(installation.token())
    browser = installation.signed_in()
    for _ in range(3):
        installation.person(Role.VIEWER)
    seen, cursor = [], ""
    while True:
        page = browser.api("GET", f"/users?limit=2{cursor}").json
        seen += [person["email"] for person in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == 5
    assert seen == sorted(seen)
    assert len(api.get("/users").json["items"]) == 5


def test_tokens_of_one_s_own(installation: Installation) -> None:
    browser = installation.signed_in()
    made = browser.api("POST", "/tokens", json={
        "name": "ci", "scopes": ["secrets:read"], "expires_days": 7,
    })
    assert made.status_code == 201, made.json
    token = made.json["token"]
    api = installation.api(token)
    assert api.get("/me").json["scopes"] == ["secrets:read"]
    (listed,) = browser.api("GET", "/tokens").json["items"]
    assert "token" not in listed
    assert listed["expires_at"]
    other = browser.api("POST", "/tokens", json={"name": "x", "scopes": ["flows:read"]}).json
    # A token ends itself and not its owner's others.
    assert api.delete(f"/tokens/{other['id']}").status_code == 404
    assert api.delete(f"/tokens/{made.json['id']}").status_code == 204
    assert api.get("/me").status_code == 401
    assert browser.api("DELETE", f"/tokens/{other['id']}").status_code == 204
    assert browser.api("GET", "/tokens").json["items"] == []


def test_logins_and_the_password(installation: Installation) -> None:
    _, email = installation.person(Role.VIEWER)
    here, there = installation.browser(), installation.browser()
    here.sign_in(email)
    there.sign_in(email)
    sessions = here.api("GET", "/sessions").json["items"]
    assert [one["current"] for one in sessions].count(True) == 1
    other = next(one["id"] for one in sessions if not one["current"])
    assert here.api("DELETE", f"/sessions/{other}").status_code == 204
    assert there.api("GET", "/me").status_code == 401
    there.sign_in(email)

    new = "another password 1"
    wrong = here.api("POST", "/me/password", json={"current_password": "x", "password": new})
    assert (wrong.status_code, wrong.json["code"]) == (401, "login_failed")
    short = here.api("POST", "/me/password",
                     json={"current_password": PASSWORD, "password": "short"})
    assert short.json["code"] == "password_too_short"
    before = here.cookie()
    done = here.api("POST", "/me/password", json={"current_password": PASSWORD, "password": new})
    assert done.status_code == 204
    assert here.cookie() != before
    assert here.api("GET", "/me").status_code == 200
    assert there.api("GET", "/me").status_code == 401
    assert installation.browser().sign_in(email).status_code == 401
    assert installation.browser().sign_in(email, new).status_code == 303


def test_workers(installation: Installation) -> None:
    browser = installation.signed_in()
    made = browser.api("POST", "/workers", json={"name": "far"})
    assert made.json["code"].startswith("tcw_")
    (worker,) = browser.api("GET", "/workers").json["items"]
    assert made.json["code"] not in str(worker)
    assert browser.api("DELETE", f"/workers/{worker['id']}").status_code == 204
    assert browser.api("GET", "/workers").json["items"][0]["revoked_at"]
    assert browser.api("POST", "/workers", json={"name": ""}).status_code == 422


def test_freeze(installation: Installation) -> None:
    browser = installation.signed_in()
    assert browser.api("GET", "/freeze").json["frozen"] is False
    for everywhere in (False, True):
        body = {"reason": "a leak", "everywhere": everywhere}
        assert browser.api("POST", "/freeze", json=body).json["everywhere"] is everywhere
        assert browser.api("GET", "/freeze").json["reason"] == "a leak"
        flow = browser.api("POST", "/flows", json={"name": "f"}).json
        run = browser.api("POST", f"/flows/{flow['id']}/runs", json={})
        assert run.status_code in (422, 423)
        lifted = browser.api("DELETE", f"/freeze?everywhere={str(everywhere).lower()}")
        assert lifted.status_code == 204
    assert browser.api("GET", "/freeze").json["frozen"] is False
    assert browser.api("DELETE", "/freeze?everywhere=1").status_code == 422


def test_the_audit_and_the_keys(installation: Installation) -> None:
    browser = installation.signed_in()
    for number in range(3):
        browser.api("POST", "/secrets", json={"name": f"s{number}", "value": "long enough 123"})
    seen, cursor = [], ""
    while True:
        page = browser.api("GET", f"/audit?action=secret.create&limit=2{cursor}").json
        seen += [event["target"] for event in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["s2", "s1", "s0"]
    assert browser.api("GET", "/audit?action=audit.read").json["items"]
    later = browser.api("GET", "/audit?since=2999-01-01T00:00:00Z").json
    assert later["items"] == []
    for query in ("since=2020-01-01T00:00:00", "since=x", "until=0001-01-01T00:00:00%2B23:00"):
        assert browser.api("GET", f"/audit?{query}").status_code == 422, query
    logins = browser.api("GET", "/audit?installation=true&action=login").json["items"]
    assert logins
    keys = browser.api("GET", "/keys").json
    assert [key["id"] for key in keys["items"]] == [keys["active"]]
    assert keys["items"][0]["values"] == 3
