// How a run's state is shown in words, icon and colour; one place for the drawer and the run page.

import { h, icon } from "./dom.js";

export const RUN_STATES = {
  queued: ["clock", "Queued", "muted"],
  checking: ["loader-circle", "Checking secrets", "c-run"],
  running: ["loader-circle", "Running", "c-run"],
  succeeded: ["circle-check", "Succeeded", "c-ok"],
  failed: ["circle-x", "Failed", "c-bad"],
  rejected: ["octagon-alert", "Rejected", "c-bad"],
  cancelled: ["circle-slash", "Cancelled", "muted"],
  skipped: ["skip-forward", "Skipped", "muted"],
};

/** The status of a run, [data-testid="run-state"][data-state]. */
export function runStatus(state) {
  const [symbol, word, tone] = RUN_STATES[state] ?? ["circle-dashed", state, "muted"];
  const turning = state === "running" || state === "checking";
  return h(
    "span",
    { class: `status ${tone}`, dataset: { testid: "run-state", state } },
    icon(symbol, "", turning ? "spin" : ""),
    word,
  );
}

/** "Run 0192…af3c": the end of the id tells runs apart, the start is time. */
export function runName(id) {
  return `Run ${id.slice(-8)}`;
}
