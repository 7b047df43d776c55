"""From dev to prod in a browser: export, import with two missing secrets, activate."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.accessible import violations
from tests.support.installation import PASSWORD, Installation, canary
from tests.support.page_server import serve
from tests.support.runs import fetching
from tests.support.worker_process import work_off


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Installation, str, Installation, str]]:
    """Two installations, each served."""
    dev, prod = Installation.make(tmp_path / "dev"), Installation.make(tmp_path / "prod")
    with serve(dev) as first, serve(prod) as second:
        yield dev, first, prod, second
    dev.services.close()
    prod.services.close()


def sign_in(page: Page, origin: str, email: str) -> None:
    """Sign in through the form."""
    page.goto(f"{origin}/login")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(f"{origin}/")


def photograph(page: Page, name: str) -> None:
    """Keep a picture in both themes and widths, where TACIT_PICTURES names a folder."""
    folder = os.environ.get("TACIT_PICTURES")
    if not folder:
        return
    for theme in ("light", "dark"):
        for width in (1440, 900):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("(theme) => document.documentElement.dataset.theme = theme", theme)
            page.screenshot(path=f"{folder}/{name}-{theme}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1440, "height": 900})


def test_from_dev_to_prod(
    page: Page, places: tuple[Installation, str, Installation, str], tmp_path: Path
) -> None:
    dev, first, prod, second = places
    value, wanted = canary(), canary()
    source, target = dev.api(dev.token()), prod.api(prod.token())
    made = source.post("/flows", json={
        "name": "Relay", "graph": fetching("siem/token", "acme/client", "acme/hook")}).json
    for name in ("siem/token", "vendor/acme/hook"):
        target.post("/secrets", json={"name": name, "value": value})

    sign_in(page, first, dev.person()[1])
    page.goto(f"{first}/flows/{made['id']}/versions")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export draft").click()
    file = tmp_path / "relay.tacit.json"
    download.value.save_as(file)
    assert value not in file.read_text()

    page.context.clear_cookies()
    sign_in(page, second, prod.person()[1])
    page.goto(f"{second}/flows")
    page.get_by_role("link", name="Import").click()
    page.wait_for_url("**/flows/import", wait_until="load")
    page.set_input_files("#file", file)
    expect(page.locator("tr[data-status=missing]")).to_have_count(2)
    assert violations(page) == []
    photograph(page, "import")
    hook = page.locator('tr[data-secret="acme/hook"]')
    hook.get_by_text("Create acme/hook here").click()
    hook.get_by_label("Value for acme/hook").fill("typed meanwhile")
    client = page.locator('tr[data-secret="acme/client"]')
    client.get_by_text("Create acme/client here").click()
    client.get_by_label("Value for acme/client").fill(wanted)
    client.get_by_role("button", name="Create acme/client").click()
    expect(page.locator('tr[data-secret="acme/client"]')).to_have_attribute("data-status", "found")
    assert wanted not in page.content()
    expect(hook.get_by_label("Value for acme/hook")).to_have_value("typed meanwhile")
    page.get_by_role("button", name="Use vendor/acme/hook").click()
    expect(page.locator("tr[data-status=found]")).to_have_count(3)
    photograph(page, "import-mapped")
    assert violations(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Mappings").click()
    assert download.value.suggested_filename == "mappings.json"
    mappings = tmp_path / "mappings.json"
    download.value.save_as(mappings)
    assert json.loads(mappings.read_text()) == {"secrets": {"acme/hook": "vendor/acme/hook"}}
    page.get_by_test_id("import-now").click()
    page.wait_for_url("**/versions")
    photograph(page, "versions-none")
    page.fill("#note", "From dev")
    page.get_by_test_id("activate-now").click()
    expect(page.get_by_text("v1 is active")).to_be_visible()
    flow = target.get("/flows").json["items"][0]
    assert flow["state"] == "active"
    started = target.post(f"/flows/{flow['id']}/runs", json={})
    assert started.status_code == 202
    assert started.json["flow_version"] == 1
    assert work_off(prod, started.json["id"], tmp_path) == "succeeded"
    used = target.get(f"/audit?action=secret.use&run_id={started.json['id']}").json["items"]
    assert sorted(one["node"] for one in used) == ["n0", "n1", "n2"]
    page.goto(f"{second}/runs/{started.json['id']}")
    expect(page.locator("#run-head")).to_contain_text("Succeeded")
    expect(page.locator("#run-nodes tbody tr")).to_have_count(4)
    assert violations(page) == []
    assert wanted not in page.content()
    assert value not in page.content()

    graph = target.get(f"/flows/{flow['id']}").json["graph"]
    graph["nodes"][0]["label"] = "Another label"
    del graph["nodes"][1]
    target.put(f"/flows/{flow['id']}", json={"graph": graph})
    page.goto(f"{second}/flows/{flow['id']}/versions?before=1")
    expect(page.locator(".changes li.is-removed")).to_have_count(1)
    expect(page.locator(".changes li.is-changed")).to_have_count(1)
    photograph(page, "versions")
    page.get_by_role("button", name="Restore v1 into the draft").click()
    expect(page.get_by_text("A run would notice no difference")).to_be_visible()
    assert len(target.get(f"/flows/{flow['id']}").json["graph"]["nodes"]) == 4

    page.goto(f"{second}/flows/{flow['id']}")
    page.wait_for_selector("#editor[data-ready]")
    expect(page.get_by_test_id("activate")).to_be_visible()
    photograph(page, "canvas")
    page.get_by_test_id("activate").click()
    expect(page.locator("#activate-note")).to_be_visible()

    chief = page.goto(f"{second}/settings/environments")
    assert chief is not None
    assert chief.ok
    page.fill("#name", "staging")
    page.get_by_role("button", name="Create environment").click()
    expect(page.get_by_text("Created staging")).to_be_visible()
    page.locator(".space-menu > summary").click()
    photograph(page, "environments")
    page.locator(".space-menu__list button", has_text="staging").click()
    expect(page.locator("meta[name=tacit-environment]")).to_have_attribute("content", "staging")
