"""One served installation and one page a module: a canvas is opened many times, not started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.canvas import Canvas
from tests.support.installation import Installation, canary
from tests.support.page_server import serve
from tests.support.runs import Workshop


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a secret, echo_token."""
    installation = Installation.make(tmp_path_factory.mktemp("canvas") / "home")
    api = installation.api(installation.token())
    for name, tags in (("echo_token", ["demo"]), ("other/token", [])):
        made = api.post(
            "/secrets",
            json={"name": name, "value": canary(), "tags": tags, "description": "For tests"},
        )
        assert made.status_code == 201
    yield installation
    installation.services.close()


@pytest.fixture(scope="module")
def origin(place: Installation) -> Iterator[str]:
    """Where it is served."""
    with serve(place) as address:
        yield address


@pytest.fixture(scope="module")
def workshop(place: Installation) -> Workshop:
    """The served installation's worker, played by the test."""
    return Workshop.open(place)


@pytest.fixture(scope="module")
def opened(browser: Browser, place: Installation, origin: str) -> Iterator[Canvas]:
    """A signed-in person's page, for the whole module."""
    context = browser.new_context(
        ignore_https_errors=True, viewport={"width": 1440, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    canvas = Canvas(context.new_page(), place.api(place.token()), origin)
    canvas.enter(place)
    yield canvas
    context.close()


@pytest.fixture
def canvas(opened: Canvas) -> Iterator[Canvas]:
    """The module's page; a script error fails the test."""
    opened.complaints.clear()
    yield opened
    assert opened.complaints == []
