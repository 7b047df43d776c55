"""What hands know from other editors, with a real mouse and a real keyboard."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.support.canvas import Canvas, chain, edge, graph, node


def test_every_gesture_is_one_step_and_undo_names_it(canvas: Canvas) -> None:
    canvas.draw(chain())
    before = canvas.positions()
    canvas.focus()
    canvas.press("Control+a", "Delete")
    expect(canvas.page.locator("article.node")).to_have_count(0)
    canvas.press("Control+z")
    expect(canvas.page.locator("article.node")).to_have_count(5)
    expect(canvas.page.locator(".x6-edge[data-edge-id]")).to_have_count(2)
    x, y = canvas.centre(canvas.node("text").locator(".node__name"))
    canvas.drag((x, y), (x + 97, y + 61))
    canvas.steps("move Text")
    canvas.press("Control+z")
    assert canvas.positions() == before
    canvas.press("Control+Shift+z")
    assert canvas.positions() != before
    canvas.press("Control+z", "Control+y", "Control+z")
    assert canvas.positions() == before


def test_undoing_to_what_was_saved_leaves_nothing_unsaved(canvas: Canvas) -> None:
    canvas.draw(chain())
    revision = canvas.api.get(f"/flows/{canvas.flow}").get_json()["revision"]
    canvas.focus("text")
    # In one task: 800 ms apart, the first would rightly be saved.
    canvas.page.evaluate("""() => {
      for (const key of [{key: "ArrowRight"}, {key: "z", ctrlKey: true}])
        document.activeElement.dispatchEvent(
          new KeyboardEvent("keydown", {...key, bubbles: true, cancelable: true}));
    }""")
    expect(canvas.page.get_by_test_id("redo")).to_be_enabled()
    expect(canvas.page.get_by_test_id("saved")).to_have_attribute("data-state", "saved")
    canvas.page.wait_for_timeout(1000)
    assert canvas.api.get(f"/flows/{canvas.flow}").get_json()["revision"] == revision


def test_a_field_keeps_its_own_undo(canvas: Canvas) -> None:
    canvas.draw(chain())
    area = canvas.open_node("text").locator("#f-template")
    area.click()
    canvas.page.keyboard.type(" world")
    canvas.press("Control+z")
    expect(canvas.page.locator("article.node")).to_have_count(5)
    assert area.input_value() != "hello world"
    area.fill("other")
    area.blur()
    canvas.steps("edit template of Text")
    canvas.focus()
    canvas.press("Control+z")
    assert canvas.saved()["nodes"][3]["config"]["template"] != "other"


def test_the_clipboard_holds_json_that_pastes_at_the_pointer(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.select("fetch", "call")
    canvas.press("Control+c")
    expect(canvas.said).to_contain_text("Copied 2 nodes.")
    text = canvas.page.evaluate("navigator.clipboard.readText()")
    held = json.loads(text)
    assert held["format"] == "tacit.nodes"
    assert [one["id"] for one in held["nodes"]] == ["fetch", "call"]
    assert [one["id"] for one in held["edges"]] == ["e1"]
    canvas.draw(graph([node("start", "trigger.manual", 0, 0)]))
    canvas.page.mouse.move(*canvas.at(500, 480))
    canvas.stage.focus()
    canvas.press("Control+v")
    saved = canvas.saved()
    assert [one["label"] for one in saved["nodes"]] == ["Start", "Token", "Call"]
    assert saved["nodes"][1]["config"] == {"secretName": "echo_token"}
    assert len(saved["edges"]) == 1
    box = canvas.node(saved["nodes"][1]["id"]).bounding_box()
    assert box
    assert abs(box["y"] - canvas.at(0, 480)[1]) < 200
    canvas.press("Control+z")
    expect(canvas.page.locator("article.node")).to_have_count(1)


def test_cut_and_duplicate(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.select("text", "other")
    canvas.press("Control+d")
    assert sorted(canvas.labels()) == ["Call", "Log", "Other", "Other 2", "Text", "Text 2", "Token"]
    canvas.press("Control+x")
    assert len(canvas.labels()) == 5
    canvas.press("Control+v")
    assert len(canvas.labels()) == 7
    canvas.press("Control+z", "Control+z", "Control+z")
    assert len(canvas.labels()) == 5


def test_secrets_of_another_environment_are_dropped_and_said(canvas: Canvas) -> None:
    canvas.draw(graph([]))
    clip = {"format": "tacit.nodes", "version": 1, "environment": "prod", "edges": [],
            "nodes": [node("a", "secret.fetch", 0, 0, "Key", secretName="prod/key", version=3)]}
    canvas.page.evaluate("text => navigator.clipboard.writeText(text)", json.dumps(clip))
    canvas.stage.focus()
    canvas.press("Control+v")
    banner = canvas.page.locator("[data-banner]")
    expect(banner).to_contain_text("came from the environment prod, so their secrets were left out")
    expect(banner.locator("strong")).to_have_text("Pasted without secrets")
    assert canvas.saved()["nodes"][0]["config"] == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"some": "json"}', "no nodes of a flow"),
        ('{"format": "tacit.nodes", "version": 99, "nodes": []}', "newer Tacit (version 99)"),
        ('{"broken": ', "broken JSON"),
        ('{"format": "tacit.bundle", "version": 1}', "Import it on the Flows page"),
    ],
)
def test_foreign_text_on_the_clipboard_changes_nothing(
    canvas: Canvas, text: str, said: str
) -> None:
    canvas.draw(chain())
    canvas.page.evaluate("text => navigator.clipboard.writeText(text)", text)
    canvas.stage.focus()
    canvas.press("Control+v")
    banner = canvas.page.locator("[data-banner]")
    expect(banner).to_contain_text(said)
    expect(banner.locator("strong")).to_have_text("Nothing was pasted")
    assert len(canvas.labels()) == 5
    # What is pasted next takes the notice away.
    canvas.focus("text")
    canvas.press("Control+c", "Control+v")
    expect(banner).to_be_hidden()
    assert len(canvas.labels()) == 6


def test_box_select_pan_and_zoom(canvas: Canvas) -> None:
    canvas.draw(chain())
    box = canvas.node("log").bounding_box()
    assert box
    canvas.drag((box["x"] - 15, box["y"] - 15), (box["x"] + 40, box["y"] + 60))
    expect(canvas.node("log")).to_have_class("node is-idle is-selected")
    expect(canvas.node("call")).not_to_have_class("is-selected")
    where = canvas.node("log").bounding_box()
    assert where
    canvas.page.mouse.move(*canvas.at(500, 600))
    canvas.page.mouse.wheel(30, 50)
    moved = canvas.node("log").bounding_box()
    assert moved
    assert (round(where["x"] - moved["x"]), round(where["y"] - moved["y"])) == (30, 50)
    canvas.page.keyboard.down("Control")
    canvas.page.mouse.wheel(0, -200)
    canvas.page.keyboard.up("Control")
    bigger = canvas.node("log").bounding_box()
    assert bigger
    assert bigger["width"] > moved["width"] * 1.2
    canvas.stage.focus()
    canvas.press("0")
    expect(canvas.page.locator('[data-zoom="reset"]')).to_have_text("100%")
    canvas.page.mouse.move(*canvas.at(400, 620))
    canvas.page.keyboard.down("Space")
    canvas.page.mouse.down()
    canvas.page.mouse.move(*canvas.at(440, 600), steps=4)
    canvas.page.mouse.up()
    canvas.page.keyboard.up("Space")
    canvas.press("1")
    expect(canvas.node("fetch")).to_be_in_viewport(ratio=0.99)
    expect(canvas.node("other")).to_be_in_viewport(ratio=0.99)


def test_quick_add_at_the_pointer(canvas: Canvas) -> None:
    canvas.draw(graph([]))
    canvas.stage.focus()
    canvas.page.mouse.move(*canvas.at(420, 330))
    canvas.press("n")
    canvas.page.get_by_test_id("quick-search").fill("text template")
    canvas.press("Enter")
    made = canvas.node("text_template")
    expect(made).to_be_focused()
    box = made.bounding_box()
    assert box
    x, y = canvas.at(420, 330)
    assert box["x"] < x < box["x"] + box["width"]
    assert box["y"] - 10 < y < box["y"] + box["height"]
    canvas.page.mouse.dblclick(*canvas.at(300, 560))
    canvas.page.locator('[data-testid="quick-add"] [data-component="output.log"]').click()
    expect(canvas.page.locator("article.node")).to_have_count(2)


def test_a_wire_dropped_on_empty_ground_offers_what_fits(canvas: Canvas) -> None:
    canvas.draw(graph([node("fetch", "secret.fetch", 0, 0, "Token", secretName="echo_token")]))
    canvas.drag(canvas.centre(canvas.pin("fetch.value", "out")), canvas.at(620, 500))
    window = canvas.page.get_by_test_id("quick-add")
    expect(window.locator('[data-component="http.request"]')).to_be_visible()
    expect(window.locator('[data-component="output.log"]')).to_have_count(0)
    window.locator('[data-component="http.request"]').click()
    assert canvas.wires() == {"fetch.value>http_request.bearer_token"}
    canvas.steps("add HTTP Request")
    canvas.press("Control+z")
    expect(canvas.page.locator("article.node")).to_have_count(1)


def test_a_node_dropped_on_a_wire_is_spliced_in(canvas: Canvas) -> None:
    canvas.draw(
        graph(
            [node("start", "trigger.manual", 0, 0), node("log", "output.log", 640, 0),
             node("wait", "output.log", 300, 400, "Wait")],
            [edge("e1", "start.done", "log.start")],
        )
    )
    x, y = canvas.centre(canvas.node("wait").locator(".node__name"))
    (_, from_y), (_, to_y) = (canvas.centre(canvas.pin("start.done", "out")),
                              canvas.centre(canvas.pin("log.start", "in")))
    canvas.drag((x, y), (x + 20, (from_y + to_y) / 2 - 20), drop=False)
    expect(canvas.page.locator('.x6-edge.is-splice[data-edge-id="e1"]')).to_have_count(1)
    canvas.page.mouse.up()
    assert canvas.wires() == {"start.done>wait.start", "wait.done>log.start"}
    canvas.press("Control+z")
    assert canvas.wires() == {"start.done>log.start"}
    assert canvas.positions()["wait"] == [300, 400]


def test_tidy_lays_out_in_run_order_as_one_step(canvas: Canvas) -> None:
    canvas.draw(
        graph(
            [node("c", "output.log", 0, 0), node("a", "trigger.manual", 20, 30),
             node("b", "output.log", 10, 10)],
            [edge("e1", "a.done", "b.start"), edge("e2", "b.done", "c.start")],
        )
    )
    canvas.focus()
    canvas.press("Shift+Alt+t")
    expect(canvas.said).to_contain_text("Tidied 3 nodes.")
    places = canvas.positions()
    assert places["a"][0] < places["b"][0] < places["c"][0]
    assert all(value % 20 == 0 for place in places.values() for value in place)
    canvas.steps("tidy")
    canvas.press("Control+z")
    assert canvas.positions()["c"] == [0, 0]


def test_dragging_snaps_to_neighbours_and_the_grid(canvas: Canvas) -> None:
    canvas.draw(graph([node("a", "output.log", 0, 3), node("b", "output.log", 400, 300)]))
    canvas.press("0")
    x, y = canvas.centre(canvas.node("b").locator(".node__name"))
    canvas.drag((x, y), (x + 33, y - 294), drop=False)
    expect(canvas.page.locator(".guide").first).to_be_attached()
    canvas.page.mouse.up()
    expect(canvas.page.locator(".guide")).to_have_count(0)
    assert canvas.positions()["b"] == [440, 3]
    x, y = canvas.centre(canvas.node("b").locator(".node__name"))
    canvas.page.keyboard.down("Alt")
    canvas.drag((x, y), (x + 7, y + 151))
    canvas.page.keyboard.up("Alt")
    assert canvas.positions()["b"] == [447, 154]


def test_find_align_distribute(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    canvas.press("Control+f")
    canvas.page.get_by_test_id("quick-search").fill("example.org")
    canvas.press("Enter")
    expect(canvas.node("call")).to_be_focused()
    canvas.select("fetch", "text", "other")
    inspector = canvas.page.get_by_test_id("inspector")
    inspector.get_by_label("Align top").click()
    places = canvas.positions()
    assert places["fetch"][1] == places["text"][1] == places["other"][1]
    canvas.steps("align top")
    inspector.get_by_label("Distribute across").click()
    canvas.press("Control+z")
    assert canvas.positions() == places


def test_groups_and_notes_travel_with_the_flow(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.select("text", "other")
    canvas.press("Control+g")
    canvas.page.keyboard.type("Answers")
    canvas.press("Enter")
    saved = canvas.saved()
    assert saved["groups"] == [{"id": "group_1", "label": "Answers", "nodes": ["text", "other"]}]
    x, y = canvas.centre(canvas.page.locator(".group__title"))
    canvas.drag((x, y), (x + 80, y + 40))
    places = canvas.positions()
    assert places["other"][0] - places["text"][0] == 320
    assert places["text"] != [300, 400]
    canvas.focus()
    canvas.press("Shift+N")
    canvas.page.keyboard.type("Ask <b>Ada</b> first\n🙂 שלום")
    canvas.press("Escape")
    saved = canvas.saved()
    assert saved["notes"][0]["text"] == "Ask <b>Ada</b> first\n🙂 שלום"
    canvas.page.reload()
    expect(canvas.page.locator(".note")).to_contain_text("Ask <b>Ada</b> first")
    canvas.select("text")
    canvas.press("Delete")
    assert canvas.saved()["groups"][0]["nodes"] == ["other"]
    canvas.select("other")
    canvas.press("Control+Shift+g")
    assert "groups" not in canvas.saved()


def test_disable_and_replace(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus("other")
    canvas.press("d")
    assert canvas.saved()["nodes"][4]["disabled"] is True
    expect(canvas.node("other")).to_have_attribute("aria-label", "Other, disabled")
    canvas.press("d")
    assert "disabled" not in canvas.saved()["nodes"][4]
    canvas.node("log").click(button="right")
    canvas.page.locator('[data-testid="menu"] [data-act="replace"]').click()
    canvas.page.get_by_test_id("quick-search").fill("http")
    canvas.press("Enter")
    expect(canvas.said).to_contain_text("1 wire no longer fitted")
    assert canvas.saved()["nodes"][2]["component"] == "http.request"
    assert canvas.wires() == {"fetch.value>call.bearer_token"}
    canvas.press("Control+z")
    assert len(canvas.wires()) == 2


def test_alt_and_arrows_walk_along_wires(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus("fetch")
    for arrow, there in (("Right", "call"), ("Right", "log"), ("Left", "call")):
        canvas.press(f"Alt+Arrow{arrow}")
        expect(canvas.node(there)).to_be_focused()


def test_panels_resize_fold_and_remember(canvas: Canvas) -> None:
    canvas.draw(chain())
    grip = canvas.page.get_by_label("Resize the inspector")
    grip.focus()
    canvas.press("ArrowLeft", "ArrowLeft")
    assert round(canvas.page.get_by_test_id("inspector").bounding_box()["width"]) == 360  # type: ignore[index]
    canvas.page.get_by_label("Hide the palette").click()
    expect(canvas.page.locator(".palette")).to_be_hidden()
    canvas.page.reload()
    expect(canvas.page.locator(".palette")).to_be_hidden()
    canvas.page.get_by_label("Show the palette").click()
    expect(canvas.page.locator(".palette")).to_be_visible()


def test_the_table_of_shortcuts_and_its_switch(canvas: Canvas) -> None:
    canvas.draw(chain())
    canvas.focus()
    canvas.press("?")
    table = canvas.page.locator("[data-keys-dialog]")
    expect(table).to_be_visible()
    table.get_by_role("switch").click()
    canvas.press("Escape")
    canvas.stage.focus()
    canvas.press("n")
    expect(canvas.page.get_by_test_id("quick-add")).to_be_hidden()
    canvas.page.evaluate("localStorage.clear()")


def test_everything_is_seen_and_reached_however_far_away(canvas: Canvas) -> None:
    far = [node(f"n{x}{y}", "output.log", x, y) for x in (-2000, 0, 3000) for y in (-900, 1800)]
    canvas.draw(graph(far))
    reached = """() => [...document.querySelectorAll("article.node")].map((node) => {
      const box = node.getBoundingClientRect();
      return node.contains(
        document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
    })"""
    assert canvas.page.evaluate(reached) == [True] * len(far)
    for key in "0+":
        canvas.focus()
        canvas.press("f", key)
    canvas.press("f")
    assert canvas.page.evaluate(reached) == [True] * len(far)
