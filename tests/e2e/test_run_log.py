"""A log of 10,000 lines in the browser: older lines, search, wrap, follow, download."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from app.accounts.scopes import Role
from app.ids import utcnow
from app.runs import service as runs
from app.runs.models import Run, RunEvent
from tests.support.installation import PASSWORD, Installation
from tests.support.page_server import serve

LINES = 10_000


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """A served run that is under way and has logged 10,000 lines: origin, email, run."""
    installation = Installation.make(tmp_path_factory.mktemp("log") / "home")
    _, email = installation.person(Role.ADMIN)
    api = installation.api(installation.token())
    node = {"id": "say", "component": "output.log", "position": [0, 0], "config": {"message": "x"}}
    graph = {"schema": 1, "nodes": [node], "edges": []}
    flow = api.post("/flows", json={"name": "Long", "graph": graph}).get_json()
    with installation.services.db.begin() as session:
        run_id = runs.start_run(session, installation.operator(), flow["id"]).id
        run = session.get_one(Run, run_id)
        first = run.last_seq + 1
        session.bulk_save_objects(
            RunEvent(
                run_id=run_id, seq=first + n, at=utcnow(), node="say", attempt=1, type="log",
                level="info", text=f"line {n} " + "of many words " * 12, data={}, masks=[],
            )
            for n in range(LINES)
        )
        run.state, run.started_at, run.last_seq = "running", utcnow(), first + LINES - 1
    with serve(installation) as origin:
        yield origin, email, run_id
    installation.services.close()


def test_a_long_log_is_read_searched_wrapped_and_followed(
    browser: Browser, site: tuple[str, str, str]
) -> None:
    origin, email, run_id = site
    context = browser.new_context(base_url=origin, ignore_https_errors=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{origin}/")
    page.goto(f"/runs/{run_id}")
    log = page.locator("#run-log")
    lines = log.locator(".log__line")
    expect(lines).to_have_count(500)
    assert "line 9999 " in lines.last.inner_text()
    pause = page.get_by_role("button", name="Follow")
    expect(pause).to_have_attribute("aria-pressed", "true")
    assert log.evaluate("it => it.scrollHeight - it.scrollTop - it.clientHeight") < 24
    page.get_by_role("link", name="Show older lines").click()
    expect(lines).to_have_count(1000)
    assert "line 9000 " in lines.first.inner_text()
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "false")
    wrap = page.get_by_role("button", name="Wrap")
    wrap.focus()
    page.keyboard.press("Space")
    expect(wrap).to_have_attribute("aria-pressed", "false")
    assert log.evaluate("it => it.scrollWidth > it.clientWidth")
    wrap.click()
    search = page.get_by_role("searchbox", name="Search the log")
    search.fill("LINE 77")
    found = page.get_by_role("region", name="Lines found")
    expect(found.locator(".log__line")).to_have_count(111)
    expect(log).to_be_hidden()
    search.fill("")
    expect(log).to_be_visible()
    expect(pause).to_have_attribute("aria-pressed", "false")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download masked log").click()
    assert waiting.value.suggested_filename == f"run-{run_id}.txt"
    assert not complaints
    context.close()
