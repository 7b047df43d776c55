// The table of shortcuts (`?`), and the switch for single letters.

import { h, replace } from "./dom.js";

const KEY = "tacit.canvas.letters";
const TABLE = [
  ["Add and find", [
    ["N", "Add a node at the pointer"], ["/", "Search the palette"], ["Shift N", "Add a note"],
    ["Ctrl F", "Find a node"], ["C", "Wire from the focused node"], ["O", "Go to the outline"],
  ]],
  ["Change", [
    ["Ctrl Z, Ctrl Shift Z", "Undo, redo"], ["Ctrl C, Ctrl X, Ctrl V", "Copy, cut, paste"], ["Ctrl D", "Duplicate"],
    ["Delete", "Delete the selection"], ["D", "Disable, enable"], ["F2", "Rename"],
    ["Ctrl G, Ctrl Shift G", "Group, ungroup"], ["Shift Alt T", "Tidy"], ["Arrows", "Move 20 px (Shift: 100)"],
  ]],
  ["Go and select", [
    ["Tab, Shift Tab", "Next, previous in run order"], ["Alt Arrows", "Walk along wires"], ["Enter", "Open the inspector"],
    ["Ctrl A", "Select all"], ["P", "Next problem"], ["Esc", "Cancel, deselect, close"],
  ]],
  ["View and run", [
    ["F, 1", "Fit the flow"], ["+, -, 0", "Zoom in, out, 100%"], ["Space drag", "Pan"], ["Ctrl Wheel", "Zoom"],
    ["R", "Run"], ["Shift R", "Run to the selected node"], ["Ctrl S", "Save now"], ["?", "This table"],
  ]],
];

/** Whether single letters are shortcuts. */
export function lettersOn() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

/** Show the table of shortcuts. */
export function showTable(dialog) {
  const close = h("button", { type: "button", class: "btn", on: { click: () => dialog.close() } }, "Close");
  const letters = h("input", { type: "checkbox", class: "switch", role: "switch", id: "letters-on" });
  letters.checked = lettersOn();
  letters.addEventListener("change", () => {
    try {
      localStorage.setItem(KEY, letters.checked ? "on" : "off");
    } catch {
      // A browser that keeps nothing keeps the letters on.
    }
  });
  replace(
    dialog,
    h("div", { class: "dialog__head" }, h("h2", {}, "Keyboard shortcuts")),
    h("div", { class: "dialog__body keys-table" }, TABLE.map(([title, rows]) => h("section", {}, h("h3", {}, title), h("dl", { class: "keys" }, rows.flatMap(row))))),
    h("div", { class: "dialog__foot" }, letters, h("label", { class: "grow", for: "letters-on" }, "Single letters work while focus is on the canvas"), close),
  );
  dialog.showModal();
}

function row([keys, text]) {
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  const shown = mac ? keys.replaceAll("Ctrl", "Cmd") : keys;
  return [h("dt", {}, shown.split(", ").map((key) => h("kbd", {}, key))), h("dd", {}, text)];
}
