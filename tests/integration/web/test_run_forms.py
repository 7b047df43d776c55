"""Forms that start runs, and a flow's page of triggers and settings."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.scopes import Role
from tests.integration.web.conftest import Person, field_error
from tests.support.installation import Installation, canary

INPUTS = [
    {"name": "day", "label": "Day", "required": True, "help": "Which day."},
    {"name": "count", "type": "number", "default": 3}, {"name": "dry", "type": "boolean"},
    {"name": "place", "type": "choice", "choices": ["north", "south"]},
    {"name": "more", "type": "json"},
]


def drawn(admin: Person, *nodes: dict[str, Any]) -> str:
    """Make a flow of nodes and a log; returns its id."""
    flow_id = admin.new_flow("Report")
    log = {"id": "log", "component": "output.log", "position": [0, 0], "config": {"message": "x"}}
    graph = {"schema": 1, "edges": [], "nodes": [
        *({"position": [0, 0], **node} for node in nodes), log,
    ]}
    saved = admin.browser.api(
        "PUT", f"/flows/{flow_id}", headers={"If-Match": '"1"'}, json={"graph": graph}
    )
    assert saved.status_code == 200, saved.json
    return flow_id


def asking(admin: Person) -> str:
    """Make a flow that asks for inputs."""
    return drawn(
        admin, {"id": "start", "component": "trigger.manual", "config": {"inputs": INPUTS}}
    )


def inputs_of(admin: Person, location: str) -> Any:
    """Return what a run was started with."""
    return admin.browser.api("GET", location).json["inputs"]


def test_a_form_for_what_the_flow_asks_for(admin: Person) -> None:
    flow_id = asking(admin)
    form = admin.get(f"/flows/{flow_id}/run").text
    assert "The draft runs." in form
    assert 'name="count" type="text" inputmode="decimal" value="3"' in form
    assert form.count("optional") == 3
    refused = admin.post(f"/flows/{flow_id}/run", count="many", place="north")
    assert refused.status_code == 422
    assert "has to be a number" in field_error(refused.text, "count")
    assert 'value="many"' in refused.text
    missing = admin.post(f"/flows/{flow_id}/run", count="4", place="east")
    assert "Day is needed" in field_error(missing.text, "day")
    assert "one of its choices" in field_error(missing.text, "place")
    started = admin.post(
        f"/flows/{flow_id}/run", day="Monday", count="4", dry="1", place="south", more='{"a": 1}'
    )
    assert started.status_code == 303
    assert inputs_of(admin, started.headers["Location"]) == {
        "day": "Monday", "count": 4, "dry": True, "place": "south", "more": {"a": 1}
    }
    assert f'href="/flows/{flow_id}/run"' in admin.get("/flows").text


def test_again_as_it_was_and_with_other_inputs(admin: Person) -> None:
    flow_id = asking(admin)
    first = admin.post(f"/flows/{flow_id}/run", day="Monday", place="south").headers["Location"]
    admin.browser.api("POST", f"{first}/cancel")
    assert f'href="{first}/again"' in admin.get(first).text
    form = admin.get(f"{first}/again").text
    assert 'value="Monday"' in form
    assert "<option selected>south</option>" in form
    same = admin.post(f"{first}/again").headers["Location"]
    assert inputs_of(admin, same)["day"] == "Monday"
    other = admin.post(f"{first}/again/edited", day="Friday").headers["Location"]
    assert inputs_of(admin, other) == {"day": "Friday", "count": 3, "dry": False}
    assert admin.post(f"{first}/again/edited", day="").status_code == 422


def test_a_flow_that_asks_for_nothing_takes_a_json_object(admin: Person) -> None:
    flow_id = drawn(admin)
    assert admin.post(f"/flows/{flow_id}/run", json="[1]").status_code == 422
    started = admin.post(f"/flows/{flow_id}/run", json='{"a": [1]}')
    assert inputs_of(admin, started.headers["Location"]) == {"a": [1]}
    assert "&#34;a&#34;" in admin.get(f"{started.headers['Location']}/again").text


def test_who_may_not_run_gets_no_form(installation: Installation, admin: Person) -> None:
    flow_id = asking(admin)
    viewer = Person(installation.signed_in(Role.VIEWER))
    assert viewer.get(f"/flows/{flow_id}/run").status_code == 403
    assert f'href="/flows/{flow_id}/run"' not in viewer.get("/flows").text
    page = viewer.get(f"/flows/{flow_id}/settings")
    assert page.status_code == 200
    assert "Save settings" not in page.text


def test_settings_are_saved_and_refused_at_their_fields(admin: Person) -> None:
    flow_id = drawn(admin)
    path = f"/flows/{flow_id}/settings"
    good = {"limit": "2", "policy": "skip", "timeout_seconds": "60", "email": "a@example.com",
            "on_worker_lost": "requeue", "on_prevented_leak": "fail_node", "revision": "2"}
    refused = admin.post(path, **{**good, "timeout_seconds": "soon", "webhook_url": "ftp://x/",
                                  "limit": "0"})
    assert refused.status_code == 422
    for name in ("timeout_seconds", "webhook_url", "limit"):
        assert field_error(refused.text, name), name
    assert 'value="ftp://x/"' in refused.text
    assert admin.post(path, **good).status_code == 303
    assert admin.browser.api("GET", f"/flows/{flow_id}").json["settings"] == {
        "concurrency": {"limit": 2, "policy": "skip"}, "timeout_seconds": 60,
        "on_prevented_leak": "fail_node", "on_worker_lost": "requeue",
        "notify_on_failure": {"webhook_url": None, "email": "a@example.com"},
    }
    stale = admin.post(path, **{**good, "limit": "3"})
    assert stale.status_code == 412


@pytest.mark.parametrize("active", [True, False])
def test_triggers_with_their_next_times_and_address(
    installation: Installation, admin: Person, active: bool
) -> None:
    admin.new_secret("signing", canary())
    flow_id = drawn(
        admin,
        {"id": "clock", "component": "trigger.schedule", "label": "Daily",
         "config": {"cron": "30 6 * * *", "timezone": "Europe/Berlin"}},
        {"id": "hook", "component": "trigger.webhook", "config": {"secretName": "signing"}},
    )
    if active:
        assert admin.post(f"/flows/{flow_id}/activate").status_code == 303
    page = admin.get(f"/flows/{flow_id}/settings").text
    assert ("30 6 * * *" in page) is active
    assert page.count(":30:00 UTC") == (5 if active else 0)
    assert ("https://localhost:8443/hooks/" in page) is active
    assert ("Nothing starts this flow by itself" in page) is not active
