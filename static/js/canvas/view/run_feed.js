// A run as it happens: an EventSource-like feed over polling, so that the live listener's stream
// can take its place behind the same interface.
//
//   const feed = followRun({api, runId, after, onEvents(events), onRun(run), onTrouble(error|null)})
//   feed.close()
//
// Polls faster while something happens (150 ms) and slower while nothing does (up to 400 ms);
// when the server can't be reached it keeps trying, ever slower, and says so once.

import { FINAL } from "../state/run.js";

const FAST = 150;
const SLOW = 400;
const PAGE = 500;
const RUN_EVERY = 1200;

export function followRun({ api, runId, after = 0, onEvents, onRun, onTrouble = () => {} }) {
  const stop = new AbortController();
  const loop = async () => {
    let seq = after;
    let wait = FAST;
    let trouble = 0;
    let checked = 0;
    let state = null;
    while (!stop.signal.aborted) {
      try {
        const { body } = await api.get(`/runs/${runId}/events?after=${seq}&limit=${PAGE}`, stop);
        const events = body.items;
        if (events.length) onEvents(events);
        seq = events.at(-1)?.seq ?? seq;
        const told = events.some((event) => event.type === "run");
        if (FINAL.has(state) && !events.length) return;
        if (told || !state || FINAL.has(state) || Date.now() - checked > RUN_EVERY) {
          const answer = await api.get(`/runs/${runId}`, stop);
          state = answer.body.state;
          checked = Date.now();
          onRun(answer.body);
        }
        wait = events.length ? FAST : Math.min(SLOW, wait + 50);
        if (events.length >= PAGE || (FINAL.has(state) && !told)) wait = 0;
        if (trouble) onTrouble(null);
        trouble = 0;
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!trouble) onTrouble(error);
        if (error.status === 404 || error.status === 401 || error.status === 403) return;
        trouble += 1;
        wait = Math.min(5000, SLOW * 2 ** trouble);
      }
      await pause(wait, stop.signal);
    }
  };
  loop();
  return { close: () => stop.abort() };
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
