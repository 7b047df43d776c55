"""Runs on the canvas: started by a key, watched, cancelled; and those of before, shown again."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.canvas.playing import ended, held, shown, told
from tests.support.canvas import Canvas, chain
from tests.support.runs import Workshop


def test_a_run_is_watched_changed_since_and_shown_again(
    canvas: Canvas, workshop: Workshop
) -> None:
    document = chain()
    document["nodes"] = document["nodes"][:3]
    canvas.draw(document)
    page = canvas.page
    drawer = page.get_by_test_id("run-drawer")
    canvas.focus()
    canvas.press("r")
    shown(canvas, "call", "queued")
    run = held(canvas, workshop)
    told(workshop, run, "fetch", "succeeded")
    told(workshop, run, "call", "running")
    shown(canvas, "call", "running")
    told(workshop, run, "call", "succeeded", outputs={"body": "hello"})
    told(workshop, run, "log", "running")
    ended(workshop, run, "log")
    shown(canvas, "log", "succeeded")
    expect(drawer).to_have_attribute("data-state", "succeeded")
    # Wires that nothing went through are drawn as dead; the node says what came in.
    expect(page.locator("[data-edge-id].is-dead")).to_have_count(0)
    canvas.focus("log")
    page.locator('[data-tab="run"]').click()
    expect(page.locator('[data-input="message"]')).to_have_text("hello")
    alone, asked = (page.locator(f'.insp__body [data-act="{act}"]').bounding_box()
                    for act in ("run-one", "run-one-with"))  # fmt: skip
    assert alone
    assert asked
    assert alone["y"] == asked["y"]
    assert asked["x"] >= alone["x"] + alone["width"] + 4
    above, below = page.locator("[data-last-run] > section").evaluate_all(
        "them => them.slice(0, 2).map((one) => one.getBoundingClientRect().toJSON())"
    )
    assert below["y"] >= above["y"] + above["height"] + 8

    changed = page.get_by_test_id("changed")
    expect(changed).to_be_hidden()
    page.locator('[data-tab="configure"]').click()
    canvas.focus("log")
    canvas.press("d")
    expect(changed).to_have_text("Changed since this run: 1 node")
    canvas.wait_until_saved()
    for width in (900, 740):
        page.set_viewport_size({"width": width, "height": 900})
        expect(changed).to_be_in_viewport(ratio=1)
        expect(page.locator("[data-run-timeline] .gantt__row").first).to_be_in_viewport()
    # Up to 760 px one looks only; the page says when it is wide enough again.
    saved = page.get_by_test_id("saved")
    expect(saved).to_have_text("View only at this width")
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(saved).to_contain_text("Saved")
    canvas.press("Control+z")
    expect(changed).to_be_hidden()

    # Another run, and then the first one again, from the list of those past.
    canvas.focus()
    canvas.press("r")
    shown(canvas, "log", "queued")
    second = held(canvas, workshop)
    ended(workshop, second, "fetch")
    shown(canvas, "fetch", "succeeded")
    shown(canvas, "log", "skipped")
    expect(page.locator('[data-edge-id="e2"].is-dead')).to_have_count(1)
    drawer.get_by_test_id("past-runs").click()
    page.locator(f'[data-run-id="{run.id}"]').click()
    expect(drawer).to_have_attribute("data-run", run.id)
    shown(canvas, "log", "succeeded")
    moment = page.get_by_test_id("moment")
    moment.focus()
    canvas.press("Home")
    shown(canvas, "log", "queued")
    page.get_by_test_id("play").click()
    shown(canvas, "log", "succeeded")
    expect(moment).to_have_value("1000")


def test_a_run_is_cancelled_from_the_canvas(canvas: Canvas, workshop: Workshop) -> None:
    canvas.draw(chain())
    page = canvas.page
    canvas.focus()
    canvas.press("r")
    shown(canvas, "call", "queued")
    run = held(canvas, workshop)
    told(workshop, run, "fetch", "running")
    shown(canvas, "fetch", "running")
    cancel = page.get_by_test_id("cancel-run")
    with page.expect_response(f"**/runs/{run.id}/cancel"):  # the button says it before
        cancel.click()
    expect(cancel).to_have_text("Cancelling…")
    expect(cancel).to_have_attribute("aria-disabled", "true")
    asked = workshop.runtime.post(f"/runs/{run.id}/heartbeat", run.token(), {})
    assert asked.json["cancel"] is True
    done = workshop.runtime.post(f"/runs/{run.id}/finish", run.token(), {"state": "cancelled"})
    assert done.status_code == 200
    expect(page.get_by_test_id("run-drawer")).to_have_attribute("data-state", "cancelled")
    shown(canvas, "fetch", "cancelled")
    expect(cancel).to_have_count(0)
