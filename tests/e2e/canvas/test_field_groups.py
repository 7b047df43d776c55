"""Settings that are rarely touched fold away, and those of a credential show with its wire."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.canvas import Canvas, edge, graph, node


def test_fields_fold_away_until_something_in_them_is_set(canvas: Canvas) -> None:
    canvas.draw(graph([
        node("plain", "http.request", 0, 0, url="https://example.org/"),
        node("paged", "http.request", 320, 0, url="https://example.org/", paginate="cursor"),
    ]))
    inspector = canvas.open_node("plain")
    pages = inspector.locator('details[data-group="Pages of a list"]')
    expect(inspector.locator("details[data-group]")).to_have_count(4)
    expect(pages).not_to_have_attribute("open", "")
    expect(inspector.locator('[data-field="paginate"]')).to_be_hidden()
    # Fields that a choice brings appear where it was made, and the group stays open.
    pages.locator("summary").click()
    pages.locator("select").select_option(label="Link header")
    expect(pages.locator('[data-field="max_pages"]')).to_be_visible()
    expect(pages.locator('[data-field="page_next"]')).to_have_count(0)
    assert canvas.saved()["nodes"][0]["config"]["paginate"] == "link"
    pages.locator("select").select_option(label="One answer")
    expect(pages).to_have_attribute("open", "")
    inspector = canvas.open_node("paged")
    expect(inspector.locator('details[data-group="Pages of a list"]')).to_have_attribute("open", "")
    expect(inspector.locator('[data-field="page_next"]')).to_be_visible()
    tries = inspector.locator('details[data-group="Time, tries and redirects"]')
    expect(tries).not_to_have_attribute("open", "")


def test_settings_of_a_credential_come_with_its_wire(canvas: Canvas) -> None:
    canvas.draw(graph(
        [node("fetch", "secret.fetch", 0, 0, secretName="echo_token"),
         node("call", "http.request", 320, 0, url="https://example.org/")],
        [edge("e1", "fetch.value", "call.basic_password")],
    ))
    inspector = canvas.open_node("call")
    expect(inspector.locator('[data-field="basic_username"]')).to_be_visible()
    expect(inspector.locator('[data-field="api_key_header"]')).to_have_count(0)
    # Rare secret inputs wait behind “more”, and are there to be wired all the same.
    expect(canvas.pin("call.aws_credentials", "in")).to_have_count(0)
    expect(inspector.locator('[data-end="aws_credentials"]')).to_be_visible()
    inspector.locator('[data-disconnect="e1"]').click()
    expect(inspector.locator('[data-field="basic_username"]')).to_have_count(0)
