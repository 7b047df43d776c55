import assert from "node:assert/strict";
import { test } from "node:test";

import { Autosave } from "../../static/js/canvas/state/autosave.js";
import { History } from "../../static/js/canvas/state/history.js";
import { parseDocument } from "../../static/js/canvas/state/document.js";
import { bounds, fitTransform, freePlace, nearestPin, wirePath } from "../../static/js/canvas/state/geometry.js";
import { diamond } from "./fixtures.mjs";

function timers() {
  const waiting = new Map();
  let next = 1;
  return {
    waiting,
    setTimeout: (act, milliseconds) => (waiting.set(next, { act, milliseconds }), next++),
    clearTimeout: (id) => waiting.delete(id),
    async fire() {
      const [[id, { act }]] = waiting;
      waiting.delete(id);
      await act();
    },
  };
}

const failing = (status) => Object.assign(new Error("no"), { status, problems: [] });

test("changes within the delay are one save, with the revision it answers next time", async () => {
  const clock = timers();
  const seen = [];
  const save = async (etag) => (seen.push(etag), { etag: `"${seen.length + 1}"` });
  const autosave = new Autosave({ save, etag: '"1"', timers: clock });
  autosave.touch();
  autosave.touch();
  assert.equal(clock.waiting.size, 1);
  assert.equal([...clock.waiting.values()][0].milliseconds, 800);
  await clock.fire();
  autosave.touch();
  await clock.fire();
  assert.deepEqual(seen, ['"1"', '"2"']);
  assert.equal(autosave.state, "saved");
});

test("a change during a save is saved after it", async () => {
  const clock = timers();
  let count = 0;
  const autosave = new Autosave({
    etag: null, timers: clock,
    save: async () => {
      count += 1;
      if (count === 1) autosave.touch();
      return { etag: "x" };
    },
  });
  autosave.touch();
  await clock.fire();
  assert.equal(autosave.dirty, true);
  await clock.fire();
  assert.deepEqual([count, autosave.dirty], [2, false]);
});

test("an unreachable server is tried again, ever slower, without loss", async () => {
  const clock = timers();
  const waits = [];
  let broken = true;
  const autosave = new Autosave({ etag: null, timers: clock, save: async () => {
    if (broken) throw failing(0);
    return { etag: "y" };
  } });
  autosave.touch();
  for (let round = 0; round < 3; round += 1) {
    await clock.fire();
    waits.push([...clock.waiting.values()][0].milliseconds);
    assert.equal(autosave.state, "retrying");
  }
  assert.deepEqual(waits, [1000, 2000, 4000]);
  broken = false;
  assert.equal(await autosave.flush(), true);
  assert.equal(autosave.state, "saved");
});

test("a stale revision stops saving until somebody chooses", async () => {
  const clock = timers();
  let stale = true;
  const autosave = new Autosave({ etag: '"1"', timers: clock, save: async (etag) => {
    if (stale) throw failing(412);
    return { etag: `${etag}+` };
  } });
  autosave.touch();
  assert.equal(await autosave.flush(), false);
  autosave.touch();
  assert.equal(autosave.state, "stale");
  assert.equal(clock.waiting.size, 0);
  stale = false;
  autosave.resume('"9"', { dirty: true });
  await clock.fire();
  assert.deepEqual([autosave.state, autosave.etag], ["saved", '"9"+']);
});

test("a refused document waits for the next change", async () => {
  const clock = timers();
  const autosave = new Autosave({ etag: null, timers: clock, save: async () => { throw failing(422); } });
  autosave.touch();
  await clock.fire();
  assert.equal(autosave.state, "refused");
  assert.equal(clock.waiting.size, 0);
  autosave.touch();
  assert.equal(clock.waiting.size, 1);
});

test("history merges only what follows closely", () => {
  let now = 0;
  const history = new History(parseDocument(diamond()), { now: () => now });
  const set = (value) => history.perform({ label: "edit", merge: "k", operations: [{ op: "node.set", id: "a", key: "label", value }] });
  set("1");
  set("2");
  now = 10_000;
  set("3");
  assert.equal(history.done.length, 2);
  history.undo();
  assert.equal(history.document.nodes.get("a").label, "2");
  history.undo();
  assert.equal(history.document.nodes.get("a").label, "A");
  assert.equal(history.undo(), null);
  history.redo();
  assert.equal(history.document.nodes.get("a").label, "2");
});

test("a new step forgets what was undone", () => {
  const history = new History(parseDocument(diamond()));
  const set = (value) => history.perform({ label: "edit", operations: [{ op: "node.set", id: "a", key: "label", value }] });
  set("1");
  history.undo();
  set("2");
  assert.equal(history.redoLabel, null);
  assert.equal(history.redo(), null);
});

test("geometry: bounds, fit, nearest pin, free places, wire paths", () => {
  assert.equal(bounds([]), null);
  assert.deepEqual(bounds([{ x: 0, y: 0, width: 10, height: 10 }, { x: 20, y: -5, width: 5, height: 5 }]), { x: 0, y: -5, width: 25, height: 15 });
  const fit = fitTransform({ x: 100, y: 0, width: 1000, height: 100 }, { width: 580, height: 400 });
  assert.deepEqual([fit.scale, fit.x, fit.y], [0.5, -10, 175]);
  const pins = [{ x: 0, y: 0, id: 1 }, { x: 30, y: 0, id: 2 }];
  assert.equal(nearestPin(pins, { x: 18, y: 0 }, 24).id, 2);
  assert.equal(nearestPin(pins, { x: 100, y: 0 }, 24), null);
  assert.deepEqual(freePlace([{ x: 0, y: 0, width: 30, height: 30 }], { x: 3, y: 3 }, { width: 20, height: 20 }), [0, 60]);
  assert.match(wirePath({ x: 0, y: 0 }, { x: 100, y: 50 }), /^M 0 0 C 50 0 50 50 100 50$/);
});
