"""Environments: made, protected, switched between; nothing of one reachable from another."""

from __future__ import annotations

import pytest

from app.accounts.scopes import Role
from tests.support.installation import Browser, Installation, canary
from tests.support.runs import fetching


@pytest.fixture
def chief(installation: Installation) -> Browser:
    """A signed-in administrator of everything."""
    return installation.signed_in()


def make(chief: Browser, name: str, **more: object) -> str:
    """Make an environment; return its id."""
    made = chief.api("POST", "/environments", json={"name": name, **more})
    assert made.status_code == 201, made.json
    return str(made.json["id"])


def form(browser: Browser, path: str, **data: str) -> int:
    """Send a form as the page that the browser shows would."""
    return browser.send(
        "POST", path, data={"csrf_token": browser.csrf_token(), **data}
    ).status_code


def test_made_listed_and_changed(installation: Installation, chief: Browser) -> None:
    made = make(chief, "prod", title="Production", protected=True)
    listed = chief.api("GET", "/environments").json["items"]
    assert [(one["name"], one["protected"]) for one in listed] == [
        ("default", False), ("prod", True)]
    changed = chief.api("PATCH", f"/environments/{made}", json={
        "title": "Live", "policies": {"hardcoded_credentials": "refuse"}})
    assert changed.status_code == 200
    assert (changed.json["title"], changed.json["protected"]) == ("Live", True)
    again = chief.api("PATCH", f"/environments/{made}", json={
        "policies": {"value_reading": False}, "protected": False})
    assert again.json["policies"] == {"hardcoded_credentials": "refuse", "value_reading": False}
    assert chief.api("POST", "/environments", json={"name": "prod"}).status_code == 409
    for name in ("Prod", "-x", "x-", "a b", "", "x" * 65, "../x", "préd"):
        refused = chief.api("POST", "/environments", json={"name": name})
        assert (refused.status_code, refused.json["code"]) == (422, "environment_name_invalid")


def test_it_takes_somebody_who_looks_after_everything(
    installation: Installation, chief: Browser
) -> None:
    elsewhere = make(chief, "prod")
    _, email = installation.person(Role.ADMIN, environment_id=installation.environment_id)
    local = installation.browser()
    local.sign_in(email)
    refused = local.api("POST", "/environments", json={"name": "mine"})
    assert (refused.status_code, refused.json["code"]) == (403, "installation_denied")
    unknown = "0190aaaa-0000-7000-8000-000000000000"
    answers = [local.api("PATCH", f"/environments/{one}", json={"title": "x"})
               for one in (elsewhere, unknown)]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].json["detail"] == answers[1].json["detail"]
    assert local.api("PATCH", f"/environments/{installation.environment_id}",
                     json={"title": "Mine"}).status_code == 200


def test_pages_switch_and_a_stale_tab_does_nothing(
    installation: Installation, chief: Browser
) -> None:
    make(chief, "prod", title="Production")
    before = chief.csrf_token()
    assert "Production" in chief.send("GET", "/").text
    assert form(chief, "/environment", name="prod") == 303
    page = chief.send("GET", "/flows").text
    assert '<meta name="tacit-environment" content="prod">' in page
    # The tab that still shows the environment of before.
    stale = chief.send("POST", "/flows", data={"csrf_token": before, "name": "Lost"})
    assert stale.status_code == 409
    assert "environment_switched" in stale.text
    for name in ("default", "prod"):
        found = chief.api("GET", "/flows", headers={"X-Tacit-Environment": name})
        assert found.json["items"] == []
    # Switching back works from there too.
    assert chief.send("POST", "/environment", data={
        "csrf_token": before, "name": "default"}).status_code == 303
    assert chief.send("POST", "/flows", data={
        "csrf_token": before, "name": "Found"}).status_code == 303


def test_who_has_no_role_there_does_not_get_there(
    installation: Installation, chief: Browser
) -> None:
    prod = make(chief, "prod")
    _, email = installation.person(Role.VIEWER, environment_id=installation.environment_id)
    local = installation.browser()
    local.sign_in(email)
    assert form(local, "/environment", name="prod") == 303
    local.client.set_cookie("__Host-tacit-environment", "prod", domain="localhost")
    assert '<meta name="tacit-environment" content="default">' in local.send("GET", "/flows").text
    # Somebody with a role in prod alone lands there.
    _, email = installation.person(Role.VIEWER, environment_id=prod)
    other = installation.browser()
    other.sign_in(email)
    assert '<meta name="tacit-environment" content="prod">' in other.send("GET", "/flows").text


def test_a_protected_one_runs_no_draft_with_secrets(
    installation: Installation, chief: Browser
) -> None:
    where = make(chief, "prod", protected=True)
    api = installation.api(installation.token(environment_id=where))
    api.post("/secrets", json={"name": "stripe", "value": canary()})
    flow = api.post("/flows", json={"name": "Daily", "graph": fetching("stripe")}).json
    for body in ({}, {"version": "draft"}):
        refused = api.post(f"/flows/{flow['id']}/runs", json=body)
        assert (refused.status_code, refused.json["code"]) == (423, "environment_protected")
    plain = api.post("/flows", json={"name": "Plain", "graph": fetching()}).json
    assert api.post(f"/flows/{plain['id']}/runs", json={}).status_code == 202
    assert api.post(f"/flows/{flow['id']}/activate", json={}).status_code == 200
    started = api.post(f"/flows/{flow['id']}/runs", json={})
    assert started.status_code == 202
    api.put(f"/flows/{flow['id']}", json={"graph": fetching("stripe", "stripe")})
    assert api.post(f"/runs/{started.json['id']}/rerun", json={}).status_code == 202
    assert api.post(f"/runs/{started.json['id']}/rerun", json={"version": "draft"}) \
        .status_code == 423


def test_reading_values_can_be_switched_off(installation: Installation, chief: Browser) -> None:
    where = make(chief, "prod", policies={"value_reading": False})
    api = installation.api(installation.token(environment_id=where))
    value = canary()
    made = api.post("/secrets", json={"name": "stripe", "value": value}).json
    refused = api.get(f"/secrets/{made['id']}")
    assert (refused.status_code, refused.json["code"]) == (423, "value_reading_off")
    assert value not in refused.text
    here = installation.api(installation.token())
    made = here.post("/secrets", json={"name": "stripe", "value": value}).json
    assert here.get(f"/secrets/{made['id']}").json["value"] == value


def test_the_page(installation: Installation, chief: Browser) -> None:
    assert form(chief, "/settings/environments", name="prod", title="", protected="1") == 303
    page = chief.send("GET", "/settings/environments").text
    assert "Protected" in page
    # Folded but for the one that is shown now: an installation has one for each tenant.
    assert (page.count("<details class=\"fold\" open>"), page.count("<details class=\"fold\"")) \
        == (1, len(chief.api("GET", "/environments").json["items"]))
    made = next(one for one in chief.api("GET", "/environments").json["items"]
                if one["name"] == "prod")
    assert form(chief, f"/settings/environments/{made['id']}", title="Live",
                hardcoded_credentials="refuse") == 303
    row = next(one for one in chief.api("GET", "/environments").json["items"]
               if one["name"] == "prod")
    assert (row["title"], row["protected"]) == ("Live", False)
    assert row["policies"] == {"hardcoded_credentials": "refuse", "value_reading": False}
    assert form(chief, "/settings/environments", name="prod") == 409
    viewer = installation.signed_in(Role.VIEWER)
    assert viewer.send("GET", "/settings/environments").status_code == 403


def test_the_page_says_and_sets_limits_and_what_runs_reach(
    installation: Installation, chief: Browser
) -> None:
    prod = make(chief, "prod")
    address = f"/settings/environments/{prod}"

    def shown() -> str:
        return chief.send("GET", "/settings/environments").text

    assert "At most 10,000 runs wait; any number go on at once." in shown()
    assert "Loopback and private addresses are allowed." in shown()
    given = {"title": "Prod", "queued_runs": "500", "running_runs": "8", "retention_days": "0",
             "worker_secrets": "env:DEPLOY_*\r\n\r\nrole:aws"}
    assert form(chief, address, **given) == 303
    assert "At most 500 runs wait; 8 go on at once." in shown()
    assert "Runs that are over are kept for ever." in shown()
    assert "private addresses are refused: runs reach public ones only." in shown()
    assert "runs may use what is listed below" in shown()
    api = installation.api(installation.token(environment_id=prod))
    assert api.get("/limits").json == {
        "queued_runs": 500, "running_runs": 8, "retention_days": 0,
    }
    assert api.get("/reach").json == {
        "allow_private": False, "worker_secrets": ["env:DEPLOY_*", "role:aws"],
    }
    # What can't be taken changes nothing of it.
    for wrong in ({"queued_runs": "many"}, {"retention_days": "-1"}, {"running_runs": "0"},
                  {"worker_secrets": "PATH"}):
        assert form(chief, address, **{**given, "title": "Other", **wrong}) == 303
        row = next(one for one in chief.api("GET", "/environments").json["items"]
                   if one["id"] == prod)
        assert row["title"] == "Prod", wrong
    here = installation.api(installation.token())
    assert here.get("/limits").json["queued_runs"] == 10_000
    # Who looks after one environment doesn't reach another's.
    _, email = installation.person(Role.ADMIN, environment_id=installation.environment_id)
    local = installation.browser()
    local.sign_in(email)
    assert form(local, address, **given) == 404
