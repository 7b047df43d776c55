"""The pages in a real browser: accessible in both themes and widths, usable by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.accounts.freeze import freeze
from app.accounts.scopes import Role
from app.audit import Action, Who, record
from app.ids import utcnow
from app.runs import enrolment
from app.runs import service as runs
from app.runs.models import Run, RunEvent, RunNode, Worker
from app.runs.workers import mark_seen
from app.vault import service as secrets
from app.vault.models import Secret
from tests.support.accessible import violations
from tests.support.installation import PASSWORD, Installation, canary
from tests.support.page_server import serve


@dataclass
class Site:
    """An installation that is being served, with something on every page."""

    origin: str
    email: str
    user_id: str
    secret_id: str
    flow_id: str
    run_id: str

    def paths(self) -> list[str]:
        """List the pages behind login."""
        return [
            "/", "/flows", f"/flows/{self.flow_id}", "/secrets",
            "/secrets?q=nothing-like-it", "/secrets/new", f"/secrets/{self.secret_id}",
            "/runs", f"/runs/{self.run_id}", f"/runs/{self.run_id}/log",
            f"/runs/{self.run_id}/again", "/components",
            "/flows/import", f"/flows/{self.flow_id}/versions",
            f"/flows/{self.flow_id}/versions?before=1", f"/flows/{self.flow_id}/settings",
            f"/flows/{self.flow_id}/run", "/settings/environments",
            "/settings", "/settings/sessions", "/settings/people",
            f"/settings/people/{self.user_id}", "/settings/workers", "/settings/keys",
            "/settings/freeze", "/audit",
            "/audit?action=secret.create&since=2020-01-01", "/nowhere",
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A served installation with a secret, a flow and a failed run."""
    installation = Installation.make(tmp_path_factory.mktemp("pages") / "home")
    user_id, email = installation.person(Role.ADMIN)
    api = installation.api(installation.token())
    secret = api.post(
        "/secrets",
        json={"name": "stripe/live/api-key", "value": canary(), "tags": ["payments", "live"],
              "description": "Restricted key", "rotation_period_days": 90},
    ).get_json()
    graph = {
        "schema": 1,
        "nodes": [
            {"id": "fetch", "component": "secret.fetch", "label": "Stripe key",
             "position": [0, 0], "config": {"secretName": "stripe/live/api-key"}},
            {"id": "say", "component": "output.log", "label": "Say it", "position": [300, 0],
             "config": {"message": "hello"}},
        ],
        "edges": [],
    }
    flow = api.post("/flows", json={"name": "Settlement", "graph": graph}).get_json()
    run_id = _failed_run(installation, flow["id"])
    _fill(installation, api, secret["id"], flow["id"])
    with serve(installation) as origin:
        yield Site(origin, email, user_id, secret["id"], flow["id"], run_id)
    installation.services.close()


def _fill(installation: Installation, api: Any, secret_id: str, flow_id: str) -> None:
    """Put something on the pages of versions, rules, deleted secrets, workers and the freeze."""
    operator, vault = installation.operator(), installation.services.vault
    assert vault is not None
    address = f"/flows/{flow_id}"
    assert api.post(f"{address}/activate", json={"note": "As agreed"}).status_code == 200
    graph = api.get(address).get_json()["graph"]
    graph["nodes"][1]["config"]["message"] = "good day"
    graph["nodes"].append({"id": "late", "component": "control.delay", "label": "Wait",
                           "position": [300, 200], "config": {"seconds": 1}})
    assert api.put(address, json={"graph": graph}).status_code == 200
    gone = api.post("/secrets", json={"name": "old/thing", "value": canary()}).get_json()["id"]
    with installation.services.db.begin() as session:
        for _ in range(3):
            secrets.rotate_secret(session, operator, vault, secret_id, value=canary())
        secrets.destroy_version(session, operator, secret_id, 1)
        secrets.disable_version(session, operator, secret_id, 2)
        rules = secrets.SecretChange(allowed_hosts=["api.stripe.com"], allowed_flows=[])
        secrets.describe_secret(session, operator, secret_id, rules)
        secrets.delete_secret(session, operator, gone)
        session.get_one(Secret, secret_id).due_at = utcnow() - timedelta(days=12)
        record(
            session, actor=Who("worker", None, "worker-7", installation.environment_id),
            action=Action.SECRET_USE, secret_id=secret_id, flow_id=flow_id, run_id=flow_id,
            node="fetch", data={"version": 4},
        )
        worker = enrolment.make_key(session, operator, "worker-7")["worker_id"]
        enrolment.make_code(session, operator, "worker-9")
        freeze(session, operator, everywhere=False, reason="A token was seen in the open.")
    with installation.services.db.begin() as session:
        confinement = {"uid": 65534, "landlock": 0, "no_new_privs": True, "undumpable": True}
        mark_seen(
            session, session.get_one(Worker, worker),
            {"version": "0.1.0", "confinement": confinement},
        )


def _failed_run(installation: Installation, flow_id: str) -> str:
    problem = {
        "code": "secret_missing", "severity": "error", "node": "fetch", "port": None,
        "field": "secretName", "edge": None,
        "message": "Secret stripe/live/api-key is missing. Choose another one.",
        "remedy": {"action": "remap_secret", "label": "Choose another"},
    }
    with installation.services.db.begin() as session:
        run_id = runs.start_run(session, installation.operator(), flow_id).id
        run = session.get_one(Run, run_id)
        start = utcnow()
        run.state, run.started_at = "failed", start
        run.finished_at = start + timedelta(milliseconds=300)
        run.problems = [problem]
        for node, state in (("fetch", "failed"), ("say", "skipped")):
            session.add(
                RunNode(
                    run_id=run_id, node=node, state=state, started_at=start,
                    finished_at=start + timedelta(milliseconds=80), outputs=None,
                    problem=problem if state == "failed" else None,
                )
            )
        for number, (level, text) in enumerate(
            [("info", "resolving ***"), ("warning", "slow"), ("error", "it is missing")]
        ):
            run.last_seq += 1
            session.add(
                RunEvent(
                    run_id=run_id, seq=run.last_seq, at=start, node="fetch", attempt=1,
                    type="log", level=level, text=text, data={},
                    masks=[{"offset": 10, "secret": "stripe/live/api-key", "version": 1}]
                    if number == 0 else [],
                )
            )
    return run_id


def _open(browser: Browser, site: Site, **options: Any) -> tuple[BrowserContext, Page, list[str]]:
    """Sign in; returns the page and what the console complains about."""
    context = browser.new_context(ignore_https_errors=True, base_url=site.origin, **options)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text)
        if message.type == "error" and "Failed to load resource" not in message.text
        else None,
    )
    page.goto("/login")
    page.get_by_label("Email").fill(site.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    return context, page, complaints


def _visit(page: Page, path: str) -> None:
    """Open a page and wait until its graph, where it has one, is drawn."""
    page.goto(path)
    expect(page.locator("#editor:not([data-ready])")).to_have_count(0)
    if page.locator("#run-graph").count():
        expect(page.locator("#run-graph article.node").first).to_be_visible()


@pytest.mark.parametrize("width", [1440, 900])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(
    browser: Browser, site: Site, theme: Any, width: int
) -> None:
    context, page, complaints = _open(
        browser, site, color_scheme=theme, viewport={"width": width, "height": 900},
        reduced_motion="reduce",
    )
    found: list[str] = []
    for path in site.paths():
        _visit(page, path)
        found += [f"{path}: {violation}" for violation in violations(page)]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert not found, "\n".join(found)
    assert complaints == []
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_login_page_is_accessible(browser: Browser, site: Site, theme: Any) -> None:
    context = browser.new_context(
        ignore_https_errors=True, base_url=site.origin, color_scheme=theme
    )
    page = context.new_page()
    page.goto("/login")
    assert violations(page) == []
    context.close()


def _tabs(page: Page, count: int) -> list[str]:
    """Press Tab so often; returns what had the focus each time, by id, name or words."""
    found = []
    for _ in range(count):
        page.keyboard.press("Tab")
        found.append(page.evaluate(
            "(({id, ariaLabel, innerText}) => id || ariaLabel || innerText.trim())"
            "(document.activeElement)"
        ))
    return found


def test_signing_in_takes_tab_and_enter_alone(browser: Browser, site: Site) -> None:
    context = browser.new_context(ignore_https_errors=True, base_url=site.origin)
    page = context.new_page()
    page.goto("/login")
    expect(page.locator("#email")).to_be_focused()
    assert _tabs(page, 2) == ["password", "Sign in"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Shift+Tab")
    page.keyboard.type(site.email)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    context.close()


def test_the_first_tab_skips_the_navigation(browser: Browser, site: Site) -> None:
    context, page, _ = _open(browser, site)
    for path in ("/", "/secrets", f"/flows/{site.flow_id}"):
        _visit(page, path)
        page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
    context.close()


def test_the_form_of_a_secret_is_passed_in_reading_order(browser: Browser, site: Site) -> None:
    context, page, _ = _open(browser, site)
    page.goto("/secrets/new")
    expect(page.locator("#name")).to_be_focused()
    passed = _tabs(page, 8)
    assert passed[:3] == ["description", "value", "Show while typing"]
    assert passed[4:] == ["tags", "owner", "Cancel", "Save secret"]
    context.close()


def test_a_secret_is_saved_by_keyboard_and_errors_take_the_focus(
    browser: Browser, site: Site
) -> None:
    context, page, complaints = _open(browser, site)
    page.goto("/secrets/new")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("web hook")
    page.get_by_label("Value", exact=True).fill("482913")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#name[aria-invalid=true]")
    expect(page.locator("#name")).to_be_focused()
    # What was typed stays in the browser, though the server never sends it back.
    assert page.get_by_label("Value", exact=True).input_value() == "482913"
    page.get_by_role("button", name="Use web-hook").click()
    page.get_by_role("button", name="Save secret").click()
    expect(page.locator("#value")).to_be_focused()
    page.get_by_role("checkbox", name="Save it all the same").check()
    page.get_by_role("button", name="Save secret").click()
    page.wait_for_url("**/secrets/0*")
    assert page.get_by_role("heading", name="web-hook", exact=True).is_visible()
    page.go_back()
    assert page.get_by_label("Value", exact=True).input_value() == ""
    assert complaints == []
    context.close()


def test_searching_keeps_the_focus_and_the_address(browser: Browser, site: Site) -> None:
    context, page, complaints = _open(browser, site)
    page.goto("/secrets")
    page.keyboard.press("/")
    page.keyboard.type("stripe")
    page.wait_for_url("**/secrets?q=stripe**")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type(" no such")
    expect(page.get_by_role("heading", name="Nothing matches “stripe no such”")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    page.wait_for_selector("a.name")
    assert complaints == []
    context.close()


def test_a_deletion_waits_for_the_exact_name(browser: Browser, site: Site) -> None:
    context, page, _ = _open(browser, site)
    page.goto(f"/secrets/{site.secret_id}")
    button = page.get_by_role("button", name="Delete stripe/live/api-key")
    typed = page.get_by_role("textbox", name="Type stripe/live/api-key to confirm")
    typed.fill("stripe/live")
    expect(button).to_have_attribute("aria-disabled", "true")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    button.click(force=True)
    assert page.url.endswith(site.secret_id)
    expect(typed).to_be_focused()
    assert "POST" not in sent
    typed.fill("stripe/live/api-key")
    expect(button).to_have_attribute("aria-disabled", "false")
    context.close()


def test_the_theme_stays_after_a_reload(browser: Browser, site: Site) -> None:
    context, page, _ = _open(browser, site, color_scheme="light")
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"
    context.close()


def test_the_log_shows_chips_and_filters_by_level(browser: Browser, site: Site) -> None:
    context, page, _ = _open(browser, site)
    page.goto(f"/runs/{site.run_id}")
    log = page.get_by_role("log")
    assert "stripe/live/api-key@v1" in log.locator(".redacted").first.inner_text()
    page.get_by_role("button", name="Errors", exact=True).click()
    assert log.locator(".log__line:visible").count() == 1
    assert page.get_by_role("link", name="Choose another").is_visible()
    context.close()


def test_a_version_is_disabled_and_undone_without_leaving_the_page(
    browser: Browser, site: Site
) -> None:
    context, page, complaints = _open(browser, site)
    page.goto(f"/secrets/{site.secret_id}")
    page.evaluate("window.stayed = true")
    page.get_by_role("button", name="Disable version 3").focus()
    page.keyboard.press("Enter")
    undo = page.get_by_role("status").get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    expect(page.locator(".htmx-added")).to_have_count(0)  # htmx knows it from then on
    undo.click()
    expect(page.get_by_role("button", name="Disable version 3")).to_be_visible()
    page.get_by_role("button", name="Destroy version 3").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Destroy version 3")).to_be_visible()
    sure = dialog.get_by_role("button", name="Destroy v3")
    expect(sure).to_have_attribute("aria-disabled", "true")
    assert [one for one in violations(page) if "dialog" in one] == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate("window.stayed") is True
    assert complaints == []
    context.close()


def test_rules_say_what_they_would_stop_while_they_are_edited(
    browser: Browser, site: Site
) -> None:
    context, page, complaints = _open(browser, site)
    page.goto(f"/secrets/{site.secret_id}")
    page.get_by_role("link", name="Edit the use rules").focus()
    page.keyboard.press("Enter")
    effect = page.locator("#rules-effect")
    expect(effect).to_contain_text("Stops 1 of the 1 flow")
    page.get_by_role("checkbox", name="Settlement").check()
    expect(effect).to_contain_text("Stops no flow")
    page.get_by_role("textbox", name="Allowed hosts").fill("http://nope/")
    page.get_by_role("button", name="Save rules").click()
    expect(page.locator("#allowed_hosts")).to_be_focused()
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("link", name="Edit the use rules")).to_be_visible()
    assert complaints == []
    context.close()


def test_tabs_and_filters_stay_on_the_page(browser: Browser, site: Site) -> None:
    context, page, complaints = _open(browser, site)
    page.goto("/secrets")
    page.evaluate("window.stayed = true")
    page.get_by_role("link", name="Deleted").click()
    page.get_by_role("button", name="Restore old/thing").wait_for()
    current = page.locator("#secret-tabs [aria-current=page]")
    expect(current).to_have_text("Deleted")
    expect(page.locator(".htmx-added")).to_have_count(0)
    page.get_by_role("link", name="Overdue").click()
    expect(page.locator("#secret-list a.name")).to_have_text(["stripe/live/api-key"])
    assert page.evaluate("window.stayed") is True
    page.goto("/audit")
    page.evaluate("window.stayed = true")
    page.get_by_label("Secret", exact=True).fill("stripe/live/api-key")
    page.wait_for_url("**secret=stripe**")
    expect(page.locator("#audit-list tbody")).not_to_contain_text("worker.enroll")
    assert page.evaluate("window.stayed") is True
    assert complaints == []
    context.close()
