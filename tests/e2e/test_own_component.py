"""A component of one's own: begun by a command, installed, drawn and run, and upgraded in sight."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.support.own_environment import Environment, own_environment
from tests.support.person import Person
from tests.support.running import ADMIN, ADMIN_PASSWORD, Running, start

SECOND = (
    ("version = 1", "version = 2\n    upgrades = {1: Upgrade(lambda old: {**{key: value for key, "
     "value in old.items() if key != 'who'}, 'names': old.get('who', 'world')}, "
     "'Who is called Names, and each has an output.', outputs={'text': 'all'})}"),
    ("who: str = field(\"world\", label=\"Who\", kind=\"text\", help=\"Whom to greet.\", "
     "max_length=200)",
     "names: str = field(\"world\", label=\"Names\", kind=\"text\", shapes=True)"),
    ("Example(\"Greet formally, with a header\", {\"manner\": \"formal\", \"title\": \"Dr.\"},\n"
     "                wires={\"who\": \"Ada\"}, ",
     "Example(\"Greet formally, with a header\", {\"names\": \"Ada\", \"manner\": \"formal\"},\n"
     "                "),
    ("    def run(self", "    @classmethod\n    def ports(cls, config):\n"
     "        names = config.get('names', 'world').split(',')\n"
     "        return Ports(cls.inputs, tuple(Port(one, PortType.TEXT) for one in "
     "dict.fromkeys(['all', *names])))\n\n    def run(self"),
    ("        config = context.config\n", "        config = context.config\n        names = "
     "config.names.split(',')\n        return {'all': f'Hi {names}', **{one: f'Hi {one}' for one "
     "in names}}\n"),
    ("    Port,\n", "    Port,\n    Ports,\n    Upgrade,\n"),
    ("summary = \"{who}\"", "summary = \"{names}\""),
)
"""The second version: another field, ports that follow from it, and the way from the first."""


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    with own_environment() as made:
        yield made


@pytest.fixture(scope="module")
def package(environment: Environment) -> Path:
    said = environment.run(str(environment.tacit), "component", "new", "acme.greet")
    assert "pip install acme-greet" in said
    package = environment.folder / "acme-greet"
    environment.install(package)
    return package


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 1000})
    yield made
    made.close()


def begin(environment: Environment) -> Running:
    return start(
        environment.folder / "home", tacit=environment.tacit, TACIT_ADMIN_EMAIL=ADMIN,
        TACIT_ADMIN_PASSWORD=ADMIN_PASSWORD,
    )


def test_the_package_s_own_tests_pass(environment: Environment, package: Path) -> None:
    said = environment.run(
        str(environment.python), "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=package
    )
    assert "5 passed" in said
    assert "acme.greet  1  acme-greet 0.1.0" in environment.run(
        str(environment.tacit), "component", "list")


def test_it_works_on_the_canvas_and_is_upgraded_in_sight(
    environment: Environment, package: Path, context: BrowserContext
) -> None:
    running = begin(environment)
    try:
        person = Person(context.new_page())
        page = person.page
        base = running.url
        page.goto(f"{base}/login")
        page.get_by_label("Email").fill(ADMIN)
        page.get_by_label("Password", exact=True).fill(ADMIN_PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/")
        page.goto(f"{base}/components/acme.greet")
        expect(page.get_by_role("heading", name="Greet", exact=True)).to_be_visible()
        expect(page.get_by_text("acme-greet 0.1.0")).to_be_visible()
        page.goto(f"{base}/flows")
        page.get_by_label("Name", exact=True).fill("Greetings")
        page.get_by_role("button", name="Create and open the canvas").click()
        page.wait_for_selector("#editor[data-ready]")
        greet = person.drop_node("acme.greet", 300, 200)
        log = person.drop_node("output.log", 640, 200)
        person.fill_field(greet, "who", "Ada")
        person.wire(f"{greet}.text", f"{log}.message")
        person.wait_until_saved()
        page.get_by_test_id("run").click()
        expect(page.locator(".run")).to_contain_text("Hello Ada!", timeout=60_000)
        flow = page.url.partition(base)[2]
        assert running.interrupt() == 0

        source = package / "src" / "acme_greet" / "greet.py"
        text = source.read_text()
        for old, new in SECOND:
            assert old in text, old
            text = text.replace(old, new, 1)
        source.write_text(text)
        environment.install(package)
        running = begin(environment)
        doctor = subprocess.run([environment.tacit, "doctor"], env=running.environment,
                                capture_output=True, text=True, check=False)
        assert "with acme-greet 0.1.0" in doctor.stdout, doctor.stdout
        page.goto(f"{running.url}{flow}")
        if "/login" in page.url:
            page.get_by_label("Email").fill(ADMIN)
            page.get_by_label("Password", exact=True).fill(ADMIN_PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "/login" not in url)
            page.goto(f"{running.url}{flow}")
        expect(page.locator("[data-banner]")).to_contain_text("upgraded on opening")
        expect(page.locator("[data-banner]")).to_contain_text("Who is called Names")
        expect(person.pin(f"{greet}.Ada", "out")).to_be_visible()
        person.fill_field(greet, "names", "Ada,Grace")
        expect(person.pin(f"{greet}.Grace", "out")).to_be_visible()
        person.wait_until_saved()
        page.get_by_test_id("run").click()
        expect(page.locator(".run")).to_contain_text("Hi ['Ada', 'Grace']", timeout=60_000)
    except BaseException:
        print(running.logs())
        raise
    finally:
        running.interrupt()
