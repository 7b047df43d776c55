"""The first start without a named administrator: the link, the second start, the stop."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.support.installation import canary
from tests.support.person import Person
from tests.support.running import start

EMAIL = "first@example.org"
PASSWORD = "four Words make a phrase"


def test_the_printed_link_makes_the_first_administrator_once(
    browser: Browser, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    running = start(home)
    try:
        [link] = re.findall(r"https://\S+/setup/\S+", running.said)
        assert link.startswith(running.url)
        context = browser.new_context(ignore_https_errors=True, base_url=running.url)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text)
                if message.type in ("error", "warning") else None)
        page.goto(link)
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password again").fill("something else entirely")
        page.get_by_role("button", name="Create the account").click()
        expect(page.locator(".field__error, .banner--bad").first).to_be_visible()
        complaints.clear()  # The browser notes the refusal's status.
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password again").fill(PASSWORD)
        page.get_by_role("button", name="Create the account").click()
        page.wait_for_url(lambda url: "/setup/" not in url)
        person = Person(page)
        if page.url.rstrip("/") != running.url:
            person.sign_in(EMAIL, PASSWORD)
        person.open_menu("Secrets")
        page.get_by_role("link", name="New secret").first.click()
        page.get_by_label("Name", exact=True).fill("kept")
        page.get_by_label("Value", exact=True).fill(canary())
        page.get_by_role("button", name="Save secret").click()
        expect(page.get_by_role("heading", name="kept", exact=True)).to_be_visible()
        assert complaints == []

        stranger = browser.new_context(ignore_https_errors=True).new_page()
        stranger.goto(link)
        expect(stranger.get_by_role("heading", name="This link no longer works")).to_be_visible()
        assert stranger.locator("form input[type=password]").count() == 0
        stranger.context.close()
        context.close()

        started = running.processes()
        assert len(started) > 5
        assert running.interrupt() == 0
        assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
        assert "Stopped." in running.said

        running = start(home)
        assert "/setup/" not in running.said
        context = browser.new_context(ignore_https_errors=True, base_url=running.url)
        person = Person(context.new_page())
        person.sign_in(EMAIL, PASSWORD)
        person.open_menu("Secrets")
        expect(person.page.get_by_role("link", name="kept", exact=True)).to_be_visible()
        context.close()
    finally:
        assert running.interrupt() == 0
