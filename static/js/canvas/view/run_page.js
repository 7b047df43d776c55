// The run page: draws the run's own graph read-only into #run-graph, and while the run goes on
// appends log lines as they come and brings the page's other parts up to date.
//
// Expects of the page: #run[data-run-id][data-run-state][data-last-seq], .stage#run-graph, and the
// parts #run-head, #run-problems, #run-nodes, #run-timeline, #run-log as the server renders them.
// The log view and the graph are the editor's own (log_view.js, graph.js).

import { Catalog } from "../state/catalog.js";
import { Editor } from "../state/editor.js";
import { FINAL, RunState } from "../state/run.js";
import { announce, announceIn } from "./announce.js";
import { Api } from "./api.js";
import { h } from "./dom.js";
import { bindPointer } from "./graph_pointer.js";
import { GraphView } from "./graph.js";
import { LogView } from "./log_view.js";
import { followRun } from "./run_feed.js";
import { RUN_STATES } from "./run_words.js";

const PARTS = ["run-head", "run-problems", "run-nodes", "run-timeline"];
const REFRESH = 500;
const TICK = 200;

async function open(root) {
  const api = Api.ofPage();
  const { runId, lastSeq } = root.dataset;
  const stage = document.getElementById("run-graph");
  const [components, graph, run] = await Promise.all([
    api.get("/components"), api.get(`/runs/${runId}/graph`), api.get(`/runs/${runId}`),
  ]);
  const editor = new Editor({ graph: graph.body.graph, catalog: new Catalog(components.body), readOnly: true });
  const labels = new Map([...editor.document.nodes.values()].map((node) => [node.id, node.label]));
  const state = new RunState(runId, labels);
  state.seq = Number(lastSeq) || 0;
  state.merge(run.body);
  const view = new GraphView(stage, editor);
  bindPointer(view, editor, null, { embedded: true });
  editor.setRun(state);
  view.keepFit = true;
  view.fit();
  if (!FINAL.has(root.dataset.runState)) follow({ api, root, editor, view, state });
}

/** Follow the run; `data-live` tells the page's own polling (pages/polling.js) to rest meanwhile. */
function follow({ api, root, editor, view, state }) {
  root.dataset.live = "true";
  const lines = [...document.querySelectorAll("#run-log [data-seq]")];
  state.seq = Math.max(state.seq, ...lines.map((line) => Number(line.dataset.seq)));
  // The page's own polling (polling.js) rests from here on.
  root.dataset.live = "";
  const log = new LogView(document.getElementById("run-log"), { columns: "full" });
  announceIn(root.appendChild(h("div", { class: "sr", role: "status", "aria-live": "polite" })));
  const refresh = refresher();
  let said = state.state;
  const changed = () => {
    editor.setRun(state);
    if (said !== state.state) announce(`Run ${(RUN_STATES[state.state]?.[1] ?? state.state).toLowerCase()}.`);
    said = state.state;
  };
  followRun({
    api,
    runId: state.id,
    after: state.seq,
    onEvents(events) {
      document.querySelector("[data-log-empty]")?.remove();
      log.append(events.map((event) => state.reduce(event)).filter(Boolean));
      changed();
      if (events.some((event) => event.type !== "log")) refresh();
    },
    onRun(run) {
      state.merge(run);
      changed();
      if (state.final) refresh();
    },
    onTrouble(error) {
      if (error) delete root.dataset.live;
      else root.dataset.live = "true";
    },
  });
  const clock = setInterval(() => {
    for (const node of state.nodes.values()) if (node.state === "running") view.drawOne(node.id);
    if (state.final) clearInterval(clock);
  }, TICK);
}

/** Bring the parts the server renders up to date, at most every REFRESH ms. */
function refresher() {
  let waiting = false;
  const load = async () => {
    waiting = false;
    const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of PARTS) {
      const [now, next] = [document.getElementById(id), page.getElementById(id)];
      if (now && next && !now.contains(document.activeElement)) now.replaceWith(document.adoptNode(next));
    }
  };
  return () => {
    if (!waiting) setTimeout(() => load().catch(() => {}), REFRESH);
    waiting = true;
  };
}

const root = document.getElementById("run");
if (root?.dataset.runId) {
  open(root).catch((error) => {
    const stage = document.getElementById("run-graph");
    stage?.replaceChildren(h("p", { class: "stage__empty" }, `The graph couldn't be drawn. ${error.message}`));
  });
}
