// Fields that are rarely touched fold away together, under the name that the component gave them.
// A group is open while something in it differs from what is usual, and stays as it was left.
//
// Hooks: details[data-group="NAME"].

import { fieldValue } from "../state/catalog.js";
import { h } from "./dom.js";

/** The fields as elements, in order. `draw(field)` makes one; `isWired(name)` and `unfolded` (a Map
 *  by "NODE NAME") tell which groups are open. */
export function groupedFields(fields, { node, item, draw, isWired, unfolded }) {
  const groups = new Map();
  const elements = [];
  for (const field of fields) {
    if (!field.group) {
      elements.push(draw(field));
      continue;
    }
    let inside = groups.get(field.group);
    if (!inside) {
      groups.set(field.group, (inside = []));
      elements.push(inside);
    }
    inside.push(field);
  }
  return elements.map((one) => (Array.isArray(one) ? fold(one, { node, item, draw, isWired, unfolded }) : one));
}

function fold(fields, { node, item, draw, isWired, unfolded }) {
  const [{ group }] = fields;
  const key = `${node.id} ${group}`;
  const differs = (field) => isWired(field.name) || JSON.stringify(fieldValue(item, node, field.name)) !== JSON.stringify(field.default ?? null);
  const open = unfolded.get(key) ?? fields.some(differs);
  const element = h("details", { class: "policies", open, dataset: { group } }, h("summary", {}, group), h("div", { class: "policies__fields" }, fields.map(draw)));
  element.addEventListener("toggle", () => unfolded.set(key, element.open));
  return element;
}
