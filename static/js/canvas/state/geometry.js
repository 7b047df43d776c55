// Where everything is, in canvas units. The style sheet uses the same heights (css/canvas/node.css), so wires can be drawn and pins be found without asking the page.

import { wiresInto } from "./document.js";

export const WIDTH = 204;
export const COMPACT_WIDTH = 160;
export const GRID = 20;
export const SNAP = 24;
const BAND = 6;
const HEAD = 46;
const SUMMARY = 30;
const ROW = 24;
const PORTS_PAD = 8;
const FOOT = 26;
const BORDER = 2;

/**
 * The shape of a node: {width, height, inputs, outputs, hidden, foldable, summary, pin, band}, where
 * inputs and outputs are ports with `x` and `y`, the pin's centre from the node's corner.
 */
export function nodeShape(document, catalog, node, expanded = false) {
  const item = catalog.of(node);
  const shown = catalog.shownInputs(document, node, expanded);
  const outputs = catalog.outputs(document, node);
  const summary = catalog.summary(node);
  const band = Boolean(item?.handles_secrets);
  const width = isCompact(node, shown.ports, outputs, summary, band) ? COMPACT_WIDTH : WIDTH;
  const top = 1 + (band ? BAND : 0) + HEAD + (summary ? SUMMARY : 0) + 2;
  const place = (x) => (port, row) => ({ ...port, x, y: top + row * ROW + ROW / 2 });
  const rows = Math.max(shown.ports.length + (shown.foldable ? 1 : 0), outputs.length);
  return {
    width,
    height: top - 1 + rows * ROW + PORTS_PAD - 2 + FOOT + BORDER,
    inputs: shown.ports.map(place(0)),
    outputs: outputs.map(place(width)),
    hidden: shown.hidden,
    foldable: shown.foldable,
    summary,
    pin: catalog.pin(node),
    band,
  };
}

function isCompact(node, inputs, outputs, summary, band) {
  const longest = (ports) => Math.max(0, ...ports.map((port) => port.name.length));
  return !summary && !band && node.label.length <= 16 && longest(inputs) + longest(outputs) <= 18;
}

/** The pin of a port in canvas units, or null when the node doesn't show it. */
export function pinPoint(node, shape, port, direction) {
  const list = direction === "in" ? shape.inputs : shape.outputs;
  const found = list.find((item) => item.name === port);
  if (!found) return null;
  return { x: node.position[0] + found.x, y: node.position[1] + found.y };
}

/** The nearest of `pins` ({x, y, …}) within `radius` of a point, or null. */
export function nearestPin(pins, point, radius) {
  let best = null;
  let distance = radius;
  for (const pin of pins) {
    const away = Math.hypot(pin.x - point.x, pin.y - point.y);
    if (away <= distance) {
      best = pin;
      distance = away;
    }
  }
  return best;
}

/** The path of a wire from output to input: leaves to the right, arrives from the left. */
export function wirePath(a, b) {
  const dx = b.x - a.x;
  const k = dx > 0 ? Math.max(26, Math.min(dx * 0.5, 130)) : Math.min(180, 70 + Math.abs(dx) * 0.2);
  const n = (value) => Math.round(value * 10) / 10;
  return `M ${n(a.x)} ${n(a.y)} C ${n(a.x + k)} ${n(a.y)} ${n(b.x - k)} ${n(b.y)} ${n(b.x)} ${n(b.y)}`;
}

/** The rectangle around boxes {x, y, width, height}, or null for none. */
export function bounds(boxes) {
  if (!boxes.length) return null;
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  return {
    x,
    y,
    width: Math.max(...boxes.map((box) => box.x + box.width)) - x,
    height: Math.max(...boxes.map((box) => box.y + box.height)) - y,
  };
}

/** Whether two rectangles share a point. */
export function overlaps(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** The scale and shift that fit a rectangle into a view with a margin. */
export function fitTransform(rect, view, { margin = 40, max = 1, min = 0.1 } = {}) {
  const scale = Math.max(
    min,
    Math.min(max, (view.width - 2 * margin) / rect.width, (view.height - 2 * margin) / rect.height),
  );
  return {
    scale,
    x: (view.width - rect.width * scale) / 2 - rect.x * scale,
    y: (view.height - rect.height * scale) / 2 - rect.y * scale,
  };
}

/** A free place near a point: moved down until no box is within `gap` of it. */
export function freePlace(boxes, point, size, gap = GRID) {
  const snap = (value) => Math.round(value / GRID) * GRID;
  const box = { x: snap(point.x) - gap, y: snap(point.y) - gap, width: size.width + 2 * gap, height: size.height + 2 * gap };
  for (let tries = 0; tries < 200 && boxes.some((other) => overlaps(box, other)); tries += 1) box.y += GRID;
  return [box.x + gap, box.y + gap];
}

/** How far a box is as the next one: to the right is near, sideways counts more, behind is far. */
export function distanceBetween(a, b) {
  return Math.hypot(b.x - a.x, (b.y - a.y) * 1.5) + (b.x < a.x ? 400 : 0);
}

/** True when an input already has a wire (its pin is drawn filled). */
export function isWired(document, nodeId, port) {
  return wiresInto(document, nodeId, port).length > 0;
}
