// A run as it happens: the live listener's stream of server-sent events, or polling where there is
// no listener or it can't be reached.
//
//   const feed = followRun({api, runId, after, onEvents(events), onRun(run), onTrouble(error|null)})
//   feed.close()
//
// Events come in batches, in order, each at least once (RunState drops what it has seen); the run
// itself is read again when an event says that its state changed, and at the end.

import { FINAL } from "../state/run.js";

const FAST = 150;
const SLOW = 400;
const PAGE = 500;
const RUN_EVERY = 1200;
const BATCH = 40;
const PATIENCE = 3;
const OPENING = 1500;

/** `live` is the origin of the live listener ("" for none); `Source` an EventSource class. */
export function followRun(options) {
  const { live = liveOrigin(), Source = globalThis.EventSource } = options;
  const stop = new AbortController();
  const feed = { ...options, stop, seq: options.after ?? 0, onTrouble: options.onTrouble ?? (() => {}) };
  if (live && Source) stream(feed, live, Source);
  else poll(feed);
  return { close: () => stop.abort() };
}

function liveOrigin() {
  return globalThis.document?.querySelector('meta[name="tacit-live"]')?.content ?? "";
}

// ---- the stream ----

function stream(feed, live, Source) {
  const query = new URLSearchParams({ after: feed.seq, environment: feed.api.environment });
  const source = new Source(`${live}/api/v1/runs/${feed.runId}/stream?${query}`, { withCredentials: true });
  let waiting = [];
  let timer = null;
  let failures = 0;
  let opened = false;
  const readRun = reader(feed);
  const giveUp = () => {
    clearTimeout(opening);
    source.close();
    flush();
    poll(feed);
  };
  let opening = setTimeout(giveUp, OPENING);
  const flush = () => {
    clearTimeout(timer);
    timer = null;
    const events = waiting;
    waiting = [];
    if (!events.length) return;
    feed.seq = Math.max(feed.seq, events.at(-1).seq);
    feed.onEvents(events);
    if (events.some((event) => event.type === "run")) readRun();
  };
  feed.stop.signal.addEventListener("abort", () => {
    clearTimeout(opening);
    source.close();
  });
  source.addEventListener("open", () => {
    opened = true;
    clearTimeout(opening);
    if (failures) feed.onTrouble(null);
    failures = 0;
    readRun();
  });
  source.addEventListener("event", ({ data }) => {
    waiting.push(JSON.parse(data));
    timer ??= setTimeout(flush, BATCH);
  });
  source.addEventListener("end", () => {
    clearTimeout(opening);
    source.close();
    flush();
    readRun();
  });
  source.addEventListener("error", () => {
    if (feed.stop.signal.aborted) return;
    failures += 1;
    // Closed means refused; a stream that broke the browser opens again, but not for ever.
    if (!opened || source.readyState === 2 || failures >= PATIENCE) return giveUp();
    // Where nobody answers at all, no further error would come either.
    clearTimeout(opening);
    opening = setTimeout(giveUp, 2 * OPENING);
  });
}

/** Read the run, never twice at once; asked while it is being read, once more after. */
function reader(feed) {
  let running = false;
  let again = false;
  const read = async () => {
    if (running) return (again = true);
    running = true;
    try {
      const { body } = await feed.api.get(`/runs/${feed.runId}`, { signal: feed.stop.signal });
      feed.onRun(body);
    } catch (error) {
      if (!feed.stop.signal.aborted) feed.onTrouble(error);
    }
    running = false;
    if (again && !feed.stop.signal.aborted) {
      again = false;
      await read();
    }
    return undefined;
  };
  return read;
}

// ---- polling ----

/** Faster while something happens, slower while nothing does; ever slower while nobody answers. */
async function poll(feed) {
  const { api, runId, stop } = feed;
  let wait = FAST;
  let trouble = 0;
  let checked = 0;
  let state = null;
  while (!stop.signal.aborted) {
    try {
      const { body } = await api.get(`/runs/${runId}/events?after=${feed.seq}&limit=${PAGE}`, stop);
      const events = body.items;
      if (events.length) feed.onEvents(events);
      feed.seq = events.at(-1)?.seq ?? feed.seq;
      if (trouble) feed.onTrouble(null);
      trouble = 0;
      if (FINAL.has(state) && !events.length) return;
      const told = events.some((event) => event.type === "run");
      if (told || !state || FINAL.has(state) || Date.now() - checked > RUN_EVERY) {
        const answer = await api.get(`/runs/${runId}`, stop);
        state = answer.body.state;
        checked = Date.now();
        feed.onRun(answer.body);
      }
      wait = events.length ? FAST : Math.min(SLOW, wait + 50);
      if (events.length >= PAGE || FINAL.has(state)) wait = 0;
    } catch (error) {
      if (stop.signal.aborted) return;
      if (!trouble) feed.onTrouble(error);
      if ([401, 403, 404].includes(error.status)) return;
      trouble += 1;
      wait = Math.min(5000, SLOW * 2 ** trouble);
    }
    await pause(wait, stop.signal);
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
