// The bar's undo, redo and badges, the zoom buttons, the empty canvas, and the narrow layout's
// "Add node" and inspector buttons.
//
// Hooks: button[data-testid="undo|redo|keys|add-node|open-inspector"], button[data-zoom="out|reset|in|fit"],
// [data-empty] button[data-start].

import { announce } from "./announce.js";
import { h, icon, replace } from "./dom.js";

export function bindToolbar(root, { editor, view, flow, keys, showPalette, panels }) {
  const hook = (name) => root.querySelector(`[data-testid="${name}"]`);
  const steps = { undo: hook("undo"), redo: hook("redo") };
  const drawSteps = () => {
    const labels = { undo: editor.history.undoLabel, redo: editor.history.redoLabel };
    for (const [name, button] of Object.entries(steps)) {
      const word = name === "undo" ? "Undo" : "Redo";
      button.disabled = labels[name] === null;
      const text = labels[name] ? `${word}: ${labels[name]}` : word;
      button.setAttribute("aria-label", text);
      button.title = `${text} (${name === "undo" ? "Ctrl Z" : "Ctrl Shift Z"})`;
    }
  };
  steps.undo.addEventListener("click", () => announce(`Undone: ${editor.undo()}`));
  steps.redo.addEventListener("click", () => announce(`Redone: ${editor.redo()}`));
  editor.on("document", drawSteps);
  drawSteps();

  hook("keys").addEventListener("click", keys);
  bindZoom(root, view);
  drawBadges(root.querySelector("[data-badges]"), flow);
  bindNarrow({ root, hook, editor, showPalette, panels });
}

function bindZoom(root, view) {
  const act = { out: () => view.zoom(1 / 1.2), in: () => view.zoom(1.2), reset: () => view.zoomTo(1), fit: () => view.fit() };
  for (const button of root.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => act[button.dataset.zoom]());
  }
  const percent = root.querySelector('[data-zoom="reset"]');
  let shown = "";
  view.onTransform.add(({ scale }) => {
    const text = `${Math.round(scale * 100)}%`;
    if (text === shown) return;
    shown = text;
    percent.textContent = text;
    percent.setAttribute("aria-label", `${percent.textContent}, zoom to 100%`);
  });
}

/** The active version and the draft, beside the name. */
export function drawBadges(root, flow) {
  const active = flow.active_version;
  replace(
    root,
    active ? h("span", { class: "badge badge--ok" }, icon("circle-dot", "xs"), `Active v${active}`) : null,
    h("span", { class: "badge badge--warn" }, icon("pencil", "xs"), "Draft"),
  );
}

function bindNarrow({ root, hook, editor, showPalette, panels }) {
  const add = hook("add-node");
  add.addEventListener("click", () => {
    if (root.classList.contains("shows-palette")) root.classList.remove("shows-palette");
    else showPalette();
  });
  document.addEventListener("pointerdown", (event) => {
    const inside = event.target.closest(".palette, [data-testid='add-node']");
    if (!inside) root.classList.remove("shows-palette");
  });
  const opener = hook("open-inspector");
  opener.addEventListener("click", panels.open);
  editor.on("selection", () => {
    const node = editor.document.nodes.get(editor.selection.single);
    opener.hidden = !node;
    if (!node) return root.classList.remove("shows-inspector");
    const item = editor.catalog.of(node);
    replace(opener, icon(item?.icon ?? "box", "s"), node.label, icon("chevron-left", "s"));
  });
}

/** "Start with a trigger" and a button for each, while nothing is drawn. */
export function drawEmpty(root, editor, place) {
  const draw = () => {
    root.hidden = editor.document.nodes.size > 0;
    if (root.hidden || root.childElementCount) return;
    const triggers = editor.catalog.items.filter((item) => item.category === "trigger").slice(0, 3);
    replace(
      root,
      h("h2", {}, "Start with a trigger"),
      h("p", {}, "It says when the flow runs. Then drag nodes from the left and wire them."),
      h(
        "div",
        { class: "row row--center stage__float" },
        triggers.map((item) =>
          h("button", { type: "button", class: "btn", dataset: { start: item.name }, on: { click: () => place(item.name, null) } }, icon(item.icon, "s"), item.title),
        ),
      ),
    );
  };
  editor.on("document", draw);
  draw();
}
