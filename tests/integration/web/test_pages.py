"""Flows, runs, components, settings, audit, errors: the pages answer and say what to do."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.accounts.scopes import Role
from app.components.registry import registry
from app.runs import service as runs
from tests.integration.web.conftest import Person, field_error
from tests.support.installation import Installation, canary
from tests.support.packages import another_package, lay_out

__all__ = ["another_package"]

NEVER = "01a20a77-48a4-7fe7-a938-ca2a53176fd8"
PATHS = ("/", "/flows", "/secrets", "/secrets/new", "/runs", "/components", "/settings", "/audit")


@pytest.mark.parametrize("path", PATHS)
def test_no_page_has_inline_script_or_style(admin: Person, path: str) -> None:
    admin.new_secret("one", canary())
    page = admin.get(path).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]* src=)", page)
    assert len(re.findall(r"<h1", page)) == 1
    assert 'href="#main"' in page


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("path", PATHS)
def test_every_role_gets_a_page_or_a_reason(
    installation: Installation, path: str, role: Role
) -> None:
    answer = Person(installation.signed_in(role)).get(path)
    assert answer.status_code in (200, 403)
    if answer.status_code == 403:
        assert "scope_missing" in answer.text


def test_a_flow_is_made_and_its_canvas_opens(admin: Person) -> None:
    refused = admin.post("/flows", name="  ")
    assert refused.status_code == 422
    assert "printable" in field_error(refused.text, "name")
    flow_id = admin.new_flow("Nightly report")
    canvas = admin.get(f"/flows/{flow_id}")
    assert canvas.status_code == 200
    assert f'data-flow-id="{flow_id}"' in canvas.text
    assert "Nightly report" in admin.get("/flows?q=night", htmx=True).text
    assert "No flow is named like" in admin.get("/flows?q=zzz", htmx=True).text
    copied = admin.post(f"/flows/{flow_id}/duplicate")
    assert copied.status_code == 303
    assert "Nightly report copy" in admin.get(copied.headers["Location"]).text
    assert admin.post(f"/flows/{flow_id}/delete").status_code == 303
    assert admin.get(f"/flows/{flow_id}").status_code == 404


def _run(installation: Installation, admin: Person) -> tuple[str, str]:
    flow_id = admin.new_flow("Says hello")
    nodes = [
        {"id": "say", "component": "output.log", "label": "Say it", "position": [0, 0],
         "config": {"message": "hello"}},
    ]
    saved = admin.browser.api(
        "PUT", f"/flows/{flow_id}", headers={"If-Match": '"1"'},
        json={"graph": {"schema": 1, "nodes": nodes, "edges": []}},
    )
    assert saved.status_code == 200, saved.text
    with installation.services.db.begin() as session:
        return flow_id, runs.start_run(session, installation.operator(), flow_id).id


def test_a_run_is_shown_with_its_nodes_log_and_timeline(
    installation: Installation, admin: Person
) -> None:
    flow_id, run_id = _run(installation, admin)
    page = admin.get(f"/runs/{run_id}").text
    assert "Says hello" in page
    assert "Say it" in page
    assert "Queued" in page
    assert f'data-run-id="{run_id}"' in page
    assert "Cancel run" in page
    listed = admin.get(f"/runs?state=queued&flow={flow_id}", htmx=True).text
    assert listed.lstrip().startswith('<div id="run-list"')
    assert 'hx-trigger="every 3s"' in listed
    assert "No failed runs" in admin.get("/runs?state=failed", htmx=True).text


def test_a_queued_run_is_cancelled_and_says_so_twice(
    installation: Installation, admin: Person
) -> None:
    _, run_id = _run(installation, admin)
    assert admin.post(f"/runs/{run_id}/cancel").status_code == 303
    page = admin.get(f"/runs/{run_id}").text
    assert "Cancelled" in page
    assert "Run again" in page
    admin.post(f"/runs/{run_id}/cancel")
    assert "over already" in admin.get(f"/runs/{run_id}").text


def test_a_state_that_is_none_is_a_sentence(admin: Person) -> None:
    answer = admin.get("/runs?state=odd")
    assert answer.status_code == 422
    assert "state_invalid" in answer.text


def test_components_are_listed_with_their_ports(admin: Person) -> None:
    page = admin.get("/components").text
    assert "secret.fetch" in page
    assert "port-chip--secret" in page


@pytest.mark.parametrize("name", [one.name for one in registry()])
def test_each_component_has_a_page_and_its_examples_become_flows(admin: Person, name: str) -> None:
    page = admin.get(f"/components/{name}")
    assert page.status_code == 200
    assert registry().get(name).title in page.text
    made = admin.post(f"/components/{name}/examples/0")
    assert made.status_code == 303, made.text[:2000]
    assert admin.post(f"/components/{name}/examples/99").status_code == 404


def test_a_component_that_is_not_installed(admin: Person) -> None:
    assert admin.get("/components/no.such").status_code == 404


def test_a_component_s_page_says_how_a_manager_fails_and_what_a_wire_may_bring(
    admin: Person,
) -> None:
    page = admin.get("/components/vault.kv.fetch").text
    for code in ("secret_missing", "secret_denied", "provider_throttled", "credentials_expired"):
        assert f'<td class="mono">{code}</td>' in page
    assert "those with a plug" in admin.get("/components/data.parse_csv").text
    assert "those with a plug" not in admin.get("/components/env.fetch").text


def test_a_package_s_components_are_listed_and_a_broken_one_is_named(
    admin: Person, another_package: Path
) -> None:
    lay_out(another_package, "acme-good", {"acme.greet": "acme_good:Greet"})
    lay_out(another_package, "acme-ill", {"acme.ill": "acme_ill:Greet"}, "1 / 0")
    answer = admin.get("/components")
    assert answer.status_code == 200
    assert "Greets somebody." in answer.text
    assert "acme.ill of acme-ill 1.2 can&#39;t be loaded: ZeroDivisionError" in answer.text
    assert "component_import_failed" in answer.text


def test_a_token_is_shown_once_and_revoked(admin: Person, installation: Installation) -> None:
    empty = admin.post("/settings/tokens", name="ci", expires_days="30")
    assert empty.status_code == 422
    assert "scope" in field_error(empty.text, "scopes")
    made = admin.post(
        "/settings/tokens", name="ci", expires_days="30", scopes=["flows:read", "runs:read"]
    )
    assert made.status_code == 201
    text = re.search(r'id="new-token" value="(tct_[^"]+)"', made.text)
    assert text is not None
    token = text.group(1)
    assert installation.api(token).get("/flows").status_code == 200
    later = admin.get("/settings").text
    assert token not in later
    revoke = re.search(r'action="(/settings/tokens/[^"]+/revoke)"', later)
    assert revoke is not None
    assert admin.post(revoke.group(1)).status_code == 303
    assert installation.api(token).get("/flows").status_code == 401


@pytest.mark.parametrize("days", ["0", "-1", "99999999", "soon"])
def test_an_expiry_out_of_bounds_is_refused(admin: Person, days: str) -> None:
    answer = admin.post("/settings/tokens", name="ci", expires_days=days, scopes=["flows:read"])
    assert answer.status_code == 422


def test_the_audit_shows_what_was_done_and_denied(
    admin: Person, installation: Installation
) -> None:
    admin.new_secret("recorded", canary())
    Person(installation.signed_in(Role.VIEWER)).post("/secrets", name="x", value=canary())
    page = admin.get("/audit").text
    assert "secret.create" in page
    assert "Denied" in page
    auditor = Person(installation.signed_in(Role.AUDITOR))
    assert auditor.get("/audit").status_code == 200


@pytest.mark.parametrize(
    "path", ["/nowhere", f"/runs/{NEVER}", f"/flows/{NEVER}", "/secrets/..", "/runs/%00"]
)
def test_what_is_not_there_answers_in_the_same_look(admin: Person, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code in (400, 404)
    assert answer.mimetype == "text/html"
    assert 'class="rail"' in answer.text
    partial = admin.get(path, htmx=True)
    assert partial.headers["HX-Retarget"] == "#toasts"
    assert 'role="alert"' in partial.text


def test_strangers_get_errors_without_the_rail(installation: Installation) -> None:
    answer = installation.browser().send("GET", "/nowhere")
    assert answer.status_code == 404
    assert 'class="rail"' not in answer.text


def test_an_error_page_needs_no_database(installation: Installation, admin: Person) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError("the database is away")

    app = installation.app
    held = app.extensions["tacit"]
    app.extensions["tacit"] = replace(held, db=Broken())
    try:
        app.config["PROPAGATE_EXCEPTIONS"] = False
        answer = admin.get("/flows")
    finally:
        app.extensions["tacit"] = held
    assert answer.status_code == 500
    assert "internal_error" in answer.text
    assert "the database is away" not in answer.text


def test_a_comparison_with_a_version_that_is_not_there_says_so(admin: Person) -> None:
    flow_id = admin.new_flow("Nightly")
    graph = {"schema": 1, "edges": [], "nodes": [
        {"id": "log", "component": "output.log", "label": "Log", "position": [0, 0], "config": {}},
    ]}
    admin.browser.api(
        "PUT", f"/flows/{flow_id}", headers={"If-Match": '"1"'}, json={"graph": graph}
    )
    missing = "Flow Nightly has no such version. Choose one of those listed here."
    page = f"/flows/{flow_id}/versions"
    assert missing not in admin.get(page).text
    for query in (f"before={NEVER}", "before=7", "before=x&after=y", "before=1&after=7"):
        text = admin.get(f"{page}?{query}").text
        assert missing in text
        assert 'id="compare"' not in text  # there is nothing to compare yet
    assert admin.post(page, note="first", revision="2").status_code == 303
    admin.get(page)  # what it said is said once
    assert missing not in admin.get(f"{page}?before=1").text
    text = admin.get(f"{page}?before=7").text
    assert missing in text
    assert "A run would notice no difference" in text  # v1 and the draft, as without a choice
