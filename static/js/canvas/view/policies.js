// The node's policies in the inspector: retries, time limit, what a failure does. The fields come
// from the server (`node_policies` of GET /components); their names are paths in the node.
//
// Hooks: details[data-testid="policies"], .field[data-field="policy.retry.count"] and so on.

import { setPolicy } from "../state/commands.js";
import { fieldEditor } from "./fields.js";
import { h } from "./dom.js";

/** What a node holds at a path, else the policy's default. */
export function policyValue(catalog, node, path) {
  const found = path.split(".").reduce((value, key) => value?.[key], node);
  return found ?? catalog.policies.find(({ name }) => name === path)?.default ?? null;
}

/** The section with a field each; `inspector.editors` learns of them. */
export function policyFields(inspector, node) {
  const { editor } = inspector;
  const { policies } = editor.catalog;
  const defaults = new Map(policies.map(({ name, default: usual }) => [name, usual]));
  const fields = policies.map((field) => {
    const id = `p-${field.name.replace(".", "-")}`;
    const error = h("p", { class: "field__error", id: `${id}-error`, hidden: true });
    const help = h("p", { class: "field__help", id: `${id}-help` }, field.help);
    const control = fieldEditor({
      field, id, describedby: `${id}-help ${id}-error`, secrets: inspector.secrets, config: () => ({}),
      commit: (value) => {
        const wrong = value !== undefined && outside(field, value);
        error.hidden = !wrong;
        error.textContent = wrong || "";
        if (!wrong) editor.perform(setPolicy(editor.document, node.id, field.name, value, defaults));
      },
      seal: () => editor.history.seal(),
    });
    if (editor.readOnly) for (const one of [control.element, ...control.element.querySelectorAll("input, select")]) one.disabled = true;
    // A component may have a field of the same name.
    inspector.editors.set(`policy.${field.name}`, { editor: control, error, policy: field.name });
    return h(
      "div",
      { class: "field", dataset: { field: `policy.${field.name}` } },
      h("div", { class: "field__label" }, h("label", { for: id }, field.label), h("span", { class: "field__key" }, field.name.split(".").at(-1))),
      control.element, error, help,
    );
  });
  const changed = policies.some(({ name, default: usual }) => policyValue(editor.catalog, node, name) !== usual);
  return h("details", { class: "policies", open: changed, dataset: { testid: "policies" } }, h("summary", {}, "If it fails or takes long"), h("div", { class: "policies__fields" }, fields));
}

/** Why a number can't be, or "". */
function outside({ kind, min, max, whole }, value) {
  if (kind !== "number") return "";
  if (min !== undefined && value < min) return `At least ${min}.`;
  if (max !== undefined && value > max) return `At most ${max}.`;
  return whole && !Number.isInteger(value) ? "A whole number." : "";
}
