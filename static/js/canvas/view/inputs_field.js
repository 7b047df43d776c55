// The editor of a Manual Trigger's inputs: a card for each, added and removed; one undo step a field.
//
// Hooks: [data-input-row="N"], button[data-testid="add-input"].

import { h, icon, replace } from "./dom.js";

const TYPES = [["text", "Text"], ["number", "Number"], ["boolean", "Yes or no"], ["choice", "Choice"], ["json", "JSON"]];

/** A default as it is typed, for a type; undefined for none. */
export function readDefault(type, text) {
  const typed = text.trim();
  if (typed === "") return undefined;
  if (type === "number") return Number.isFinite(Number(typed)) ? Number(typed) : typed;
  if (type === "boolean") return typed === "true" ? true : typed === "false" ? false : typed;
  if (type !== "json") return text;
  try {
    return JSON.parse(typed);
  } catch {
    return typed;
  }
}

export function inputsField(context) {
  const list = h("div", { class: "stack" });
  let items = [];
  const commit = (next, { draw = false } = {}) => {
    items = next;
    context.commit(items.length ? items : undefined);
    if (draw) redraw();
  };
  const change = (index, changes) => {
    const next = { ...items[index], ...changes };
    for (const [name, value] of Object.entries(next)) if (value === undefined) delete next[name];
    commit(items.map((one, at) => (at === index ? next : one)), { draw: "type" in changes });
  };
  const add = h("button", { type: "button", class: "btn btn--s", id: context.id, dataset: { testid: "add-input" } }, icon("plus", "s"), "Add an input");
  add.addEventListener("click", () => {
    commit([...items, { name: free(items), type: "text" }], { draw: true });
    context.seal();
    list.lastElementChild.querySelector("input").select();
  });
  const redraw = () => replace(list, items.map((item, index) => row(item, index, { change, seal: context.seal, remove: () => (commit(items.filter((_, at) => at !== index), { draw: true }), context.seal()) })));
  const set = (value) => {
    const next = Array.isArray(value) ? value : [];
    if (JSON.stringify(next) === JSON.stringify(items)) return;
    items = next;
    redraw();
  };
  return { element: h("div", { class: "stack" }, list, add), control: add, set };
}

function free(items) {
  let number = items.length + 1;
  while (items.some((one) => one.name === `input_${number}`)) number += 1;
  return `input_${number}`;
}

function row(item, index, { change, seal, remove }) {
  const text = (label, name, value, read = (typed) => typed || undefined, placeholder = "") => {
    const input = h("input", { class: "input", type: "text", "aria-label": `${label} of input ${index + 1}`, placeholder: placeholder || label, autocomplete: "off", spellcheck: "false", on: { input: () => change(index, { [name]: read(input.value) }), blur: seal } });
    input.value = value;
    return input;
  };
  const kind = h("select", { class: "select", "aria-label": `Type of input ${index + 1}` }, TYPES.map(([value, words]) => h("option", { value, selected: value === (item.type ?? "text") }, words)));
  kind.addEventListener("change", () => {
    change(index, { type: kind.value, default: undefined, choices: kind.value === "choice" ? item.choices ?? [] : undefined });
    seal();
  });
  const required = h("input", { type: "checkbox", checked: Boolean(item.required) });
  required.addEventListener("change", () => {
    change(index, { required: required.checked || undefined });
    seal();
  });
  const shown = item.default === undefined || item.default === null ? "" : item.type === "json" ? JSON.stringify(item.default) : String(item.default);
  const choices = (typed) => typed.split(",").map((one) => one.trim()).filter(Boolean);
  return h(
    "div",
    { class: "inputs__row stack", dataset: { inputRow: String(index) } },
    h("div", { class: "row" }, text("Name", "name", item.name ?? "", (typed) => typed), h("button", { type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": `Remove input ${item.name}`, on: { click: remove } }, icon("x", "s"))),
    text("Label", "label", item.label ?? ""),
    h("span", { class: "select-wrap" }, kind, icon("chevron-down", "s")),
    item.type === "choice" ? text("Choices, by commas", "choices", (item.choices ?? []).join(", "), choices) : null,
    text("Default", "default", shown, (typed) => readDefault(item.type ?? "text", typed)),
    h("label", { class: "check" }, required, h("span", {}, "Required")),
  );
}
