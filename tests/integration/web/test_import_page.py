"""The import page's steps: what a pressed button does is what it said."""

from __future__ import annotations

import io
import json

import pytest

from tests.support.bundles import bundle, bundled
from tests.support.installation import Browser, Installation, canary


@pytest.fixture
def browser(installation: Installation) -> Browser:
    """A signed-in administrator."""
    return installation.signed_in()


def plan(browser: Browser, step: str = "plan", **fields: str) -> str:
    """Send the page's form with the bundle; return what it shows."""
    file = (io.BytesIO(json.dumps(bundle(bundled("Daily", "stripe"))).encode()), "d.tacit.json")
    answer = browser.send("POST", f"/flows/import/{step}", content_type="multipart/form-data",
                          data={"csrf_token": browser.csrf_token(), "file": file, **fields})
    return str(answer.text)


def test_a_button_creates_what_it_said(installation: Installation, browser: Browser) -> None:
    api, value = installation.api(installation.token()), canary()
    pressed = {"create": "stripe", "offered:stripe": "stripe", "value:stripe": value}
    shown = plan(browser, **pressed, **{"map:stripe": "payments/stripe"})
    assert "mapping_changed" in shown
    assert api.get("/secrets").json["items"] == []
    # It stays open, for the browser to keep what was typed; the page itself repeats no value.
    assert '<details class="create" open>' in shown
    assert value not in shown
    pressed["offered:stripe"] = "payments/stripe"
    shown = plan(browser, **pressed, **{"map:stripe": "payments/stripe"})
    assert 'data-status="found"' in shown
    assert [one["name"] for one in api.get("/secrets").json["items"]] == ["payments/stripe"]


def test_only_looking_is_the_form_s_first_button(browser: Browser) -> None:
    """Enter in a field presses the first button that submits."""
    shown = plan(browser)
    first = shown[shown.index('type="submit"'):]
    assert first.startswith('type="submit">Look again')


def test_a_mapping_that_can_not_be_is_named(browser: Browser) -> None:
    shown = plan(browser, **{"map:stripe": "not a name!"})
    assert "stripe is mapped to what can&#39;t be a name here." in shown
    assert "Create not a name!" not in shown
    assert "can stay as it is" not in shown


def test_one_flow_is_counted_as_one(browser: Browser) -> None:
    assert "stripe</b> can stay as it is:" in plan(browser)
    plan(browser, "apply")
    assert "Imported 1 flow as a draft, triggers off." in browser.send("GET", "/flows").text
