"""What stands in a draft's way is mended, and the draft activated, without leaving the canvas."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.canvas import Canvas, edge, graph, node

TYPED = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
OTHER = "ghp_" + "z9Y8x7W6v5U4t3S2r1Q0p9O8n7M6l5K4j3I2"


def test_a_typed_credential_is_stored_and_wired_and_the_draft_activated(canvas: Canvas) -> None:
    call = node("call", "http.request", 400, 0, "Call", url="https://example.org/", body=OTHER)
    call["config"]["headers"] = {"Authorization": f"Bearer {TYPED}"}
    start = node("start", "trigger.manual", 0, 200, "Start")
    fetch = node("fetch", "secret.fetch", 0, 500, "Token", secretName="not_there")
    log = node("log", "output.log", 800, 0, "Log")
    canvas.draw(graph([start, call, fetch, log], [edge("e1", "call.body", "log.message")]))
    page = canvas.page
    problems = page.get_by_test_id("problems")

    problems.click()
    row = page.locator("#problems-list li", has_text="Call.headers.Authorization")
    row.locator('[data-remedy="store_as_secret"]').click()
    expect(page.locator("#credential-name")).to_have_value("call_authorization")
    page.locator("#credential-port").select_option("bearer_token")
    page.locator('[data-act="store-credential"]').click()
    expect(canvas.said).to_contain_text("Stored as secret call_authorization")
    expect(page.locator("article.node")).to_have_count(5)
    saved = canvas.api.get(f"/flows/{canvas.flow}").get_json()["graph"]
    assert TYPED not in str(saved)
    assert {"node": "call", "port": "bearer_token"} in [one["target"] for one in saved["edges"]]
    expect(page.get_by_test_id("undo")).to_be_disabled()
    assert TYPED not in page.content()

    problems.click()
    row = page.locator("#problems-list li", has_text="Call.body")
    row.locator('[data-remedy="store_as_secret"]').click()
    page.locator('[data-act="not-a-credential"]').click()
    expect(canvas.said).to_contain_text("holds no credential")
    found = canvas.api.get(f"/flows/{canvas.flow}").get_json()["problems"]
    assert "hardcoded_credential" not in [one["code"] for one in found]

    page.get_by_test_id("activate").click()
    page.locator("#activate-note").fill("First")
    page.locator('[data-act="activate"]').click()
    page.locator("dialog [data-in-the-way]", has_text="not_there").first.click()
    expect(page.get_by_test_id("node-label")).to_have_value("Token")
    canvas.focus("fetch")
    canvas.press("Delete")
    page.get_by_test_id("activate").click()
    page.locator("#activate-note").fill("First")
    page.locator('[data-act="activate"]').click()
    expect(page.locator("[data-banner]")).to_contain_text("Version 1 is active")
    expect(page.locator("[data-badges]")).to_contain_text("Active v1")
    (version,) = canvas.api.get(f"/flows/{canvas.flow}/versions").get_json()["items"]
    assert (version["active"], version["note"]) == (True, "First")

    page.goto(f"{canvas.origin}/flows")
    page.goto(f"{canvas.origin}/flows/{canvas.flow}#log")
    expect(page.get_by_test_id("node-label")).to_have_value("Log")


def test_a_note_is_marked_where_its_text_is_no_credential(canvas: Canvas) -> None:
    where = {"position": [0, 300], "size": [200, 100]}
    canvas.draw(graph(
        [node("log", "output.log", 0, 0, message="x")],
        notes=[{"id": "n", "text": f"As an example: {TYPED}", **where}],
    ))
    page = canvas.page
    page.get_by_test_id("problems").click()
    row = page.locator("#problems-list li", has_text="A note on the canvas")
    assert TYPED not in row.inner_text()
    row.locator("[data-problem]").click()
    expect(page.locator(".note.is-selected")).to_have_count(1)
    page.get_by_test_id("problems").click()
    row.locator('[data-remedy="mark_no_credential"]').click()
    expect(canvas.said).to_have_text("Marked: the note holds no credential.")
    expect(row).to_have_count(0)
    assert canvas.api.get(f"/flows/{canvas.flow}").get_json()["problems"] == []
    assert canvas.api.get(f"/flows/{canvas.flow}/bundle").status_code == 200
