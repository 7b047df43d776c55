// What the inspector shows while no single node is selected: the flow's nodes in run order.
// Hooks: button[data-outline="NODE"].

import { wiresFrom } from "../state/document.js";
import { counted } from "../state/problems.js";
import { h, icon, replace } from "./dom.js";
import { tile } from "./node_element.js";

export function drawOutline(root, editor, actions) {
  const { document, catalog, selection } = editor;
  root.setAttribute("aria-label", "Inspector: the flow");
  const many = selection.nodes.size + selection.edges.size;
  const title = many ? `${many} selected` : "This flow";
  const head = h(
    "div",
    { class: "insp__head" },
    h("span", { class: "tile" }, icon(many ? "square" : "workflow", "s")),
    h("div", { class: "grow" }, h("h2", {}, title), h("small", {}, `${counted(document.nodes.size, "node")}, ${counted(document.edges.size, "wire")}`)),
  );
  const rows = editor.order().map((id) => row(id));
  function row(id) {
    const node = document.nodes.get(id);
    const next = wiresFrom(document, id).map(({ target }) => document.nodes.get(target.node)?.label ?? target.node);
    return h(
      "li",
      {},
      h(
        "button",
        {
          type: "button", class: "outline__row", dataset: { outline: id },
          "aria-current": selection.nodes.has(id) ? "true" : null, on: { click: () => actions.select(id) },
        },
        tile(catalog.find(node.component)),
        h(
          "span",
          { class: "outline__name" },
          h("strong", { class: "trunc" }, node.label),
          h("small", { class: "trunc" }, next.length ? `to ${[...new Set(next)].join(", ")}` : node.component),
        ),
      ),
    );
  }
  const body = rows.length
    ? h("ol", { class: "outline", "aria-label": "Nodes in run order" }, rows)
    : h("p", { class: "field__help" }, "Nothing is drawn yet. Drag a node from the left, or choose one and press Enter.");
  const hint = many > 1 ? h("p", { class: "field__help" }, "Drag to move them together, Delete to remove them.") : null;
  replace(root, head, h("div", { class: "insp__body" }, hint, body));
}
