"""Wires in a hand: what rings and dims, why one is refused, and ends that are moved."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.canvas import Canvas, chain, edge, graph, node

#: Milliseconds: asked for are 80, which the bench measures; a test's machine is busy.
SOON = 1_000


def test_while_a_wire_is_dragged_ports_ring_or_dim_and_a_refusal_says_why(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    canvas.page.evaluate(
        """() => {
          const box = document.querySelector(".refusal");
          const stage = document.getElementById("main");
          let moved = 0;
          stage.addEventListener("pointermove", () => { if (box.hidden) moved = performance.now(); }, true);
          new MutationObserver(() => { if (!box.hidden) window.refusedIn = performance.now() - moved; })
            .observe(box, {attributes: true});
        }"""  # noqa: E501
    )
    canvas.hold_wire("fetch.value", "log.message")
    expect(canvas.pin("call.bearer_token", "in")).to_have_class("pin pin--secret on is-ok")
    expect(canvas.pin("log.data", "in")).to_have_class("pin pin--any is-dim")
    refusal = canvas.page.locator(".refusal")
    expect(refusal).to_contain_text("Secret can't go into text")
    expect(canvas.page.locator(".draft")).to_have_attribute("data-state", "no")
    assert canvas.page.evaluate("window.refusedIn") < SOON
    canvas.page.mouse.up()
    expect(refusal).to_be_visible()
    expect(canvas.said).to_contain_text("Secret can't go into text")
    expect(canvas.page.locator(".draft")).to_have_count(0)
    assert len(canvas.wires()) == 2


def test_a_folded_node_unfolds_under_a_wire(canvas: Canvas) -> None:
    canvas.draw(
        graph(
            [node("fetch", "secret.fetch", 0, 0, "Fetch", secretName="x"),
             node("call", "http.request", 400, 0, "Call")],
            [],
        )
    )
    canvas.focus()
    hidden = canvas.pin("call.client_certificate", "in")
    expect(hidden).to_have_count(0)
    canvas.hold_wire("fetch.value", "call.url")
    expect(canvas.page.locator(".refusal")).to_contain_text("Secret can't go into text")
    # What it shows now is judged like the rest, and takes the wire.
    expect(hidden).to_have_class("pin pin--secret is-ok")
    expect(canvas.pin("call.query", "in")).to_have_class("pin pin--json is-dim")
    canvas.page.mouse.move(*canvas.centre(hidden), steps=6)
    expect(canvas.page.locator(".draft")).to_have_attribute("data-state", "ok")
    canvas.page.mouse.up()
    assert canvas.wires() == {"fetch.value>call.client_certificate"}
    expect(canvas.pin("call.query", "in")).to_have_count(0)

    # Given up, it folds again and leaves nothing ringed or dimmed.
    canvas.hold_wire("fetch.value", "call.url")
    expect(canvas.pin("call.query", "in")).to_have_class("pin pin--json is-dim")
    canvas.press("Escape")
    expect(canvas.pin("call.query", "in")).to_have_count(0)
    expect(canvas.page.locator(".pin.is-ok, .pin.is-dim, .pin.is-no, .draft")).to_have_count(0)
    canvas.page.mouse.up()
    assert canvas.wires() == {"fetch.value>call.client_certificate"}


def test_an_end_of_a_wire_is_taken_and_put_elsewhere_in_one_step(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    before = canvas.wires()
    canvas.wire_end("log.message", "other.message")
    moved = {"fetch.value>call.bearer_token", "call.body>other.message"}
    assert canvas.wires() == moved
    canvas.steps("move the wire to Other")
    canvas.press("Control+z")
    assert canvas.wires() == before
    canvas.press("Control+Shift+z")
    # Let go over nothing, or over what refuses, it stays where it was.
    start = canvas.centre(canvas.pin("other.message", "in"))
    canvas.drag(start, canvas.at(500, 690))
    expect(canvas.said).to_contain_text("stays where it was")
    canvas.wire_end("call.bearer_token", "log.message")
    expect(canvas.page.locator(".refusal")).to_contain_text("Secret can't go into text")
    assert canvas.wires() == moved


def test_the_source_of_a_wire_is_taken_near_its_pin(canvas: Canvas) -> None:
    canvas.draw(
        graph(
            [node("a", "output.log", 0, 0, "A"), node("b", "output.log", 0, 320, "B"),
             node("c", "output.log", 400, 0, "C")],
            [edge("e1", "a.done", "c.start")],
        )
    )
    canvas.focus()
    x, y = canvas.centre(canvas.pin("a.done", "out"))
    canvas.drag((x + 22, y), canvas.centre(canvas.pin("b.done", "out")))
    assert canvas.wires() == {"b.done>c.start"}
    x, y = canvas.centre(canvas.pin("b.done", "out"))
    canvas.page.mouse.click(x + 22, y)
    expect(canvas.page.locator('.x6-edge.is-selected')).to_have_count(1)
    canvas.press("Delete")
    assert canvas.wires() == set()


def test_the_flow_is_duplicated_from_the_canvas(canvas: Canvas) -> None:
    canvas.draw(chain())
    flow = canvas.flow
    canvas.focus("text")
    canvas.press("ArrowRight")
    canvas.page.mouse.click(*canvas.at(420, 40), button="right")
    canvas.page.locator('[data-testid="menu"] [data-act="duplicate-flow"]').click()
    canvas.page.wait_for_url(lambda url: "/flows/" in url and flow not in url)
    canvas.page.wait_for_selector("#editor[data-ready]")
    expect(canvas.page.locator("h1")).to_have_text("Canvas copy")
    canvas.flow = canvas.page.url.rpartition("/")[2]
    assert canvas.positions()["text"] == [320, 400]
    assert canvas.saved()["nodes"][0]["config"]["secretName"] == "echo_token"
