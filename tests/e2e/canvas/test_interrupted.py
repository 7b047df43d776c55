"""Gestures and windows that something else comes between: keys, a menu, Escape, another tab."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.canvas import Canvas, chain, graph, node
from tests.support.installation import canary


def test_keys_wait_for_what_is_in_hand(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus("text")
    x, y = canvas.centre(canvas.node("text").locator(".node__name"))
    canvas.drag((x, y), (x + 90, y + 60), drop=False)
    canvas.press("Delete", "Control+x", "n")
    canvas.page.mouse.move(x + 120, y + 80, steps=3)
    canvas.page.mouse.up()
    expect(canvas.page.get_by_test_id("quick-add")).to_be_hidden()
    canvas.steps("move Text")
    assert "text" in canvas.nodes()
    canvas.press("Delete")
    canvas.steps("delete Text")


def test_no_menu_opens_over_what_is_in_hand(canvas: Canvas) -> None:
    canvas.draw(chain())
    x, y = canvas.centre(canvas.node("text").locator(".node__name"))
    canvas.drag((x, y), (x + 90, y + 60), drop=False)
    canvas.page.mouse.down(button="right")
    canvas.page.mouse.up(button="right")
    expect(canvas.page.get_by_test_id("menu")).to_be_hidden()
    canvas.page.mouse.up()
    canvas.steps("move Text")
    canvas.node("text").locator(".node__name").click(button="right")
    expect(canvas.page.get_by_test_id("menu")).to_be_visible()
    canvas.press("Escape")


def test_escape_gives_a_box_up_with_what_it_selected(canvas: Canvas) -> None:
    canvas.draw(chain())
    selected = canvas.page.locator(".node.is-selected")
    canvas.focus("log")
    canvas.drag(canvas.at(700, 700), canvas.at(20, 60), drop=False)
    assert selected.count() > 1
    canvas.press("Escape")
    canvas.page.mouse.up()
    expect(selected).to_have_count(1)
    expect(selected).to_have_attribute("data-node-id", "log")


def test_a_dialog_has_the_keys_to_itself(canvas: Canvas) -> None:
    canvas.draw(graph([node("a", "secret.fetch", 0, 0, "Key", secretName="is/missing")]))
    canvas.open_node("a").locator('[data-act="create-secret"]').first.click()
    dialog = canvas.page.locator("[data-new-secret]")
    dialog.get_by_role("button", name="Cancel").focus()
    canvas.press("Control+f")
    expect(canvas.page.get_by_test_id("quick-add")).to_be_hidden()
    canvas.press("Escape")
    expect(dialog).to_be_hidden()
    expect(canvas.page.get_by_test_id("node-label")).to_have_value("Key")


def test_the_list_of_secrets_closes_by_a_press_beside_it_and_by_escape(canvas: Canvas) -> None:
    canvas.draw(graph([node("a", "secret.fetch", 0, 0, "Key", secretName="echo_token")]))
    inspector = canvas.open_node("a")
    options = inspector.locator('[data-testid="secret-search"]')
    inspector.get_by_test_id("secret-picker").click()
    expect(options).to_be_visible()
    inspector.locator(".insp__head small").click()
    expect(options).to_be_hidden()
    inspector.get_by_test_id("secret-picker").click()
    expect(options).to_be_focused()
    canvas.press("Escape")
    expect(options).to_be_hidden()
    expect(inspector.get_by_test_id("secret-picker")).to_be_focused()
    inspector.get_by_test_id("secret-picker").click()
    inspector.locator('.combo__foot [data-act="create-secret"]').focus()
    canvas.press("Escape")
    expect(options).to_be_hidden()
    expect(inspector.get_by_test_id("secret-picker")).to_be_focused()


def test_a_secret_that_is_there_now_is_missing_no_longer(canvas: Canvas) -> None:
    wanted = [node("a", "secret.fetch", 0, 0, "Key", secretName="soon/here"),
              node("b", "secret.fetch", 300, 0, "Other", secretName="soon/there")]  # fmt: skip
    canvas.draw(graph(wanted))
    flags = canvas.page.locator(".flag")
    expect(flags).to_have_count(2)
    canvas.open_node("a").locator(".meta-card [data-act='create-secret']").click()
    dialog = canvas.page.locator("[data-new-secret]")
    dialog.get_by_role("textbox", name="Value").fill(canary())
    dialog.get_by_role("button", name="Save secret").click()
    expect(flags).to_have_count(1)
    made = canvas.api.post("/secrets", json={"name": "soon/there", "value": canary()})
    assert made.status_code == 201
    canvas.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(flags).to_have_count(0)


def test_the_first_problem_that_is_mended_takes_its_flag_along(canvas: Canvas) -> None:
    canvas.draw(graph([node("a", "secret.fetch", 0, 0, "Key", secretName="not/here/either")]))
    expect(canvas.page.locator(".flag")).to_have_count(1)
    canvas.open_node("a").get_by_test_id("secret-picker").click()
    canvas.page.locator('[data-secret="echo_token"]').click()
    canvas.saved()
    expect(canvas.page.locator(".flag")).to_have_count(0)


def test_a_secret_whose_active_version_is_disabled_is_shown_so(canvas: Canvas) -> None:
    made = canvas.api.post("/secrets", json={"name": "is/closed", "value": canary()}).get_json()
    canvas.api.post(f"/secrets/{made['id']}/versions/1/disable", json={})
    canvas.draw(graph([node("a", "secret.fetch", 0, 0, "Key", secretName="echo_token")]))
    inspector = canvas.open_node("a")
    closed = inspector.get_by_test_id("version-closed")
    expect(closed).to_have_count(0)
    inspector.get_by_test_id("secret-picker").click()
    option = canvas.page.locator('[data-secret="is/closed"]')
    expect(option).to_contain_text("v1, disabled")
    expect(canvas.page.locator('[data-secret="echo_token"]')).not_to_contain_text("disabled")
    # A version may be pinned, so it can be chosen.
    option.click()
    expect(closed).to_contain_text("Version 1, the active one, is disabled. Pin another, or")
    expect(closed.get_by_role("link")).to_have_attribute("href", f"/secrets/{made['id']}")
    canvas.api.put(f"/secrets/{made['id']}/rotate", json={"value": canary()})
    canvas.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(closed).to_have_count(0)
