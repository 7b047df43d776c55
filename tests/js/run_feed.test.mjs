import assert from "node:assert/strict";
import { test } from "node:test";

import { followRun } from "../../static/js/canvas/view/run_feed.js";

const event = (seq, type = "log") => ({ seq, type, at: "2026-01-01T00:00:00Z", text: `line ${seq}` });
const settle = (milliseconds = 80) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function server(runs) {
  const asked = [];
  return {
    asked,
    environment: "default",
    async get(path) {
      asked.push(path);
      if (path.includes("/events")) {
        const after = Number(/after=(\d+)/.exec(path)[1]);
        return { body: { items: runs.events.filter(({ seq }) => seq > after) } };
      }
      return { body: { id: "r", state: runs.state } };
    },
  };
}

class FakeSource extends EventTarget {
  static made = [];
  readyState = 1;
  closed = false;
  constructor(url, options) {
    super();
    Object.assign(this, { url, options });
    FakeSource.made.push(this);
  }
  say(type, data) {
    this.dispatchEvent(Object.assign(new Event(type), { data: JSON.stringify(data) }));
  }
  close() {
    this.closed = true;
  }
}

function collect() {
  const seen = { events: [], runs: [], troubles: [] };
  return {
    seen,
    onEvents: (events) => seen.events.push(...events.map(({ seq }) => seq)),
    onRun: (run) => seen.runs.push(run.state),
    onTrouble: (error) => seen.troubles.push(error),
  };
}

test("polling reads everything and stops when the run is over", async () => {
  const runs = { state: "running", events: [event(1, "run"), event(2)] };
  const api = server(runs);
  const { seen, ...handlers } = collect();
  followRun({ api, runId: "r", live: "", ...handlers });
  await settle(40);
  runs.events.push(event(3), event(4, "run"));
  runs.state = "succeeded";
  await settle(500);
  assert.deepEqual(seen.events, [1, 2, 3, 4]);
  assert.equal(seen.runs.at(-1), "succeeded");
  const before = api.asked.length;
  await settle(500);
  assert.equal(api.asked.length, before);
});

test("the stream hands on events in batches and ends with the run", async () => {
  FakeSource.made.length = 0;
  const api = server({ state: "succeeded", events: [] });
  const { seen, ...handlers } = collect();
  followRun({ api, runId: "r", after: 7, live: "https://live.test", Source: FakeSource, ...handlers });
  const [source] = FakeSource.made;
  assert.equal(source.url, "https://live.test/api/v1/runs/r/stream?after=7&environment=default");
  assert.equal(source.options.withCredentials, true);
  source.say("open", null);
  source.say("event", event(8));
  source.say("event", event(9, "run"));
  assert.deepEqual(seen.events, []);
  source.say("end", { state: "succeeded" });
  await settle(20);
  assert.deepEqual(seen.events, [8, 9]);
  assert.equal(source.closed, true);
  assert.equal(seen.runs.at(-1), "succeeded");
});

test("a refused stream goes on by polling from where it was", async () => {
  FakeSource.made.length = 0;
  const runs = { state: "running", events: [event(1), event(2), event(3, "run")] };
  const { seen, ...handlers } = collect();
  const feed = followRun({ api: server(runs), runId: "r", live: "https://live.test", Source: FakeSource, ...handlers });
  const [source] = FakeSource.made;
  source.say("event", event(1));
  await settle(60);
  source.readyState = 2;
  source.dispatchEvent(new Event("error"));
  await settle(60);
  feed.close();
  assert.deepEqual(seen.events, [1, 2, 3]);
  assert.equal(source.closed, true);
});

test("closing stops both", async () => {
  FakeSource.made.length = 0;
  const api = server({ state: "running", events: [] });
  const { seen, ...handlers } = collect();
  followRun({ api, runId: "r", live: "https://live.test", Source: FakeSource, ...handlers }).close();
  assert.equal(FakeSource.made[0].closed, true);
  const poll = followRun({ api, runId: "r", live: "", ...handlers });
  await settle(20);
  poll.close();
  const before = api.asked.length;
  await settle(400);
  assert.equal(api.asked.length, before);
  assert.deepEqual(seen.troubles, []);
});

test("a stream that never opens gives way to polling", async () => {
  FakeSource.made.length = 0;
  const runs = { state: "running", events: [event(1), event(2)] };
  const { seen, ...handlers } = collect();
  const feed = followRun({ api: server(runs), runId: "r", live: "https://live.test", Source: FakeSource, ...handlers });
  await settle(1200);
  assert.deepEqual(seen.events, []);
  await settle(500);
  feed.close();
  assert.equal(FakeSource.made[0].closed, true);
  assert.deepEqual(seen.events, [1, 2]);
});

test("a stream that breaks and can't be opened again gives way to polling", async () => {
  FakeSource.made.length = 0;
  const runs = { state: "running", events: [event(1), event(2)] };
  const { seen, ...handlers } = collect();
  const feed = followRun({ api: server(runs), runId: "r", live: "https://live.test", Source: FakeSource, ...handlers });
  const [source] = FakeSource.made;
  source.say("open", null);
  source.say("event", event(1));
  source.readyState = 0;
  source.dispatchEvent(new Event("error"));
  await settle(100);
  assert.equal(source.closed, false, "the browser tries again by itself first");
  await settle(3100);
  feed.close();
  assert.equal(source.closed, true);
  assert.deepEqual(seen.events, [1, 2]);
});
