// "Last run" of one node: its state, what went wrong with the remedy, and its outputs. A secret
// port's output is a placeholder {secret, version}, drawn as a chip; text is drawn with its masks.

import { durationText, segments } from "../state/log.js";
import { h, icon, replace } from "./dom.js";
import { STATES } from "./node_element.js";
import { chip, drawSegments } from "./log_view.js";

export function drawLastRun(root, editor, node) {
  const { run } = editor;
  if (!run) return replace(root, h("p", { class: "field__help" }, "This node has not run since the page was opened. Press Run."));
  const state = run.shown(node.id);
  const [symbol, word] = STATES[state] ?? STATES.idle;
  const mine = run.nodes.get(node.id);
  const problem = mine?.problem ?? run.problems.find((item) => item.node === node.id);
  replace(
    root,
    h(
      "p",
      { class: `status status--${state}` },
      icon(symbol, "s", state === "running" ? "spin" : ""),
      word,
      h("span", { class: "muted" }, durationText(run.nodeElapsed(node.id, Date.now()))),
    ),
    problem ? h("div", { class: "banner banner--bad" }, icon("octagon-alert"), h("div", {}, h("p", {}, problem.message), h("p", { class: "mono muted" }, problem.code))) : null,
    mine?.leaks ? h("p", { class: "banner banner--warn" }, `${mine.leaks} secret value${mine.leaks === 1 ? " was" : "s were"} kept out of this node's outputs.`) : null,
    outputs(mine?.outputs),
  );
}

function outputs(values) {
  const names = Object.keys(values ?? {});
  if (!names.length) return h("p", { class: "field__help" }, "No outputs.");
  return h(
    "dl",
    { class: "outputs" },
    names.flatMap((name) => [h("dt", {}, name), h("dd", { dataset: { output: name } }, value(values[name]))]),
  );
}

function value(given) {
  if (given && typeof given === "object" && typeof given.secret === "string" && Object.keys(given).length <= 2) {
    return chip({ name: given.secret, version: given.version });
  }
  const text = typeof given === "string" ? given : JSON.stringify(given, null, 2);
  const shown = text.length > 4000 ? `${text.slice(0, 4000)}…` : text;
  return h("pre", { class: "code" }, drawSegments(segments(shown)));
}
