"""Nothing drawn is lost: offline, another tab, an ended session, and what the server refuses."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.support.canvas import Canvas, chain, graph, node
from tests.support.installation import PASSWORD, Installation, canary


def test_while_the_server_is_away_changes_are_kept_and_saved_later(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.page.context.set_offline(True)
    canvas.focus("text")
    canvas.press("ArrowRight")
    saved = canvas.page.get_by_test_id("saved")
    expect(saved).to_have_text("Not saved, retrying")
    expect(canvas.page.locator("[data-banner]")).to_contain_text("can't be reached")
    canvas.page.context.set_offline(False)
    expect(saved).to_have_attribute("data-state", "saved")
    expect(canvas.page.locator("[data-banner]")).to_be_hidden()
    assert canvas.positions()["text"] == [320, 400]


def _elsewhere(canvas: Canvas) -> None:
    """Somebody else saves, then this page tries to."""
    canvas.draw(chain())
    other = graph([node("theirs", "output.log", 0, 0, "Theirs")])
    assert canvas.api.put(f"/flows/{canvas.flow}", json={"graph": other}).status_code == 200
    canvas.focus("text")
    canvas.press("ArrowRight")
    expect(canvas.page.get_by_test_id("saved")).to_have_attribute("data-state", "stale")


def test_a_change_made_elsewhere_is_shown_and_can_be_taken(canvas: Canvas) -> None:
    _elsewhere(canvas)
    # The words have room, whatever is offered beside them.
    words = canvas.page.locator("[data-banner] > .grow").bounding_box()
    assert words
    assert words["width"] > 260
    assert canvas.api.get(f"/flows/{canvas.flow}").get_json()["graph"]["nodes"][0]["id"] == "theirs"
    canvas.page.locator('[data-choice="reload"]').click()
    expect(canvas.node("theirs")).to_be_visible()
    expect(canvas.page.locator("article.node")).to_have_count(1)


def test_mine_can_be_kept_as_a_copy(canvas: Canvas) -> None:
    _elsewhere(canvas)
    canvas.page.locator('[data-choice="copy"]').click()
    link = canvas.page.locator('[data-choice="open-copy"]')
    flow = (link.get_attribute("href") or "").rpartition("/")[2]
    copy = canvas.api.get(f"/flows/{flow}").get_json()
    assert {one["id"]: one["position"] for one in copy["graph"]["nodes"]}["text"] == [320, 400]
    expect(canvas.node("theirs")).to_be_visible()


def _too_late(canvas: Canvas, *said: str) -> None:
    """Save what a page drew after another did; it is told what was changed, and loses nothing."""
    canvas.focus("text")
    canvas.press("ArrowRight")
    expect(canvas.page.get_by_test_id("saved")).to_have_attribute("data-state", "stale")
    for words in said:
        expect(canvas.page.locator("[data-banner]")).to_contain_text(words)
    expect(canvas.node("text")).to_be_visible()


def test_two_tabs_of_one_person(canvas: Canvas, origin: str) -> None:
    canvas.draw(chain())
    other = Canvas(canvas.page.context.new_page(), canvas.api, origin)
    other.open(canvas.flow)
    other.focus("log")
    other.press("Delete")
    other.wait_until_saved()
    _too_late(canvas, "“Log” was taken out", "wire was drawn anew")
    assert "log" not in {one["id"] for one in other.saved()["nodes"]}
    # The first takes what the second drew; then the second is the one that comes late.
    canvas.page.locator('[data-choice="reload"]').click()
    expect(canvas.node("log")).to_have_count(0)
    canvas.focus("other")
    canvas.press("ArrowRight")
    assert canvas.positions()["other"] == [640, 400]
    _too_late(other, "nodes were moved")
    other.page.locator('[data-choice="copy"]').click()
    expect(other.page.locator('[data-choice="open-copy"]')).to_be_visible()
    assert canvas.positions()["other"] == [640, 400]
    assert other.complaints == []
    other.page.close()


def test_two_people_at_one_flow(
    canvas: Canvas, place: Installation, origin: str, browser: Browser
) -> None:
    canvas.draw(chain())
    context = browser.new_context(ignore_https_errors=True)
    email = "colleague@example.com"
    theirs = Canvas(context.new_page(), canvas.api, origin)
    theirs.enter(place, email=email)
    theirs.open(canvas.flow)
    theirs.focus("other")
    theirs.press("ArrowDown")
    theirs.wait_until_saved()
    _too_late(canvas, f"was changed by {email}", "nodes were moved")
    canvas.page.locator('[data-choice="reload"]').click()
    assert canvas.positions()["other"] == [620, 420]
    context.close()


def test_an_ended_session_loses_no_draft(
    canvas: Canvas, place: Installation, origin: str
) -> None:
    canvas.draw(chain())
    context = canvas.page.context
    context.clear_cookies()
    canvas.focus("text")
    canvas.press("ArrowRight")
    login = canvas.page.locator('[data-choice="login"]')
    expect(login).to_be_visible()
    _, email = place.person()
    with context.expect_page() as opened:
        login.click()
    other = opened.value
    other.get_by_label("Email").fill(email)
    other.get_by_label("Password", exact=True).fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url("**/")
    other.close()
    expect(canvas.page.get_by_test_id("saved")).to_have_attribute("data-state", "saved")
    assert canvas.positions()["text"] == [320, 400]


def test_leaving_with_unsaved_changes_asks(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.page.context.set_offline(True)
    canvas.focus("text")
    canvas.press("ArrowRight")
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    canvas.page.on("dialog", stay)
    with canvas.page.expect_event("dialog"):
        canvas.page.evaluate("location.href = '/flows'")
    canvas.page.remove_listener("dialog", stay)
    canvas.page.context.set_offline(False)
    assert asked == ["beforeunload"]
    expect(canvas.page.get_by_test_id("saved")).to_have_attribute("data-state", "saved")


TEXTS = ['<img src=x onerror="window.hit=1">', "\u202etrap שלום", "🙂" * 60, "a" * 200]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_any_kind_stay_text(canvas: Canvas, text: str) -> None:
    long = (text * 300)[:10_000]
    canvas.draw(
        graph(
            [node("a", "text.template", 0, 0, text, template=long)],
            notes=[{"id": "n", "text": long, "position": [0, 300], "size": [200, 100]}],
            groups=[{"id": "g", "label": text, "nodes": ["a"]}],
        )
    )
    expect(canvas.node("a").locator("strong")).to_have_text(text)
    canvas.open_node("a")
    assert canvas.page.evaluate("window.hit") is None
    canvas.press("Escape")
    assert canvas.saved()["notes"][0]["text"] == long


def test_an_unknown_component_is_kept(canvas: Canvas) -> None:
    canvas.draw(graph([node("a", "acme.gone", 0, 0, "Gone", secret_sauce={"x": [1]})]))
    expect(canvas.node("a")).to_contain_text("acme.gone · unknown")
    canvas.focus("a")
    canvas.press("ArrowRight")
    assert canvas.saved()["nodes"][0]["config"] == {"secret_sauce": {"x": [1]}}


def test_a_newer_schema_is_refused_with_its_version(canvas: Canvas) -> None:
    canvas.draw(chain())

    def newer(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        body = answer.json()
        body["graph"]["schema"] = 7
        route.fulfill(response=answer, json=body)  # type: ignore[attr-defined]

    canvas.page.route(f"**/api/v1/flows/{canvas.flow}", newer)
    canvas.page.goto(f"{canvas.origin}/flows/{canvas.flow}")
    expect(canvas.page.locator("[data-banner]")).to_contain_text("graph schema 7")
    canvas.page.unroute(f"**/api/v1/flows/{canvas.flow}")


def test_a_secret_is_created_in_place(canvas: Canvas) -> None:
    value = canary()
    canvas.draw(graph([node("a", "secret.fetch", 0, 0, "Key", secretName="not/yet")]))
    inspector = canvas.open_node("a")
    expect(inspector.locator(".meta-card")).to_contain_text("There is no secret not/yet here")
    inspector.locator('[data-act="create-secret"]').first.click()
    dialog = canvas.page.locator("[data-new-secret]")
    expect(dialog.get_by_label("Name")).to_have_value("not/yet")
    dialog.get_by_role("textbox", name="Value").fill("abc")
    dialog.get_by_role("button", name="Save secret").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_role("textbox", name="Value").fill(value)
    dialog.get_by_role("button", name="Save secret").click()
    expect(dialog).to_be_hidden()
    expect(inspector.locator(".meta-card")).to_contain_text("Active version")
    assert value not in canvas.page.content()
    assert value not in canvas.page.evaluate("JSON.stringify({...localStorage})")


def test_policies_are_fields_of_every_node(canvas: Canvas) -> None:
    canvas.draw(chain())
    inspector = canvas.open_node("call")
    inspector.get_by_test_id("policies").locator("summary").click()
    inspector.locator('[data-field="policy.retry.count"] input').fill("3")
    inspector.locator('[data-field="policy.timeout"] input').fill("20")
    inspector.locator('[data-field="policy.on_error"] select').select_option(label="Go on")
    call = canvas.saved()["nodes"][1]
    assert (call["retry"]["count"], call["timeout"], call["on_error"]) == (3, 20, "continue")
