"""The page of one secret: versions, use rules, descriptions, deleting and restoring."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from app.accounts.scopes import Role
from app.audit import Action, Who, record
from app.ids import new_id
from tests.integration.web.conftest import Person, field_error
from tests.support.installation import Installation, canary


def _revision(page: str) -> str:
    found = re.search(r'name="revision" value="(\d+)"', page)
    assert found
    return found.group(1)


def _rotated(admin: Person, name: str, times: int = 2) -> tuple[str, list[str]]:
    """Save a secret and rotate it; returns its id and all its values."""
    values = [canary()]
    secret_id = admin.new_secret(name, values[0])
    for _ in range(times):
        values.append(canary())
        assert admin.post(f"/secrets/{secret_id}/rotate", value=values[-1]).status_code == 303
    return secret_id, values


def _uses(admin: Person, flow: str, secret: str, pin: int | None = None) -> str:
    """Make a flow that fetches a secret; returns its id."""
    flow_id = admin.new_flow(flow)
    node = {
        "id": "fetch", "component": "secret.fetch", "label": "", "position": [0, 0],
        "config": {"secretName": secret, "version": pin, "outputFormat": "raw"},
    }
    saved = admin.browser.api(
        "PUT", f"/flows/{flow_id}", headers={"If-Match": '"1"'},
        json={"graph": {"schema": 1, "nodes": [node], "edges": []}},
    )
    assert saved.status_code == 200, saved.text
    return flow_id


def test_a_version_is_disabled_by_one_click_and_the_toast_undoes_it(admin: Person) -> None:
    secret_id, values = _rotated(admin, "versions")
    revision = _revision(admin.get(f"/secrets/{secret_id}").text)
    disabled = admin.post(
        f"/secrets/{secret_id}/versions/1/disable", htmx=True, revision=revision
    )
    assert disabled.status_code == 200
    assert disabled.headers["HX-Retarget"] == "#secret-page"
    assert "Version 1 is disabled" in disabled.text
    assert 'hx-swap-oob="beforeend"' in disabled.text
    undo = re.search(r'hx-post="([^"]+/versions/1/enable)"[^>]*data-dismisses.*?value="(\d+)"',
                     disabled.text, re.DOTALL)
    assert undo, "the toast offers no undo"
    enabled = admin.post(undo.group(1), htmx=True, revision=undo.group(2))
    assert "Version 1 is enabled" in enabled.text
    activated = admin.post(f"/secrets/{secret_id}/versions/1/activate")
    assert activated.status_code == 303
    page = admin.get(f"/secrets/{secret_id}").text
    assert "Active v1" in page
    assert not any(value in page + disabled.text + enabled.text for value in values)


def test_destroying_names_what_breaks_and_waits_for_the_name(admin: Person) -> None:
    secret_id, values = _rotated(admin, "ledger/signing")
    _uses(admin, "Ledger replay", "ledger/signing", pin=1)
    page = admin.get(f"/secrets/{secret_id}").text
    assert "Pinned by 1 flow" in page
    assert "1 draft pins it and will end as rejected: Ledger replay" in page
    assert 'id="destroy-3"' not in page, "the active version can't be destroyed"
    wrong = admin.post(f"/secrets/{secret_id}/versions/1/destroy", htmx=True, confirm="ledger")
    assert wrong.status_code == 422
    assert "exactly" in field_error(wrong.text, "confirm-v1")
    assert "data-open-now" in wrong.text
    done = admin.post(f"/secrets/{secret_id}/versions/1/destroy", confirm="ledger/signing")
    assert done.status_code == 303
    page = admin.get(f"/secrets/{secret_id}").text
    assert "is destroyed" in page
    assert "can’t be recovered" in page
    active = admin.post(
        f"/secrets/{secret_id}/versions/3/destroy", htmx=True, confirm="ledger/signing"
    )
    assert active.status_code == 409
    assert "version_active" in active.text
    assert not any(value in page + active.text for value in values)


def test_details_are_edited_in_place_with_errors_at_their_fields(admin: Person) -> None:
    secret_id = admin.new_secret("described", canary())
    form = admin.get(f"/secrets/{secret_id}/details", htmx=True).text
    assert form.lstrip().startswith("{#") or form.lstrip().startswith('<section class="card"')
    assert "<html" not in form
    assert "<html" in admin.get(f"/secrets/{secret_id}/details").text
    fields = {"name": "described", "description": "Echoes", "owner": "Ledger", "tags": "a, b"}
    bad = admin.post(
        f"/secrets/{secret_id}/details", htmx=True, **fields, rotation_period_days="soon"
    )
    assert bad.status_code == 422
    assert "number of days" in field_error(bad.text, "rotation_period_days")
    assert 'value="soon"' in bad.text, "what was typed stays"
    good = admin.post(
        f"/secrets/{secret_id}/details", htmx=True, **fields, rotation_period_days="5"
    )
    assert good.status_code == 200
    assert "Every 5 days" in good.text
    assert "due in 5 days" in good.text
    assert "Echoes" in admin.get("/secrets?show=due", htmx=True).text
    assert "No rotation is overdue" in admin.get("/secrets?show=overdue", htmx=True).text


def test_a_form_that_comes_too_late_says_who_changed_what_with_both_choices(
    admin: Person, installation: Installation
) -> None:
    secret_id = admin.new_secret("contested", canary())
    revision = _revision(admin.get(f"/secrets/{secret_id}").text)
    other = Person(installation.signed_in(Role.SECRET_MANAGER))
    theirs = {"name": "contested", "description": "theirs", "owner": "", "tags": ""}
    mine = {**theirs, "description": "mine"}
    assert other.post(f"/secrets/{secret_id}/details", **theirs).status_code == 303
    late = admin.post(f"/secrets/{secret_id}/details", htmx=True, revision=revision, **mine)
    assert late.status_code == 412
    assert late.headers["HX-Retarget"] == "#secret-page"
    assert "was changed by person2@example.com" in late.text
    assert "description, owner changed" in late.text
    assert "Keep it as it is now" in late.text
    assert "Save mine over it" in late.text
    assert '<input type="hidden" name="description" value="mine">' in late.text
    again = admin.post(
        f"/secrets/{secret_id}/details", revision=_revision(late.text), **mine
    )
    assert again.status_code == 303
    assert "mine" in admin.get(f"/secrets/{secret_id}").text


def test_a_stale_rotation_never_sends_the_value_back(admin: Person) -> None:
    secret_id, _ = _rotated(admin, "late", times=1)
    value = canary()
    late = admin.post(f"/secrets/{secret_id}/rotate", htmx=True, value=value, revision="1")
    assert late.status_code == 412
    assert "Rotating again keeps both" in late.text
    assert value not in late.text
    assert _revision(late.text) != "1"


def test_rules_say_what_they_would_stop_today(admin: Person) -> None:
    secret_id = admin.new_secret("ruled", canary())
    stays = _uses(admin, "Payouts", "ruled")
    _uses(admin, "Chargebacks", "ruled")
    page = admin.get(f"/secrets/{secret_id}").text
    assert "It may go anywhere" in page
    form = admin.get(f"/secrets/{secret_id}/rules", htmx=True).text
    assert "Payouts" in form
    assert "uses it" in form
    rules = {
        "hosts_rule": "only", "allowed_hosts": "api.example.com\n*.example.org:8443",
        "flows_rule": "only", "allowed_flows": stays,
    }
    effect = admin.post(f"/secrets/{secret_id}/rules/effect", htmx=True, **rules).text
    assert "Stops 1 of the 2 flows" in effect
    assert "Chargebacks" in effect
    assert "It may go anywhere" in admin.get(f"/secrets/{secret_id}").text, "nothing changed yet"
    bad = admin.post(
        f"/secrets/{secret_id}/rules", htmx=True, **{**rules, "allowed_hosts": "http://x/"}
    )
    assert bad.status_code == 422
    assert "Allowed hosts" in field_error(bad.text, "allowed_hosts")
    saved = admin.post(f"/secrets/{secret_id}/rules", htmx=True, **rules).text
    assert "api.example.com" in saved
    assert "Not allowed" in saved
    open_again = {"hosts_rule": "any", "flows_rule": "any"}
    assert admin.post(f"/secrets/{secret_id}/rules", **open_again).status_code == 303
    assert "Any flow" in admin.get(f"/secrets/{secret_id}").text


def test_accesses_are_listed_with_run_and_node_and_paged(
    admin: Person, installation: Installation
) -> None:
    secret_id = admin.new_secret("accessed", canary())
    assert "Nobody was given its value" in admin.get(f"/secrets/{secret_id}").text
    run_id, flow_id = new_id(), new_id()
    worker = Who("worker", None, "worker-7", installation.environment_id)
    with installation.services.db.begin() as session:
        for number in range(12):
            record(
                session, actor=worker, action=Action.SECRET_USE, secret_id=secret_id,
                run_id=run_id, flow_id=flow_id, node=f"node{number}", data={"version": 1},
                outcome="denied" if number == 0 else "ok",
            )
    page = admin.get(f"/secrets/{secret_id}").text
    assert f"/runs/{run_id}" in page
    assert ">node11</a>" in page
    assert ">node1</a>" not in page
    older = re.search(r'hx-get="(/secrets/[^"]+/accesses\?[^"]+)"', page)
    assert older
    following = admin.get(older.group(1), htmx=True).text
    assert "<html" not in following
    assert ">node0</a>" in following
    assert "denied" in following


def test_a_deleted_secret_is_restored_or_purged_from_the_list(admin: Person) -> None:
    value = canary()
    secret_id = admin.new_secret("going", value)
    bad = admin.post(f"/secrets/{secret_id}/delete", confirm="going", recovery_days="3")
    assert bad.status_code == 422
    assert "7 to 30" in field_error(bad.text, "recovery_days")
    assert admin.post(
        f"/secrets/{secret_id}/delete", confirm="going", recovery_days="7"
    ).status_code == 303
    assert "going" not in admin.get("/secrets", htmx=True).text.partition("</table>")[0]
    deleted = admin.get("/secrets?show=deleted", htmx=True).text
    assert "Restore going" in deleted
    assert "Purge going" in deleted
    assert value not in deleted
    assert admin.post(f"/secrets/{secret_id}/restore").status_code == 303
    assert admin.get(f"/secrets/{secret_id}").status_code == 200
    admin.post(f"/secrets/{secret_id}/delete", confirm="going")
    admin.post(f"/secrets/{secret_id}/purge", confirm="other")
    assert "Type going exactly" in admin.get("/secrets?show=deleted").text
    assert admin.post(f"/secrets/{secret_id}/purge", confirm="going").status_code == 303
    assert "No deleted secrets" in admin.get("/secrets?show=deleted").text
    assert admin.new_secret("going", canary()) != secret_id


DEEDS: dict[str, dict[str, Any]] = {
    "versions/1/disable": {}, "versions/1/activate": {}, "versions/1/destroy": {"confirm": "held"},
    "details": {"name": "held"}, "rules": {"flows_rule": "any"}, "delete": {"confirm": "held"},
}


@pytest.mark.parametrize("deed", DEEDS)
def test_deeds_need_their_token_and_the_scope(
    installation: Installation, admin: Person, deed: str
) -> None:
    secret_id, _ = _rotated(admin, "held", times=1)
    path = f"/secrets/{secret_id}/{deed}"
    bare = admin.browser.send("POST", path, data=DEEDS[deed])
    assert bare.status_code == 403
    assert "csrf_failed" in bare.text
    viewer = Person(installation.signed_in(Role.VIEWER))
    refused = viewer.post(path, **DEEDS[deed])
    assert refused.status_code == 403
    assert "scope_missing" in refused.text


def test_a_viewer_sees_versions_and_rules_but_no_deed(
    installation: Installation, admin: Person
) -> None:
    secret_id, _ = _rotated(admin, "looked-at", times=1)
    viewer = Person(installation.signed_in(Role.VIEWER))
    page = viewer.get(f"/secrets/{secret_id}").text
    assert "Version 2" in page
    assert "Use rules" in page
    assert 'id="accesses"' not in page
    main = page.partition('id="secret-page"')[2].partition('id="toasts"')[0]
    assert "<form" not in main
    assert "<button" not in main
    assert "edit-rules" not in main


def test_a_version_says_what_its_value_looks_like(admin: Person) -> None:
    value = json.dumps({"user": canary(), "password": canary()})
    page = admin.get(f"/secrets/{admin.new_secret('looks', value)}").text
    assert "Looks like JSON." in page
    assert "CANARY" not in page
