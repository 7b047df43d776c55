"""Export and import over the API: what leaves, what is planned, what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from app.accounts.scopes import Role, Scope
from app.flows.models import Flow, FlowVersion
from tests.support.bundles import HTML, TEMPLATE, bundle, bundled, hostile_documents, sealed
from tests.support.installation import Api, Installation, canary
from tests.support.runs import fetching


@pytest.fixture
def api(installation: Installation) -> Api:
    """A client that may do everything."""
    return installation.api(installation.token())


def make(api: Api, name: str = "Daily", *secrets: str, **more: Any) -> dict[str, Any]:
    """Create a flow that fetches secrets."""
    made = api.post("/flows", json={"name": name, "graph": fetching(*secrets), **more})
    assert made.status_code == 201, made.json
    found: dict[str, Any] = made.json
    return found


def secret(api: Api, name: str, **more: Any) -> dict[str, Any]:
    """Create a secret."""
    made = api.post("/secrets", json={"name": name, "value": canary(), **more})
    assert made.status_code == 201, made.json
    found: dict[str, Any] = made.json
    return found


def plan(api: Api, document: Any, **more: Any) -> dict[str, Any]:
    """Send an import that has to be answered."""
    answer = api.post("/flows/import", json={"bundle": document, **more})
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def rows(installation: Installation) -> tuple[int, int]:
    """Count flows and versions."""
    with installation.services.db.read() as session:
        return (session.scalar(select(func.count()).select_from(Flow)) or 0,
                session.scalar(select(func.count()).select_from(FlowVersion)) or 0)


def test_two_exports_are_equal_and_hold_nothing_of_the_place(
    installation: Installation, api: Api
) -> None:
    value = canary()
    api.post("/secrets", json={"name": "stripe", "value": value})
    flow = make(api, "Daily", "stripe", settings={
        "notify_on_failure": {"email": "ops@example.com"}, "timeout_seconds": 60})
    first = api.get(f"/flows/{flow['id']}/bundle")
    assert first.status_code == 200
    assert first.data == api.get(f"/flows/{flow['id']}/bundle?version=draft").data
    assert 'filename="daily.tacit.json"' in first.headers["Content-Disposition"]
    ids = [flow["id"], installation.environment_id, api.get("/secrets").json["items"][0]["id"]]
    people = [api.get("/me").json["name"], "ops@example.com", "default", api.token or ""]
    for text in [value, *ids, *people]:
        assert text not in first.text
    assert api.get("/audit?action=flow.export").json["items"]


def test_a_version_is_exported_as_it_was_activated(api: Api) -> None:
    flow = make(api)
    path = f"/flows/{flow['id']}"
    assert api.post(f"{path}/activate", json={}).status_code == 200
    active = api.get(f"{path}/bundle").data
    api.put(path, json={"graph": {"schema": 1, "nodes": []}})
    assert api.get(f"{path}/bundle").data == active == api.get(f"{path}/bundle?version=1").data
    assert api.get(f"{path}/bundle?version=draft").data != active
    assert api.get(f"{path}/bundle?version=7").status_code == 404
    assert api.get(f"{path}/bundle?version=x").status_code == 422


def test_several_flows_in_one_bundle(installation: Installation, api: Api) -> None:
    a, b = make(api, "B", "stripe"), make(api, "A", "stripe")
    made = api.get(f"/flows/bundle?flow={a['id']}&flow={b['id']}")
    assert [flow["name"] for flow in made.json["flows"]] == ["A", "B"]
    assert len(made.json["manifest"]["secrets"][0]["uses"]) == 2
    twin = make(api, "A")
    refused = api.get(f"/flows/bundle?flow={twin['id']}&flow={b['id']}")
    assert refused.status_code == 409
    assert api.get("/flows/bundle").status_code == 422
    elsewhere = installation.environment("other")
    other = installation.api(installation.token(environment_id=elsewhere))
    assert other.get(f"/flows/bundle?flow={a['id']}").status_code == 404
    assert other.get(f"/flows/{a['id']}/bundle").status_code == 404


def test_an_import_reports_everything_and_a_dry_run_writes_nothing(
    installation: Installation, api: Api
) -> None:
    secret(api, "here")
    off = secret(api, "off")
    api.post(f"/secrets/{off['id']}/versions/1/disable", json={})
    secret(api, "kept-for-another", allowed_flows=["0190aaaa-0000-7000-8000-000000000000"])
    secret(api, "striped")
    document = bundle(bundled("Daily", "here", "off", "kept-for-another", "stripe"),
                      bundled("Pinned", "here", version=9))
    before = rows(installation)
    report = plan(api, document, dry_run=True)
    assert rows(installation) == before
    assert (report["applied"], report["blocked"]) == (False, False)
    found = {one["name"]: one["status"] for one in report["secrets"]}
    assert found == {"here": "pin_missing", "off": "disabled", "kept-for-another": "denied",
                     "stripe": "missing"}
    assert next(one for one in report["secrets"] if one["name"] == "stripe")["closest"] == "striped"
    codes = {(one["code"], one["flow"], one["blocks"]) for one in report["problems"]}
    assert {("secret_missing", "Daily", "activation"), ("pin_missing", "Pinned", "activation"),
            ("secret_denied", "Daily", "activation"),
            ("secret_disabled", "Daily", "activation")} <= codes
    assert [(one["id"], one["action"]) for one in report["flows"]] == [(None, "create")] * 2

    report = plan(api, document, mappings={"secrets": {"stripe": "striped", "unused": "here"}})
    assert report["applied"]
    assert report["mappings"] == {"secrets": {"stripe": "striped", "unused": "here"}}
    assert [one["code"] for one in report["problems"] if one["blocks"] is None] == [
        "mapping_unused"]
    flow = api.get(f"/flows/{report['flows'][0]['id']}").json
    assert flow["state"] == "draft"
    names = [node["config"].get("secretName") for node in flow["graph"]["nodes"]]
    assert names == ["here", "off", "kept-for-another", "striped", None]
    refused = api.post(f"/flows/{flow['id']}/activate", json={})
    assert {one["code"] for one in refused.json["problems"]} >= {"secret_disabled"}


def test_twice_is_once_and_the_old_draft_is_kept(installation: Installation, api: Api) -> None:
    document = bundle(bundled("Daily", "stripe"))
    first = plan(api, document)
    again = plan(api, document)
    assert again["flows"] == [{**first["flows"][0], "action": "keep"}]
    flow = api.get(f"/flows/{first['flows'][0]['id']}").json
    assert flow["revision"] == 1
    changed = plan(api, bundle(bundled("Daily", "other")))
    assert changed["flows"][0]["action"] == "replace"
    assert api.get(f"/flows/{flow['id']}").json["revision"] == 2
    with installation.services.db.read() as session:
        kept = session.scalars(select(FlowVersion).where(FlowVersion.flow_id == flow["id"])).one()
    assert kept.graph == flow["graph"]
    assert "before an import" in kept.note


def test_new_stands_beside_and_names_must_be_clear(api: Api) -> None:
    document = bundle()
    plan(api, document)
    beside = plan(api, document, on_conflict="new")
    assert beside["flows"][0]["name"] == "Daily (2)"
    make(api, "Daily")
    refused = api.post("/flows/import", json={"bundle": document})
    assert refused.status_code == 422
    assert refused.json["problems"][0]["code"] == "flow_name_ambiguous"
    assert plan(api, document, dry_run=True)["blocked"]


def test_a_round_trip_is_equal_byte_by_byte(installation: Installation, api: Api) -> None:
    flows = [make(api, "One", "stripe", description="x"), make(api, "Two", "a", "b")]
    query = "&".join(f"flow={flow['id']}" for flow in flows)
    first = api.get(f"/flows/bundle?{query}")
    elsewhere = installation.environment("prod")
    prod = installation.api(installation.token(environment_id=elsewhere))
    report = plan(prod, first.json)
    query = "&".join(f"flow={flow['id']}" for flow in report["flows"])
    assert prod.get(f"/flows/bundle?{query}").data == first.data


@pytest.mark.parametrize(
    ("document", "code"), [pytest.param(d, c, id=name) for name, d, c in hostile_documents()
                           if isinstance(d, dict) and name not in ("half a character", "infinity",
                                                                   "a zero character")]
)
def test_a_hostile_bundle_writes_nothing(
    shared: Installation, document: dict[str, Any], code: str
) -> None:
    api = shared.api(shared.token())
    before = rows(shared)
    refused = api.post("/flows/import", data=json.dumps({"bundle": document}),
                       content_type="application/json")
    assert refused.status_code == 422
    assert refused.json["code"] == "bundle_blocked"
    assert code in [one["code"] for one in refused.json["problems"]]
    planned = plan(api, document, dry_run=True)
    assert planned["blocked"]
    assert code in [one["code"] for one in planned["problems"]]
    assert rows(shared) == before


def test_fifty_megabytes_are_refused_before_they_are_read(api: Api) -> None:
    refused = api.post("/flows/import", data=b" " * 50_000_000, content_type="application/json")
    assert refused.status_code == 413
    assert "8.5 MiB" in refused.json["detail"]
    # More than other routes take.
    assert api.post("/flows/import", data=b'{"bundle": {}}' + b" " * 4_000_000,
                    content_type="application/json").status_code == 422
    assert api.post("/flows", data=b"{}" + b" " * 4_000_000,
                    content_type="application/json").status_code == 413


def test_html_and_templates_stay_text(installation: Installation, api: Api) -> None:
    text = HTML + TEMPLATE
    document = bundle(bundled(text[:200], text[:100]))
    document["flows"][0]["description"] = text
    document["flows"][0]["graph"]["nodes"][-1]["config"]["message"] = text
    report = plan(api, sealed(document))
    assert report["flows"][0]["name"] == text[:200]
    browser = installation.signed_in()
    for path in ("/flows", f"/flows/{report['flows'][0]['id']}"):
        page = browser.send("GET", path).text
        assert "<img src=x" not in page
        assert "&lt;img src=x" in page


def test_who_may_not_read_names_sees_them_as_missing(installation: Installation, api: Api) -> None:
    secret(api, "stripe")
    writer = installation.api(installation.token(Scope.FLOWS_MANAGE, Scope.FLOWS_READ))
    report = plan(writer, bundle(), dry_run=True)
    assert [one["status"] for one in report["secrets"]] == ["missing"]
    assert report["secrets"][0]["closest"] is None
    author = installation.api(installation.token(
        Scope.FLOWS_MANAGE, Scope.SECRETS_READ, role=Role.AUTHOR))
    assert plan(author, bundle(), dry_run=True)["secrets"][0]["status"] == "denied"
    elsewhere = installation.environment("other")
    other = installation.api(installation.token(environment_id=elsewhere))
    assert plan(other, bundle(), dry_run=True)["secrets"][0]["status"] == "missing"


def test_mappings_are_checked(api: Api) -> None:
    refused = api.post("/flows/import", json={
        "bundle": bundle(), "mappings": {"secrets": {"stripe": "not a name!"}}})
    assert refused.status_code == 422
    assert refused.json["problems"][0]["code"] == "mapping_invalid"


def test_the_schema_is_served(api: Api) -> None:
    assert api.get("/flows/bundle/schema").json["$id"] == "urn:tacit:schema:bundle:1"
