// The timeline: one bar a node, drawn from state/run.js `timeline`.
// Hooks: .gantt__row[data-node][data-state].

import { durationText } from "../state/log.js";
import { timeline } from "../state/run.js";
import { h, icon, replace, s } from "./dom.js";
import { STATES } from "./node_element.js";

const BARS = { succeeded: "g-ok", failed: "g-bad", rejected: "g-bad", running: "g-run", queued: "g-wait", cancelled: "g-skip", skipped: "g-skip" };
const TONES = { succeeded: "c-ok", failed: "c-bad", rejected: "c-bad", running: "c-run" };

/**
 * Draw all rows; a row that looks as it did is left alone, for it is drawn at each tick of a clock.
 * options: {icons: bool, axis: bool}
 */
export function drawTimeline(root, run, order, label, { icons = false, axis = false } = {}) {
  const model = timeline(run, order, Date.now());
  root.setAttribute("role", "list");
  root.setAttribute("aria-label", "Node timeline");
  const before = new Map([...root.children].filter((row) => row.look).map((row) => [row.dataset.node, row]));
  const rows = model.rows.map((row) => {
    const look = [row.state, row.x?.toFixed(1), row.width?.toFixed(1), row.elapsed, model.now, label(row.id)].join("|");
    const there = before.get(row.id);
    if (there?.look === look) return there;
    const made = barRow(row, model, label(row.id), { icons, axis });
    made.look = look;
    there?.replaceWith(made);
    return made;
  });
  const wanted = [...(axis ? [axisRow(model.span)] : []), ...rows];
  const same = !axis && wanted.length === root.children.length && wanted.every((row, index) => root.children[index] === row);
  if (!same) replace(root, wanted);
}

function barRow(row, model, name, { icons, axis }) {
  const [symbol, word] = STATES[row.state] ?? STATES.idle;
  const text = row.elapsed === null ? (row.state === "queued" || row.state === "idle" ? "–" : word.toLowerCase()) : durationText(row.elapsed);
  return h(
    "div",
    { class: "gantt__row", role: "listitem", dataset: { node: row.id, state: row.state } },
    h(
      "span",
      { class: `gantt__name ${icons ? (TONES[row.state] ?? "muted") : ""}` },
      icons ? icon(symbol, "s", row.state === "running" ? "spin" : "") : null,
      h("span", { class: "trunc", title: `${name}, ${word.toLowerCase()}` }, name),
    ),
    s(
      "svg",
      { class: "bar", "aria-hidden": "true" },
      axis ? [0, 25, 50, 75, 100].map((x) => s("line", { class: "g-grid", x1: `${x}%`, x2: `${x}%`, y1: -3, y2: 26 })) : [],
      model.now === null ? null : s("line", { class: "g-now", x1: "100%", x2: "100%", y1: -2, y2: 26 }),
      row.x === null ? null : s("rect", { class: BARS[row.state] ?? "g-wait", x: `${row.x}%`, y: 7, width: `${row.width}%`, height: 8, rx: 2 }),
    ),
    h("span", { class: "num right soft" }, text),
  );
}

function axisRow(span) {
  const at = (part) => durationText(span * part).replace(/ ms$/, "");
  const anchors = ["start", "middle", "middle", "middle", "end"];
  const ticks = [0, 25, 50, 75, 100].map((x, index) => s("text", { x: `${x}%`, y: 14, "text-anchor": anchors[index] }, at(x / 100)));
  return h("div", { class: "gantt__row gantt__axis", role: "presentation" }, h("span"), s("svg", { class: "bar", "aria-hidden": "true" }, ticks), h("span"));
}
