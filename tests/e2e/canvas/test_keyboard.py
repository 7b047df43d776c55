"""A whole flow by the keyboard alone, on the canvas and in the outline; nothing is dragged."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.canvas import Canvas, chain, graph, node


def _add(canvas: Canvas, words: str) -> None:
    canvas.press("n")
    expect(canvas.page.get_by_test_id("quick-search")).to_be_focused()
    canvas.page.keyboard.type(words)
    canvas.press("Enter")


def _connect(canvas: Canvas, output: str, target: str) -> None:
    canvas.press("c")
    search = canvas.page.get_by_test_id("connect-search")
    expect(search).to_be_focused()
    canvas.page.keyboard.type(output)
    canvas.press("Enter")
    expect(search).to_have_value("")
    canvas.page.keyboard.type(target)
    canvas.press("Enter")


def test_a_flow_is_made_without_the_mouse(canvas: Canvas) -> None:
    canvas.draw(graph([]))
    canvas.stage.focus()
    for words, made in (("secret fetch", "secret_fetch"), ("http", "http_request"),
                        ("log", "output_log")):
        _add(canvas, words)
        expect(canvas.node(made)).to_be_focused()
    canvas.focus("secret_fetch")
    canvas.press("Enter", "ArrowDown")
    canvas.page.keyboard.type("echo_token")
    expect(canvas.page.locator('.option.is-active[data-secret="echo_token"]')).to_be_visible()
    canvas.press("Enter")
    canvas.stage.focus()
    canvas.node("secret_fetch").focus()
    _connect(canvas, "value", "bearer")
    expect(canvas.said).to_contain_text("Connected Secret Fetch.value to HTTP Request.bearer_token")
    canvas.press("Alt+ArrowRight")
    expect(canvas.node("http_request")).to_be_focused()
    _connect(canvas, "body", "log message")
    canvas.press("F2")
    canvas.page.keyboard.type("Call")
    canvas.press("Enter")
    assert canvas.wires() == {"secret_fetch.value>http_request.bearer_token",
                              "http_request.body>output_log.message"}
    assert "Call" in canvas.labels()
    assert canvas.saved()["nodes"][0]["config"] == {"secretName": "echo_token"}


def test_the_list_says_why_a_port_refuses(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.node("fetch").focus()
    canvas.press("c")
    canvas.page.keyboard.type("value")
    canvas.press("Enter")
    expect(canvas.page.get_by_test_id("connect-search")).to_have_value("")
    canvas.page.keyboard.type("log message")
    row = canvas.page.locator('[data-testid="connect-list"] [data-end="log.message"]')
    expect(row).to_have_attribute("aria-disabled", "true")
    expect(row).to_contain_text("Secret can't go into text")
    canvas.press("Enter", "Escape")
    assert len(canvas.wires()) == 2


def test_the_outline_edits_as_the_canvas_does(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    canvas.press("o")
    rows = canvas.page.locator("[data-outline]")
    expect(rows.first).to_be_focused()
    canvas.page.locator('[data-outline="other"]').focus()
    canvas.press("d")
    assert canvas.saved()["nodes"][4]["disabled"] is True
    canvas.press("Escape", "o")
    canvas.page.locator('[data-outline="text"]').focus()
    _connect(canvas, "text", "log data")
    assert "text.text>log.data" in canvas.wires()
    canvas.focus()
    canvas.page.locator('[data-outline-wire="e2"]').focus()
    canvas.press("Enter")
    assert "call.body>log.message" not in canvas.wires()
    canvas.page.locator('[data-outline="other"]').focus()
    canvas.press("Delete")
    assert "Other" not in canvas.labels()


def test_names_for_screen_readers(canvas: Canvas) -> None:
    canvas.draw(chain())
    for key, name in (("fetch", "Token"), ("call", "Call")):
        expect(canvas.node(key)).to_have_attribute("aria-label", name)
    expect(canvas.node("call").get_by_role("list", name="Inputs")).to_be_attached()
    canvas.node("fetch").focus()
    canvas.press("Tab")
    expect(canvas.node("text")).to_be_focused()
    canvas.press("Shift+Tab")
    expect(canvas.node("fetch")).to_be_focused()


def test_escape_and_enter_lead_from_the_inspector_back_to_the_node(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus("text")
    canvas.press("F2")
    canvas.page.keyboard.type("Greeting")
    canvas.press("Enter")
    expect(canvas.node("text")).to_be_focused()
    canvas.press("F2")
    canvas.page.keyboard.type("Not this")
    canvas.press("Escape")
    expect(canvas.node("text")).to_be_focused()
    canvas.press("Enter")
    expect(canvas.page.locator("#f-template")).to_be_focused()
    canvas.press("Escape")
    expect(canvas.node("text")).to_be_focused()
    assert canvas.labels()[3] == "Greeting"
    canvas.press("Escape")
    expect(canvas.page.get_by_test_id("node-label")).to_have_count(0)
    canvas.press("o", "Escape")
    expect(canvas.stage).to_be_focused()


def test_a_problem_leads_to_what_its_field_is_filled_in_with(canvas: Canvas) -> None:
    canvas.draw(graph([node("a", "text.template", 0, 0, "A")]))
    canvas.page.get_by_test_id("problems").click()
    canvas.page.locator('#problems-list [data-problem][data-node="a"]').first.click()
    expect(canvas.page.locator("#f-template")).to_be_focused()
    # Closed by Escape, the list gives the focus back and leaves what is selected.
    canvas.page.get_by_test_id("problems").click()
    canvas.press("Escape")
    expect(canvas.page.get_by_test_id("problems")).to_be_focused()
    expect(canvas.page.get_by_test_id("node-label")).to_have_value("A")


def test_the_outline_keeps_the_focus_while_it_edits(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    canvas.press("o", "d")
    rows = canvas.page.locator("[data-outline]")
    expect(rows.first).to_be_focused()
    expect(rows.first).to_contain_text("disabled")
    canvas.page.locator('[data-outline-wire="e2"]').focus()
    canvas.press("Enter")
    expect(canvas.page.locator('[data-outline="call"]')).to_be_focused()
    assert canvas.wires() == {"fetch.value>call.bearer_token"}
