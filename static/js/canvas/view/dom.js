// Building the page: elements by calls, never by strings of markup. Text is always a text node,
// so whatever a label, a log line or a problem says, it stays text.

import { ICONS } from "../../../vendor/lucide/icons.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Properties: `class`, `dataset` (an object), `on` ({event: listener}),
 * anything else is an attribute; null, undefined and false leave it out, true sets it empty.
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** An SVG element, with the same properties as `h`. */
export function s(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, { dataset = {}, on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  for (const [name, value] of Object.entries(dataset)) {
    if (value !== null && value !== undefined) element.dataset[name] = value;
  }
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Set or take away one attribute by the rules of `h`. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Replace an element's children. */
export function replace(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

/** A lucide icon; sizes "", "s", "xs", "l". A name we don't carry becomes a box. */
export function icon(name, size = "", extra = "") {
  const shapes = ICONS[name] ?? ICONS.box;
  const classes = ["icon", size && `icon--${size}`, extra].filter(Boolean).join(" ");
  return s(
    "svg",
    { class: classes, viewBox: "0 0 24 24", "aria-hidden": "true" },
    shapes.map(([tag, attributes]) => s(tag, attributes)),
  );
}

/** Whether a dialog is open, which then has the keys and the clipboard to itself. */
export function dialogOpen() {
  return Boolean(document.querySelector("dialog[open]"));
}

/** Text for screen readers only. */
export function hidden(text) {
  return h("span", { class: "sr" }, text);
}

/** Put the icon of `data-icon` (and `data-icon-size`) in front of each element that asks for one. */
export function fillIcons(root) {
  for (const element of root.querySelectorAll("[data-icon]")) {
    element.prepend(icon(element.dataset.icon, element.dataset.iconSize ?? ""));
    delete element.dataset.icon;
  }
}

/** "09:41" of a moment. */
export function clockText(date) {
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}
