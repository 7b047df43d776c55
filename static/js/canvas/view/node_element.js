// A node as an element: band, head, summary, ports, foot, flag. Drawn from a model, in place.
//
// Hooks for tests and other modules:
//   article.node[data-node-id]                     the node, focusable, aria-label "Log, failed, 1 error"
//   .pin[data-port="NODE.PORT"][data-direction]    a pin, "in" or "out", data-type its port type
//   button.flag[data-flag="NODE"]                  the problem flag; click opens the problems
//   button[data-unfold="NODE"]                     shows or hides the optional inputs

import { durationText } from "../state/log.js";
import { counted } from "../state/problems.js";
import { h, hidden, icon, replace, setAttribute } from "./dom.js";
import { pinSvg } from "./pins.js";

const TILES = { trigger: "trigger", secret: "secret", connect: "net", logic: "logic", output: "out" };
export const STATES = {
  idle: ["circle-dashed", "Idle"],
  queued: ["clock", "Queued"],
  running: ["loader-circle", "Running"],
  succeeded: ["circle-check", "Succeeded"],
  failed: ["circle-x", "Failed"],
  rejected: ["octagon-alert", "Rejected"],
  skipped: ["skip-forward", "Skipped"],
  cancelled: ["circle-slash", "Cancelled"],
};

/** The category tile with a component's icon. */
export function tile(item, size = "s") {
  const kind = TILES[item?.category] ?? "unknown";
  return h("span", { class: `tile tile--${kind}` }, icon(item?.icon ?? "puzzle", size));
}

/** An empty node element; `drawNode` fills it, as a mere box until it is asked for in full. */
export function createNodeElement(id) {
  return h("article", { class: "node", tabindex: "0", dataset: { nodeId: id } });
}

/**
 * Bring a node element up to date.
 * model: {node, item, shape, full, wiredIn: Set, wiredOut: Set, selected, flag, state, elapsed};
 * without `full` it is a box with its kind's colour: a node has 60 elements, and a thousand nodes
 * that are out of sight or too small to read needn't.
 */
export function drawNode(element, model) {
  const signature = model.full ? structure(model) : `${model.shape.band}`;
  if (element.structure !== signature) {
    element.structure = signature;
    element.look = null;
    replace(element, band(model.shape), sketch(model.item), model.full ? [...body(model), foot()] : null);
  }
  const look = appearance(model);
  if (element.look !== look) {
    element.look = look;
    drawState(element, model);
    drawFlag(element, model);
  }
  if (model.full) element.querySelector(":scope > .node__foot > .t").textContent = durationText(model.elapsed);
}

function appearance({ node, selected, state, flag, wiredIn, wiredOut }) {
  return [node.label, node.disabled, selected, state, flag?.severity, flag?.text, flag?.count, [...wiredIn], [...wiredOut]].join("|");
}

function band(shape) {
  return shape.band ? h("div", { class: "node__band", title: "Handles secret material" }) : null;
}

function sketch(item) {
  return h("span", { class: `node__sketch tile tile--${TILES[item?.category] ?? "unknown"}` });
}

function structure({ node, item, shape }) {
  const ports = (list) => list.map((port) => `${port.name}:${port.type}:${port.required ? 1 : 0}`).join();
  return [
    node.label, node.component, Boolean(item), shape.width, shape.height, shape.summary, shape.pin,
    ports(shape.inputs), ports(shape.outputs), shape.hidden, shape.band,
  ].join("|");
}

function body({ node, item, shape }) {
  return [
    h(
      "header",
      { class: "node__head" },
      tile(item),
      h(
        "span",
        { class: "node__name" },
        h("strong", { title: node.label }, node.label),
        h("small", {}, item ? node.component : `${node.component} · unknown`),
      ),
    ),
    shape.summary ? h("div", { class: "node__sum", title: shape.summary }, h("span", {}, shape.summary), shape.pin ? h("em", {}, shape.pin) : null) : null,
    h(
      "div",
      { class: "ports" },
      h("ul", { "aria-label": "Inputs" }, shape.inputs.map((port) => portRow(node, port)), unfold(node, shape)),
      h("ul", { "aria-label": "Outputs" }, shape.outputs.map((port) => portRow(node, port))),
    ),
  ];
}

function portRow(node, port) {
  return h(
    "li",
    { class: `port port--${port.direction}`, title: port.help || null },
    h(
      "span",
      {
        class: `pin pin--${port.type}`,
        "aria-hidden": "true",
        dataset: { port: `${node.id}.${port.name}`, direction: port.direction, type: port.type },
      },
      pinSvg(port.type),
    ),
    h(
      "span",
      { class: "port__name" },
      hidden(`${port.type} `),
      port.name,
      port.required ? h("span", { class: "port__req", title: "required", "aria-label": "required" }, "*") : null,
    ),
  );
}

function unfold(node, shape) {
  if (!shape.foldable) return null;
  const words = shape.hidden ? `${shape.hidden} more` : "fewer";
  return h(
    "li",
    { class: "port port--fold" },
    h(
      "button",
      {
        type: "button",
        class: "node__fold",
        tabindex: "-1",
        dataset: { unfold: node.id },
        "aria-label": shape.hidden ? `Show ${counted(shape.hidden, "more input")}` : "Show fewer inputs",
      },
      icon(shape.hidden ? "chevron-down" : "chevron-up", "xs"),
      words,
    ),
  );
}

function foot() {
  return h("footer", { class: "node__foot" }, h("span", { class: "node__state" }), h("span", { class: "t" }));
}

function drawState(element, { node, selected, state = "idle", wiredIn, wiredOut, flag }) {
  for (const name of Object.keys(STATES)) element.classList.toggle(`is-${name}`, name === state);
  element.classList.toggle("is-selected", Boolean(selected));
  element.classList.toggle("is-disabled", Boolean(node.disabled));
  element.classList.toggle("has-error", flag?.severity === "error");
  const [symbol, word] = node.disabled && state === "idle" ? ["power", "Disabled"] : (STATES[state] ?? STATES.idle);
  const place = element.querySelector(".node__state");
  if (place && (place.dataset.state !== state || place.word !== word)) {
    place.dataset.state = state;
    place.word = word;
    replace(place, icon(symbol, "xs", state === "running" ? "spin" : ""), h("span", {}, word));
  }
  for (const pin of element.querySelectorAll(".pin")) {
    const name = pin.dataset.port.slice(node.id.length + 1);
    pin.classList.toggle("on", (pin.dataset.direction === "in" ? wiredIn : wiredOut).has(name));
  }
  const parts = [node.label];
  if (state !== "idle" || node.disabled) parts.push(word.toLowerCase());
  if (flag) parts.push(counted(flag.count, flag.severity));
  element.setAttribute("aria-label", parts.join(", "));
  setAttribute(element, "aria-current", selected ? "true" : null);
}

function drawFlag(element, { node, flag }) {
  const there = element.querySelector(":scope > .flag");
  const signature = flag ? `${flag.severity}|${flag.text}` : "";
  if ((there?.signature ?? "") === signature) return;
  there?.remove();
  if (!flag) return;
  const bad = flag.severity === "error";
  const button = h(
    "button",
    {
      type: "button",
      class: `flag flag--${bad ? "bad" : "warn"}`,
      tabindex: "-1",
      title: flag.text,
      "aria-label": flag.text,
      dataset: { flag: node.id },
    },
    icon(bad ? "octagon-alert" : "triangle-alert", "xs"),
    String(flag.count),
  );
  button.signature = signature;
  element.append(button);
}
