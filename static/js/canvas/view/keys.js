// The keyboard. Single letters work only while focus is on the canvas, never in a field.

import { GRID } from "../state/geometry.js";
import { runOrder } from "../state/document.js";
import { announce } from "./announce.js";
import { h, replace } from "./dom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TABLE = [
  ["N or /", "Search nodes to add"], ["R", "Run"], ["C", "Wire from the focused node"],
  ["Tab, Shift Tab", "Next, previous node in run order"], ["Arrows", "Move the node (Shift: further)"],
  ["Enter", "Open the inspector"], ["Delete", "Delete the selection"], ["Ctrl Z, Ctrl Shift Z", "Undo, redo"],
  ["Ctrl A", "Select all"], ["F2", "Rename"], ["Ctrl S", "Save now"], ["F or 1", "Fit the flow"], ["+, -, 0", "Zoom in, out, 100%"],
  ["P", "Next problem"], ["Space drag", "Pan"], ["Esc", "Cancel, deselect, close"], ["?", "This table"],
];

export function bindKeys({ editor, view, stage, pointer, palette, connectList, problems, inspector, running, save, dialog }) {
  const focused = () => document.activeElement?.closest?.(".node")?.dataset.nodeId ?? editor.selection.single;
  const onCanvas = () => stage.contains(document.activeElement) || document.activeElement === document.body;

  const letters = {
    n: () => palette.focus(),
    "/": () => palette.focus(),
    r: () => running.start(),
    c: () => focused() && connectList.fromNode(focused(), view.elements.get(focused())),
    f: () => view.fit(),
    1: () => view.fit(),
    0: () => view.zoomTo(1),
    "+": () => view.zoom(1.2),
    "=": () => view.zoom(1.2),
    "-": () => view.zoom(1 / 1.2),
    p: () => problems.step(),
    "?": () => showTable(dialog),
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || dialog.open || connectList.open) return;
    const typing = event.target.matches?.("input, textarea, select, [contenteditable]");
    if (event.ctrlKey || event.metaKey) return command(event, typing);
    if (typing || event.altKey) return;
    if (event.key === "Escape") return escape(event);
    if (!onCanvas()) return;
    if (event.key === " " && !event.target.closest("button, a")) return (event.preventDefault(), pointer.setSpace(true));
    if (canvasKey(event)) event.preventDefault();
  });
  document.addEventListener("keyup", (event) => event.key === " " && pointer.setSpace(false));

  function command(event, typing) {
    const key = event.key.toLowerCase();
    const redo = key === "y" || (key === "z" && event.shiftKey);
    if (typing && key !== "s") return;
    if (key === "s") save();
    else if (redo) step(editor.redo(), "Redone");
    else if (key === "z") step(editor.undo(), "Undone");
    else if (key === "a" && onCanvas()) editor.select({ nodes: editor.document.nodes.keys(), edges: editor.document.edges.keys() });
    else return;
    event.preventDefault();
  }

  function step(label, word) {
    announce(label === null ? "Nothing left to step to." : `${word}: ${label}`);
  }

  function canvasKey(event) {
    if (event.key === "Tab") return walk(event.shiftKey ? -1 : 1);
    if (ARROWS[event.key]) return nudge(ARROWS[event.key], event.shiftKey ? 5 : 1);
    if (event.key === "Delete" || event.key === "Backspace") return remove();
    if (event.key === "Enter") return open(event);
    if (event.key === "F2") return inspector.rename(focused());
    const act = letters[event.key.toLowerCase()];
    act?.();
    return Boolean(act);
  }

  function walk(direction) {
    const order = runOrder(editor.document);
    const at = order.indexOf(document.activeElement?.closest?.(".node")?.dataset.nodeId);
    if (at === -1) return false;
    const next = order[at + direction];
    if (!next) return false;
    editor.select({ nodes: [next] });
    view.reveal(next);
    view.focusNode(next);
    return true;
  }

  function nudge([x, y], times) {
    const ids = editor.selection.nodes.size ? [...editor.selection.nodes] : focused() ? [focused()] : [];
    if (!ids.length || editor.readOnly) return false;
    const by = GRID * times;
    const moves = new Map(ids.map((id) => {
      const [left, top] = editor.document.nodes.get(id).position;
      return [id, [left + x * by, top + y * by]];
    }));
    editor.move(moves, { merge: `nudge ${ids.join()}` });
    return true;
  }

  function remove() {
    const id = document.activeElement?.closest?.(".node")?.dataset.nodeId;
    if (editor.selection.empty && id) editor.select({ nodes: [id] });
    const count = editor.selection.nodes.size + editor.selection.edges.size;
    if (!editor.remove()) return false;
    announce(`Deleted ${count === 1 ? "it" : `${count} things`}. Ctrl Z brings it back.`);
    stage.focus({ preventScroll: true });
    return true;
  }

  function open(event) {
    const id = event.target.closest(".node")?.dataset.nodeId;
    if (!id || event.target.closest("button")) return false;
    editor.select({ nodes: [id] });
    inspector.open();
    return true;
  }

  function escape(event) {
    if (pointer.cancel()) return event.preventDefault();
    if (!editor.selection.empty) editor.select({});
    else inspector.close();
  }
}

/** Show the table of shortcuts. */
export function showTable(dialog) {
  const close = h("button", { type: "button", class: "btn", on: { click: () => dialog.close() } }, "Close");
  replace(
    dialog,
    h("div", { class: "dialog__head" }, h("h2", {}, "Keyboard shortcuts")),
    h("div", { class: "dialog__body" }, h("dl", { class: "keys" }, TABLE.flatMap(([keys, text]) => [h("dt", {}, keys.split(", ").map((key) => h("kbd", {}, key))), h("dd", {}, text)]))),
    h("div", { class: "dialog__foot" }, h("p", { class: "field__help grow" }, "Single letters work while focus is on the canvas."), close),
  );
  dialog.showModal();
}
