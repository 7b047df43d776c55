// The pins of the port types, drawn: each type has a shape of its own, the secret its lock.

import { h, s } from "./dom.js";

const SHAPES = {
  text: () => [s("circle", { class: "pin-shape", cx: 8, cy: 8, r: 4.6 })],
  number: () => [s("path", { class: "pin-shape", d: "M8 2.2 13.8 8 8 13.8 2.2 8Z" })],
  boolean: () => [
    s("rect", { class: "pin-shape", x: 1, y: 4, width: 14, height: 8, rx: 4 }),
    s("circle", { class: "pin-knob", cx: 11, cy: 8, r: 2.2 }),
  ],
  json: () => [s("rect", { class: "pin-shape", x: 3.2, y: 3.2, width: 9.6, height: 9.6, rx: 1.6 })],
  list: () => [
    s("rect", { class: "pin-shape", x: 2.5, y: 2.8, width: 11, height: 4.2, rx: 1 }),
    s("rect", { class: "pin-shape", x: 2.5, y: 9, width: 11, height: 4.2, rx: 1 }),
  ],
  any: () => [
    s("circle", { class: "pin-any", cx: 8, cy: 8, r: 5.4 }),
    s("circle", { class: "pin-dot", cx: 8, cy: 8, r: 2.3 }),
  ],
  order: () => [s("path", { class: "pin-shape", d: "M3.5 3h4.2l5 5-5 5H3.5l4-5Z" })],
  secret: () => [
    s("path", { class: "pin-hex", d: "M11 1.4 19.4 6.2v9.6L11 20.6 2.6 15.8V6.2Z" }),
    s("rect", { class: "pin-lockb", x: 7.2, y: 10.2, width: 7.6, height: 5.4, rx: 1.1 }),
    s("path", { class: "pin-lock", d: "M8.8 10.2V8.7a2.2 2.2 0 0 1 4.4 0v1.5" }),
  ],
};

/** The drawing of a type. */
export function pinSvg(type) {
  const size = type === "secret" ? 22 : 16;
  return s("svg", { viewBox: `0 0 ${size} ${size}`, "aria-hidden": "true" }, (SHAPES[type] ?? SHAPES.any)());
}

/** A pin as a small sign in lists and legends. */
export function pinGlyph(type, on = true) {
  return h("span", { class: `glyph pin pin--${type} ${on ? "on" : "off"}`, "aria-hidden": "true" }, pinSvg(type));
}

/** What a type is called in sentences and legends. */
export const TYPE_NAMES = {
  text: "Text", number: "Number", boolean: "Boolean", json: "JSON",
  list: "List", any: "Any", order: "Order", secret: "Secret",
};
