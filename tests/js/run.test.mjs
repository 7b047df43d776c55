import assert from "node:assert/strict";
import { test } from "node:test";

import { durationText, lineOf, maskLabel, segments } from "../../static/js/canvas/state/log.js";
import { outputSegments } from "../../static/js/canvas/state/masks.js";
import { RunState, timeline } from "../../static/js/canvas/state/run.js";

const AT = Date.parse("2026-01-01T10:00:00Z");
const at = (milliseconds) => new Date(AT + milliseconds).toISOString();
const event = (seq, more) => ({ seq, at: at(seq * 100), attempt: 1, level: "info", text: "", data: {}, masks: [], ...more });

test("masks become chips where they stand, stars without a name become bars", () => {
  const masks = [{ offset: 7, secret: "echo", version: 2 }];
  assert.deepEqual(segments("Bearer *** and ***!", masks), [
    { text: "Bearer " }, { mask: { name: "echo", version: 2 } }, { text: " and " }, { mask: null }, { text: "!" },
  ]);
  assert.deepEqual(segments("plain"), [{ text: "plain" }]);
  assert.deepEqual(segments("******", [{ offset: 3, secret: "b", version: null }]), [
    { mask: null }, { mask: { name: "b", version: null } },
  ]);
  assert.equal(maskLabel({ name: "echo", version: 2 }), "echo@v2");
  assert.equal(maskLabel({ name: "aws/x", version: null }), "aws/x");
});

test("durations are read easily", () => {
  assert.deepEqual([0, 999, 1500, 125000, null].map(durationText), ["0 ms", "999 ms", "1.5 s", "2 min 5 s", ""]);
});

test("events make node states, lines and outputs; a repeated event does nothing", () => {
  const run = new RunState("r", new Map([["a", "Alpha"]]));
  const events = [
    event(1, { type: "run", data: { state: "running" }, text: "run started" }),
    event(2, { type: "node", node: "a", data: { state: "running" } }),
    event(3, { type: "log", node: "a", text: "hello" }),
    event(4, { type: "node", node: "a", data: { state: "succeeded", outputs: { ok: true } } }),
    event(5, { type: "span", node: "a", text: "not a line" }),
  ];
  for (const item of [...events, ...events]) run.reduce(item);
  assert.equal(run.state, "running");
  assert.equal(run.shown("a"), "succeeded");
  assert.equal(run.nodeElapsed("a", 0), 200);
  assert.deepEqual(run.nodes.get("a").outputs, { ok: true });
  assert.deepEqual(run.lines.map((line) => [line.label, line.segments[0].text]), [["", "run started"], ["Alpha", "hello"]]);
  assert.equal(run.lines[1].offset, 200);
});

test("a finished run is never turned back by a late answer", () => {
  const run = new RunState("r");
  run.merge({ state: "succeeded", finished_at: at(900), nodes: [{ id: "a", state: "succeeded" }] });
  run.merge({ state: "running", nodes: [{ id: "a", state: "running" }] });
  assert.equal(run.state, "succeeded");
  assert.equal(run.shown("a"), "succeeded");
});

test("nodes that a finished run never reached are skipped", () => {
  const run = new RunState("r");
  run.merge({ state: "failed", nodes: [{ id: "a", state: "failed" }, { id: "b", state: "queued" }] });
  assert.deepEqual(["a", "b", "c"].map((id) => run.shown(id)), ["failed", "skipped", "skipped"]);
});

test("a rejected run marks the node it blames and skips the others", () => {
  const run = new RunState("r");
  const problem = { code: "secret_missing", severity: "error", node: "fetch", message: "Secret echo is missing." };
  run.reduce(event(1, { type: "run", data: { state: "rejected" }, level: "error", text: problem.message }));
  run.merge({ state: "rejected", problems: [problem] });
  run.merge({ state: "rejected", problems: [problem] });
  assert.equal(run.problems.length, 1);
  assert.deepEqual([run.shown("fetch"), run.shown("http")], ["rejected", "skipped"]);
  assert.equal(run.final, true);
});

test("a wire carried when its source succeeded and its target wasn't skipped", () => {
  const run = new RunState("r");
  run.merge({ state: "failed", nodes: [{ id: "a", state: "succeeded" }, { id: "b", state: "failed" }, { id: "c", state: "skipped" }] });
  const edge = (from, to) => ({ source: { node: from }, target: { node: to } });
  assert.deepEqual([run.carried(edge("a", "b")), run.carried(edge("b", "c")), run.carried(edge("a", "c"))], [true, false, false]);
});

test("the timeline's bars are parts of the whole", () => {
  const run = new RunState("r");
  run.merge({
    state: "succeeded", started_at: at(0), finished_at: at(1000),
    nodes: [
      { id: "a", state: "succeeded", started_at: at(0), finished_at: at(250) },
      { id: "b", state: "succeeded", started_at: at(500), finished_at: at(1000) },
    ],
  });
  const { span, rows, now } = timeline(run, ["a", "b", "c"], AT + 99999);
  assert.equal(span, 1000);
  assert.equal(now, null);
  assert.deepEqual(rows.map((row) => [row.x, row.width, row.elapsed]), [[0, 25, 250], [50, 50, 500], [null, null, null]]);
});

test("a line without a level is information, and spans are no lines", () => {
  assert.equal(lineOf({ seq: 1, at: at(0), type: "log", text: "x" }, null, new Map()).level, "info");
  assert.equal(lineOf(event(1, { type: "span", text: "x" }), null, new Map()), null);
});

test("a mask is found behind characters that take two units", () => {
  const masks = [{ offset: 2, secret: "echo", version: 1 }];
  assert.deepEqual(segments("😀 ***", masks), [{ text: "😀 " }, { mask: { name: "echo", version: 1 } }]);
});

test("outputs name what stood where, at any depth, in keys, and in what was cut", () => {
  const place = (path, offset = 0, more = {}) => ({ path, offset, secret: "echo", version: 1, ...more });
  const chip = { mask: { name: "echo", version: 1 } };
  assert.deepEqual(outputSegments("Bearer ***", [place([], 7)]), [{ text: "Bearer " }, chip]);
  const drawn = outputSegments({ a: { b: "x *** ***" }, "***": [1] }, [place(["a", "b"], 2), place(["a", "b"], 6), place(["***"], 0, { key: true })]);
  assert.deepEqual(drawn.filter((part) => "mask" in part), [chip, chip, chip]);
  assert.equal(drawn.map((part) => part.text ?? "***").join(""), JSON.stringify({ a: { b: "x *** ***" }, "***": [1] }, null, 2));
  assert.deepEqual(outputSegments({ preview: "a ***", characters: 9, truncated: true }, [place(["preview"], 2)]), [{ text: "a " }, chip, { text: "… (9 characters)" }]);
  const nowhere = outputSegments({ a: "***" }, [place(["b"]), place(["a"], 9), place([], 3)]);
  assert.deepEqual(nowhere.filter((part) => "mask" in part), [{ mask: null }]);
  assert.equal(outputSegments("x".repeat(5000)).at(-1).text, "…");
});

test("a run of one node leaves the others as they are", () => {
  const run = new RunState("r");
  run.merge({ state: "succeeded", trigger: { kind: "node", part: ["a"] }, nodes: [{ id: "a", state: "succeeded", outputs: { x: "***" }, output_masks: { x: [] } }] });
  assert.deepEqual(["a", "b"].map((id) => run.shown(id)), ["succeeded", "idle"]);
  assert.deepEqual(run.nodes.get("a").outputMasks, { x: [] });
});
