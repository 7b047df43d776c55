"""One node run alone from the canvas: with what is given, with what a run left, and its masks."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.canvas.playing import ended, held, shown
from tests.support.canvas import Canvas, edge, graph, node
from tests.support.runs import Workshop


def test_a_node_alone(canvas: Canvas, workshop: Workshop) -> None:
    document = graph(
        [
            node("text", "text.template", 0, 0, "Text", template="hello"),
            node("fetch", "secret.fetch", 0, 200, "Token", secretName="echo_token"),
            node("call", "http.request", 320, 0, "Call"),
            node("log", "output.log", 640, 0, "Log"),
        ],
        [
            edge("e1", "text.text", "call.url"), edge("e2", "fetch.value", "call.bearer_token"),
            edge("e3", "call.body", "log.message"),
        ],
    )
    canvas.draw(document)
    page = canvas.page
    menu = page.get_by_test_id("menu")

    canvas.node("call").locator(".node__name").click(button="right")
    menu.locator('[data-act="run-one"]').click()
    # Nothing was left by a run before, so it asks.
    expect(page.get_by_test_id("run-form")).to_contain_text("Run this node with")
    page.locator("#in-url").fill("https://example.org/")
    page.get_by_test_id("run-form-start").click()
    expect(page.get_by_test_id("run-form")).to_be_hidden()
    run = held(canvas, workshop)
    assert run.plan["values"] == {"call": {"url": "https://example.org/"}}
    assert [one["id"] for one in run.plan["graph"]["nodes"]] == ["fetch", "call"]
    place = {"path": [], "offset": 7, "secret": "echo_token", "version": 1}
    ended(workshop, run, "call", outputs={"body": "Bearer ***"}, output_masks={"body": [place]})
    shown(canvas, "call", "succeeded")
    shown(canvas, "log", "idle")
    canvas.focus("call")
    page.locator('[data-tab="run"]').click()
    chip = page.locator('[data-output="body"] .redacted')
    expect(chip).to_have_attribute("data-secret", "echo_token")
    assert "echo_token" in (chip.get_attribute("title") or "")

    canvas.focus("text")
    page.locator('.insp__body [data-act="run-one"]').click()
    shown(canvas, "call", "idle")
    ended(workshop, held(canvas, workshop), "text", outputs={"text": "https://left.example.org/"})
    shown(canvas, "text", "succeeded")

    # What the run left is taken without a question, and filled in where it is asked for.
    canvas.node("call").locator(".node__name").click(button="right")
    menu.locator('[data-act="run-one-with"]').click()
    expect(page.locator("#in-url")).to_have_value("https://left.example.org/")
    canvas.press("Escape")
    canvas.node("call").locator(".node__name").click(button="right")
    menu.locator('[data-act="run-one"]').click()
    shown(canvas, "text", "idle")
    values = held(canvas, workshop).plan["values"]
    assert values == {"call": {"url": "https://left.example.org/"}}

    # Up to a node: what comes before it runs too, and nothing is asked for.
    canvas.focus("call")
    page.keyboard.press("Shift+R")
    shown(canvas, "text", "queued")
    upto = held(canvas, workshop)
    assert (upto.plan["trigger"], upto.plan["values"]) == ({"kind": "to", "node": "call"}, {})
    assert [one["id"] for one in upto.plan["graph"]["nodes"]] == ["text", "fetch", "call"]
    ended(workshop, upto, "call", outputs={"body": "done"})
    shown(canvas, "call", "succeeded")
    shown(canvas, "log", "idle")
    canvas.node("text").locator(".node__name").click(button="right")
    menu.locator('[data-act="run-to"]').click()
    shown(canvas, "call", "idle")
    assert [one["id"] for one in held(canvas, workshop).plan["graph"]["nodes"]] == ["text"]

    page.goto(f"{canvas.origin}/runs/{run.id}")
    row = page.locator('#run-nodes tr[data-node="call"]')
    expect(row.locator(".output .redacted")).to_contain_text("echo_token@v1")
    expect(page.locator("#run-nodes tbody tr")).to_have_count(2)
