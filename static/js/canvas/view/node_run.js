// "Last run" of one node: its state, what went wrong with the remedy, what came in by wires, what
// went out, and its lines of the log. A secret port's output is a placeholder {secret, version}, drawn
// as a chip; text is drawn with its masks.

import { wiresInto } from "../state/document.js";
import { durationText, offsetText, segments } from "../state/log.js";
import { outputSegments } from "../state/masks.js";
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
    problem ? h("div", { class: "banner banner--bad" }, icon("octagon-alert"), h("div", {}, h("p", {}, drawSegments(segments(problem.message, problem.masks ?? []))), h("p", { class: "mono muted" }, problem.code))) : null,
    mine?.leaks ? h("p", { class: "banner banner--warn" }, `${mine.leaks} secret value${mine.leaks === 1 ? " was" : "s were"} kept out of this node's outputs.`) : null,
    section("Input", input(editor, node)),
    section("Output", values(mine?.outputs ?? {}, "output", "No outputs.", (port) => mine?.outputMasks?.[port])),
    section("Log", log(run, node)),
  );
}

function section(title, content) {
  return h("section", { class: "field" }, h("h3", { class: "field__label" }, title), content);
}

/** What the wires into the node carried, by input; several wires into one make a list. */
function input(editor, node) {
  const found = {};
  const masks = {};
  for (const { source, target } of wiresInto(editor.document, node.id)) {
    const { outputs, outputMasks } = editor.run.nodes.get(source.node) ?? {};
    const given = outputs?.[source.port];
    if (given === undefined) continue;
    // Where several come together, the masks' places are those of no single one.
    masks[target.port] = target.port in found ? [] : outputMasks?.[source.port];
    found[target.port] = target.port in found ? [found[target.port], given].flat() : given;
  }
  return values(found, "input", "Nothing came in by a wire.", (port) => masks[port]);
}

const LINES = 200;

function log(run, node) {
  const lines = run.lines.filter((line) => line.node === node.id).slice(-LINES);
  if (!lines.length) return h("p", { class: "field__help" }, "It wrote no lines.");
  return h("div", { class: "log node-log" }, lines.map((line) => h("div", { class: `log__line log__line--${line.level}` }, h("span", { class: "log__t" }, offsetText(line.offset)), h("span", { class: "log__m" }, drawSegments(line.segments)))));
}

function values(given, kind, none, masksOf) {
  const names = Object.keys(given);
  if (!names.length) return h("p", { class: "field__help" }, none);
  return h(
    "dl",
    { class: "outputs" },
    names.flatMap((name) => [h("dt", {}, name), h("dd", { dataset: { [kind]: name } }, value(given[name], masksOf(name)))]),
  );
}

function value(given, masks) {
  if (given && typeof given === "object" && typeof given.secret === "string" && Object.keys(given).length <= 2) {
    return chip({ name: given.secret, version: given.version });
  }
  return h("pre", { class: "code" }, drawSegments(outputSegments(given, masks)));
}
