// The palette: components by category with search; drag one onto the canvas, or click / Enter to
// add it at the centre.
//
// Hooks: .pal-item[data-component] an item, input[data-testid="palette-search"], the dragged
// ghost .pal-ghost; `section[data-category]` a group.

import { TYPE_NAMES, pinGlyph } from "./pins.js";
import { h, icon, replace } from "./dom.js";
import { announce } from "./announce.js";
import { tile } from "./node_element.js";

const CLICK = 5;

/** Bind the palette. `place(component, client|null)` adds a node at a point of the page or centred. */
export function bindPalette(root, editor, { stage, place }) {
  const search = root.querySelector("[data-testid='palette-search']");
  const list = root.querySelector("[data-palette-list]");
  const draw = () => {
    const groups = editor.catalog.groups(search.value);
    replace(list, groups.map((group) => section(group, (item) => paletteItem(item, { stage, place }))));
    if (!groups.length) replace(list, empty(search, draw));
  };
  search.addEventListener("input", () => {
    draw();
    announce(`${list.querySelectorAll(".pal-item").length} nodes found.`);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") focusItem(list, 0);
    else if (event.key === "Escape" && search.value) {
      search.value = "";
      draw();
    } else if (event.key === "Enter") list.querySelector(".pal-item")?.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener("keydown", (event) => {
    const items = [...list.querySelectorAll(".pal-item")];
    const at = items.indexOf(event.target.closest(".pal-item"));
    if (event.key === "ArrowDown") focusItem(list, at + 1);
    else if (event.key === "ArrowUp") at <= 0 ? search.focus() : focusItem(list, at - 1);
    else return;
    event.preventDefault();
  });
  draw();
  drawLegend(root.querySelector("[data-palette-legend]"));
  return { focus: () => search.focus(), clear: () => ((search.value = ""), draw()) };
}

function focusItem(list, index) {
  list.querySelectorAll(".pal-item")[index]?.focus();
}

function section(group, make) {
  return h("section", { dataset: { category: group.name } }, h("h2", {}, group.title), group.items.map(make));
}

function empty(search, draw) {
  const clear = () => {
    search.value = "";
    draw();
    search.focus();
  };
  return h(
    "p",
    { class: "palette__none" },
    `No node is called “${search.value}”. `,
    h("button", { type: "button", class: "link", on: { click: clear } }, "Clear the search"),
  );
}

function paletteItem(item, { stage, place }) {
  const button = h(
    "button",
    { type: "button", class: "pal-item", title: item.help || null, dataset: { component: item.name } },
    tile(item),
    h("span", { class: "trunc" }, item.title),
    icon("grip-vertical", "s", "grip"),
  );
  bindDrag(button, item, { stage, place });
  return button;
}

function bindDrag(button, item, { stage, place }) {
  let start = null;
  let ghost = null;
  let dragged = false;
  const end = () => {
    ghost?.remove();
    ghost = start = null;
    stage.classList.remove("is-dropping");
  };
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = event;
    dragged = false;
    button.setPointerCapture(event.pointerId);
  });
  button.addEventListener("pointermove", (event) => {
    if (!start) return;
    if (!ghost && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < CLICK) return;
    dragged = true;
    if (!ghost) document.body.append((ghost = makeGhost(item)));
    Object.assign(ghost.style, { left: `${event.clientX}px`, top: `${event.clientY}px` });
    stage.classList.toggle("is-dropping", over(stage, event));
  });
  button.addEventListener("pointerup", (event) => {
    if (ghost && over(stage, event)) place(item.name, { x: event.clientX, y: event.clientY });
    end();
  });
  button.addEventListener("pointercancel", end);
  button.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && ghost) end();
  });
  button.addEventListener("click", () => {
    if (!dragged) place(item.name, null);
    dragged = false;
  });
}

function makeGhost(item) {
  return h("div", { class: "pal-ghost", "aria-hidden": "true" }, tile(item), item.title);
}

function over(stage, { clientX, clientY }) {
  return stage.contains(document.elementFromPoint(clientX, clientY));
}

function drawLegend(element) {
  if (!element) return;
  const rows = ["text", "number", "boolean", "json", "list", "any", "order", "secret"];
  replace(element, rows.map((type) => h("li", {}, pinGlyph(type), TYPE_NAMES[type])));
}
